"""Jobs through operations and API: what is asked for, who may, cancel and retry, logs, and messages that get lost."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import pytest

from apps.access import operations as access
from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.tokens import issue_run_key, resolve
from apps.foundation.clock import now
from apps.foundation.errors import Conflict, Forbidden, Invalid, NotFound
from apps.jobs import driver, ingest, lifecycle, logs, operations, queries
from apps.jobs.lifecycle import State
from apps.jobs.models import Attempt, JobRun, LogChunk
from apps.jobs.tasks import sweep
from tests.builders import World, a_folder, a_person, an_api
from tests.jobs.making import a_job
from tests.repos.making import a_repo

PARAMETERS = [{"name": "months", "type": "text", "default": "1-3"}]


def test_a_job_is_made_and_changed_through_the_api(world: World) -> None:
    repo = a_repo(world.admin)
    wish = {
        "name": "train",
        "source_path": repo.resource.path,
        "script": "train.py",
        "parameters": PARAMETERS,
        "max_retries": 2,
    }
    made = world.api.post("/api/v1/jobs", wish).json()
    assert (made["path"], made["source_path"], made["parameters"][0]["default"]) == ("/train", "/flight-delays", "1-3")
    changed = world.api("PATCH", f"/api/v1/jobs/{made['id']}", {"ref": "dev", "timeout_seconds": 60}).json()
    assert (changed["ref"], changed["timeout_seconds"], changed["max_retries"]) == ("dev", 60, 2)
    for wrong in (
        {"queue": "nowhere"},
        {"timeout_seconds": 0},
        {"parameters": [{"name": "a b", "type": "text"}]},
        {"nope": 1},
    ):
        assert world.api("PATCH", f"/api/v1/jobs/{made['id']}", wrong).status_code == 422
    folder = a_folder(world.admin)
    assert (
        world.api.post("/api/v1/jobs", {"name": "x", "source_id": str(folder.pk), "script": "x.py"}).status_code == 422
    )


def test_a_run_is_pinned_when_it_is_asked_for(world: World, drain: Any) -> None:
    job = a_job(world.admin, parameters=PARAMETERS)
    place = f"/api/v1/jobs/{job.pk}"
    first = world.api.post(f"{place}/run", {"parameters": {"months": "4"}}).json()
    assert (first["number"], first["state"], first["parameters"]) == (1, "queued", {"months": "4"})
    world.api("PATCH", place, {"script": "other.py"})
    refused = world.api.post(f"{place}/run", {})
    assert refused.status_code == 422 and refused.json()["fields"]["script"]
    assert world.api.get(f"/api/v1/job-runs/{first['id']}").json()["script"] == "train.py"
    assert world.api.post(f"{place}/run", {"parameters": {"nope": 1}}).status_code == 422
    assert world.api.post(f"{place}/run", {"ref": "../../x"}).status_code == 422
    listed = world.api.get(f"/api/v1/job-runs?job_id={job.pk}&state=queued").json()["items"]
    assert [run["id"] for run in listed] == [first["id"]]


def test_an_idempotency_key_makes_one_run(world: World, drain: Any) -> None:
    job = a_job(world.admin)
    answers = [world.api("POST", f"/api/v1/jobs/{job.pk}/run", {}, **{"Idempotency-Key": "k1"}) for _ in range(3)]
    assert len({answer.json()["id"] for answer in answers}) == 1 and JobRun.objects.count() == 1


def test_levels(world: World, drain: Any) -> None:
    job = a_job(world.admin)
    ben = a_person(world, "ben@example.com")
    with pytest.raises(NotFound):
        operations.run_job(actor=ben, job=job)
    access.share(actor=world.admin, resource=job.resource, grantee=ben.user, level=Level.USE)
    with pytest.raises(NotFound):  # of the repository, which he may not know of
        operations.run_job(actor=ben, job=job)
    access.share(actor=world.admin, resource=job.source, grantee=ben.user, level=Level.VIEW)
    run = operations.run_job(actor=ben, job=job)
    assert run.user == ben.user
    with pytest.raises(Forbidden):
        operations.update_job(actor=ben, job=job, settings={"script": "x.py"})


@pytest.mark.parametrize("script", ["/etc/x.py", "../x.py", "a/../../x.py", "-c.py", "train.sh", ""])
def test_scripts_lie_in_the_repository(world: World, script: str) -> None:
    job = a_job(world.admin)
    with pytest.raises(Invalid):
        operations.update_job(actor=world.admin, job=job, settings={"script": script})


def test_cancel_before_it_starts_and_retry(world: World, drain: Any) -> None:
    run = operations.run_job(actor=world.admin, job=a_job(world.admin))
    operations.cancel_run(actor=world.admin, run=run)
    assert run.state == "canceled" and run.ended_at
    with pytest.raises(Conflict):
        operations.cancel_run(actor=world.admin, run=run)
    operations.retry_run(actor=world.admin, run=run)
    assert run.state == "queued" and run.ended_at is None
    with pytest.raises(Conflict):
        operations.retry_run(actor=world.admin, run=run)


def test_the_sweeper_finds_what_no_message_reached(world: World, drain: Any, settings: Any, monkeypatch: Any) -> None:
    settings.BOATHOUSE_JOB_SLOTS = 2
    driven: list[str] = []
    monkeypatch.setattr(driver, "drive", lambda scope, run_id, *_: driven.append(run_id))
    job = a_job(world.admin)
    runs = [operations.run_job(actor=world.admin, job=job) for _ in range(3)]
    JobRun.objects.update(sent_at=now() - timedelta(minutes=1))  # and every message was lost
    assert sweep() == 2 and drain() >= 2
    assert driven == [str(run.pk) for run in runs[:2]]
    assert sweep() == 0  # just sent
    JobRun.objects.update(sent_at=now() - timedelta(minutes=1))
    attempt = an_attempt(runs[0])
    Attempt.objects.filter(pk=attempt.pk).update(lease_until=now() + timedelta(minutes=1))
    driven.clear()
    assert sweep() == 1 and drain() >= 1 and driven == [str(runs[1].pk)]  # the first is driven, the third has no slot


def test_only_one_driver_holds_an_attempt_and_an_old_one_changes_nothing(world: World, drain: Any) -> None:
    run = operations.run_job(actor=world.admin, job=a_job(world.admin))
    scope = scope_of(world)
    first = driver._claim(scope, run.pk)
    assert first is not None and driver._claim(scope, run.pk) is None
    Attempt.objects.update(lease_until=now() - timedelta(seconds=1))
    second = driver._claim(scope, run.pk)
    assert second is not None and second.fence == first.fence + 1
    with pytest.raises(driver.LeaseLost):
        first.say("I thought it was mine")
    second.say("It is mine")
    run.refresh_from_db()
    assert run.state == "starting" and "I thought" not in log_of(run)


def test_slots_bound_what_is_under_way(world: World, drain: Any, settings: Any) -> None:
    settings.BOATHOUSE_JOB_SLOTS = 1
    job = a_job(world.admin)
    runs = [operations.run_job(actor=world.admin, job=job) for _ in range(2)]
    scope = scope_of(world)
    assert driver._claim(scope, runs[0].pk) and driver._claim(scope, runs[1].pk) is None


def test_who_was_shut_out_meanwhile_runs_nothing(world: World, drain: Any) -> None:
    job = a_job(world.admin)
    ben = a_person(world, "ben@example.com", level=Level.USE, on=job.resource)
    access.share(actor=world.admin, resource=job.source, grantee=ben.user, level=Level.VIEW)
    runs = [operations.run_job(actor=ben, job=job) for _ in range(2)]
    access.unshare(actor=world.admin, resource=job.source, grantee=ben.user)
    driver.drive(scope_of(world), runs[0].pk)
    runs[0].refresh_from_db()
    assert runs[0].state == "failed" and "any more" in runs[0].reason
    membership = ben.user.memberships.get()
    access.suspend_member(actor=world.admin, root=world.root(), membership=membership)
    driver.drive(scope_of(world), runs[1].pk)
    runs[1].refresh_from_db()
    assert runs[1].state == "failed" and runs[1].attempts.get().launched_at is None


def test_a_job_in_the_trash_starts_nothing(world: World, drain: Any) -> None:
    run = operations.run_job(actor=world.admin, job=a_job(world.admin))
    access.trash_resource(actor=world.admin, resource=run.job.resource)
    assert world.api.get(f"/api/v1/job-runs/{run.pk}").status_code == 404
    driver.drive(scope_of(world), run.pk)
    run.refresh_from_db()
    assert run.state == "failed" and "trash" in run.reason


def test_what_a_guest_says_is_kept_once_in_order_and_masked(world: World, drain: Any) -> None:
    run, attempt, guest, key = a_guest(world)
    text = f"line 1\nkey {key} end\nlast ünfinished".encode()
    cut = text.index(key.encode()) + 20  # in the middle of the key
    assert say(guest, 0, text[:cut]) == cut
    assert say(guest, 0, text[:cut]) == cut
    assert say(guest, cut + 1, b"a gap") == cut
    assert say(guest, 5, text[5:]) == len(text)
    log = world.api.get(f"/api/v1/job-runs/{run.pk}/log").json()
    assert log["content"] == text.decode().replace(key, "*" * len(key)) and not log["is_complete"]
    rest = world.api.get(f"/api/v1/job-runs/{run.pk}/log?offset={log['next_offset']}").json()
    assert rest["content"] == "" and rest["next_offset"] == len(text)
    lines, more = logs.read_lines(attempt, after=1)
    assert [(line.n, line.text[:4]) for line in lines] == [(2, "key ")] and not more
    assert not LogChunk.objects.filter(content__contains=key.encode()).exists()
    assert guest.get("/api/v1/guest/context").json()["commit"] == run.commit
    assert guest.post("/api/v1/guest/heartbeat", {"protocol": 1, "usage": {"cpu_seconds": 1.5}}).json()["stop"] is False
    operations.cancel_run(actor=world.admin, run=run)
    assert guest.post("/api/v1/guest/heartbeat", {"protocol": 1}).json()["stop"] is True
    assert guest.post("/api/v1/guest/finish", {"protocol": 1, "exit_code": 0}).status_code == 200
    attempt.refresh_from_db()
    lifecycle.enter(attempt, State.CANCELED)
    assert guest.post("/api/v1/guest/heartbeat", {"protocol": 1}).status_code == 403


def test_only_the_runs_own_key_speaks_for_it(world: World, drain: Any) -> None:
    a_guest(world)
    other = issue_run_key(world.admin, "job_run:01890000-0000-7000-8000-000000000000", 60)
    for api in (world.api, an_api(world.admin), type(world.api)(other), world.theirs.api):
        for verb in ("heartbeat", "finish", "log"):
            assert api.post(
                f"/api/v1/guest/{verb}", {"protocol": 1, "exit_code": 0, "offset": 0, "content": "eA=="}
            ).status_code in (403, 422)
    assert LogChunk.objects.count() == 0


def test_a_log_is_read_in_pieces_without_breaking_characters(world: World, drain: Any) -> None:
    run, attempt, _, _ = a_guest(world)
    text = "äöü€😀" * 50 + "\n"
    ingest.append(attempt, text.encode())
    at, seen = 0, ""
    while at < attempt.log_bytes:
        piece = logs.read_log(attempt, at, size=7)
        assert piece.next_offset > at
        at, seen = piece.next_offset, seen + piece.content
    assert seen == text


def test_the_receipt_says_what_it_was_made_of(world: World, drain: Any) -> None:
    run = operations.run_job(actor=world.admin, job=a_job(world.admin, parameters=PARAMETERS))
    receipt = queries.receipt(run.pk)
    assert (receipt.commit, receipt.parameters, receipt.user) == (run.commit, {"months": "1-3"}, "ada@example.com")
    kept = run.source.repo.git.path / "refs/boathouse/keep" / run.commit
    assert kept.read_text().strip() == run.commit  # stays when its branch goes


def scope_of(world: World) -> driver.OpenScope:
    from contextlib import contextmanager

    from apps.access.actor import system_actor
    from apps.access.scope import workspace_scope

    @contextmanager
    def scope() -> Any:
        with workspace_scope(world.ours.workspace):
            yield system_actor(world.ours.workspace)

    return scope


def an_attempt(run: JobRun) -> Attempt:
    attempt = Attempt(run=run, number=1)
    attempt.save()
    lifecycle.enter(run, State.STARTING)
    return attempt


def a_guest(world: World) -> tuple[JobRun, Attempt, Any, str]:
    """A run under way, as its guest sees it."""
    run = operations.run_job(actor=world.admin, job=a_job(world.admin))
    attempt = an_attempt(run)
    key = issue_run_key(Actor(user=run.user, workspace=run.workspace), run.activity, 60)
    attempt.token_id = resolve(key).token_id
    attempt.save()
    return run, attempt, type(world.api)(key), key


def say(guest: Any, offset: int, content: bytes) -> int:
    answer = guest.post(
        "/api/v1/guest/log", {"protocol": 1, "offset": offset, "content": base64.b64encode(content).decode()}
    )
    return answer.json()["next_offset"]


def log_of(run: JobRun) -> str:
    return logs.read_log(queries.get_attempt(run)).content
