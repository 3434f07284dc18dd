"""Phases of an attempt, causes of its end, what a run is compared with, why one waits, signs of life, and the log's reads."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.db import connections
from django.test import Client

from apps.access import tokens
from apps.access.levels import Level
from apps.access.scope import workspace_scope
from apps.foundation.clock import now
from apps.jobs import (
    changes,
    comparing,
    day,
    ingest,
    lifecycle,
    logs,
    longpoll,
    operations,
    outcome,
    phases,
    waiting,
    workers,
)
from apps.jobs.lifecycle import State
from apps.jobs.models import Attempt, Job, JobRun
from tests.builders import World, a_person, a_side
from tests.jobs.making import a_job


def an_attempt(run: JobRun, state: str, seconds: list[int | None], **more: Any) -> Attempt:
    """An attempt whose phases began so many seconds after a moment, None for those that did not begin."""
    start = now() - timedelta(minutes=5)
    fields = [field for _, field, _ in phases.STEPS]
    moments = {field: start + timedelta(seconds=s) for field, s in zip(fields, seconds, strict=True) if s is not None}
    attempt = Attempt(run=run, number=run.attempts.count() + 1, **{"started_at": None, **moments}, **more)
    attempt.state = state
    if state in lifecycle.FINAL:
        attempt.ended_at = start + timedelta(seconds=100)
    attempt.save()
    return attempt


@pytest.mark.parametrize(
    ("state", "seconds", "looks"),
    [
        ("succeeded", [0, 1, 2, 3, 4, 90], ["done"] * 6),
        ("failed", [0, 1, 2, 3, 4, 90], ["done", "done", "done", "done", "failed", "done"]),
        ("failed", [0, 1, 2, None, None, None], ["done", "done", "failed", "waiting", "waiting", "waiting"]),
        ("running", [0, 1, 2, 3, 4, None], ["done", "done", "done", "done", "running", "waiting"]),
        ("canceled", [0, 1, 2, 3, 4, 90], ["done", "done", "done", "done", "canceled", "done"]),
    ],
)
def test_the_phase_that_is_to_blame(
    world: World, drain: Any, state: str, seconds: list[int | None], looks: list[str]
) -> None:
    run = operations.run_job(actor=world.admin, job=a_job(world.admin))
    attempt = an_attempt(run, state, seconds)
    found = phases.phases(attempt, run)
    assert [phase.state for phase in found] == looks
    assert found[0].seconds == 1
    rows, whole = phases.timeline([attempt], run)
    assert rows[0].start == 0 and whole > 0 and all(row.start + row.share <= 100.1 for row in rows)


def test_every_cause_says_what_to_do_but_a_wish() -> None:
    assert all(outcome.next_step(cause) for cause in outcome.Cause if cause != outcome.Cause.CANCELED)
    assert outcome.next_step("canceled") is None and outcome.next_step("") is None


def test_a_run_beside_the_last_that_succeeded(world: World, drain: Any) -> None:
    job = a_job(world.admin, parameters=[{"name": "trees", "type": "integer", "default": 10}])
    first = operations.run_job(actor=world.admin, job=job, note="a try")
    assert first.note == "a try" and comparing.previous_success(first) is None
    lifecycle.enter(first, State.STARTING)
    lifecycle.enter(first, State.SUCCEEDED)
    second = operations.run_job(actor=world.admin, job=job, parameters={"trees": 20})
    other = comparing.previous_success(second)
    assert other == first
    comparison = comparing.compare(second, first)
    assert comparison.same_commit and comparison.same_environment and comparison.changes == 1
    assert [(d.name, d.before, d.after, d.changed) for d in comparison.parameters] == [("trees", 10, 20, True)]
    job.refresh_from_db()
    assert job.newest_run == second


def test_who_changed_what_and_a_repo_one_may_not_see_stays_unnamed(world: World, drain: Any) -> None:
    job = a_job(world.admin)
    operations.update_job(actor=world.admin, job=job, settings={"memory_mb": 512, "ref": "main"})
    ben = a_person(world, "ben@example.com", level=Level.VIEW, on=job.resource)
    newest, made = changes.as_changes(ben, changes.list_changes(ben, job).order_by("-id"))
    assert newest.settings == [("branch, tag or commit", "", "main"), ("memory", "2048 MB", "512 MB")]
    assert made.made and newest.who == "ada@example.com"
    operations.update_job(actor=world.admin, job=job, settings={}, source=a_job(world.admin, name="other").source)
    [change] = changes.as_changes(ben, changes.list_changes(ben, job).order_by("-id")[:1])
    assert change.settings == [("repo", "a repo you may not see", "a repo you may not see")]


def test_why_it_waits(world: World, drain: Any, settings: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(workers, "drives_runs", lambda: True)
    job = a_job(world.admin)
    first, second = (operations.run_job(actor=world.admin, job=job) for _ in range(2))
    settings.BOATHOUSE_JOB_SLOTS = 0
    said = waiting.why([first, second])
    assert "0 of 0 slots are busy" in said[first.pk] and "it is next" in said[first.pk]
    assert "1 run is before it" in said[second.pk]
    JobRun.objects.filter(pk=second.pk).update(due_at=now() + timedelta(seconds=40))
    assert "tries again in" in waiting.why([JobRun.objects.get(pk=second.pk)])[second.pk]
    lifecycle.enter(first, State.STARTING)
    attempt = Attempt(run=first, number=1, environment_at=now())
    attempt.save()
    assert waiting.why([first]) == {first.pk: "building its environment"}


def test_a_worker_that_fell_silent_is_lost_and_one_that_stopped_is_not(world: World, settings: Any) -> None:
    line = {
        "at": time.time(),
        "started": time.time(),
        "queues": ["train"],
        "room": 2,
        "active": 1,
        "done": 9,
        "peak_bytes": 1,
    }
    with redis.from_url(settings.REDIS_URL) as client:
        for name, more in (
            ("a@m", {}),
            ("b@m", {"at": time.time() - 60}),
            ("c@m", {"stopped": True}),
            ("d@m", {"at": 0}),
        ):
            client.hset(workers.KEY, name, json.dumps(line | more))
        try:
            board = workers.board(world.admin)
            assert [(worker.name, worker.state) for worker in board.workers] == [
                ("a", "busy"),
                ("b", "lost"),
                ("c", "stopped"),
            ]
            assert next(queue for queue in board.queues if queue.name == "train").workers == 1 and workers.drives_runs()
            client.hdel(workers.KEY, "a@m")
            assert workers.drives_runs() is False
        finally:
            client.delete(workers.KEY)


def test_a_run_of_the_neighbour_counts_and_is_not_shown(world: World, drain: Any) -> None:
    run = operations.run_job(actor=world.admin, job=a_job(world.admin))
    lifecycle.enter(run, State.STARTING)
    attempt = Attempt(run=run, number=1, state=State.RUNNING, launched_at=now())
    attempt.save()
    stranger = a_person(world, "ben@example.com")
    assert [guest.state for guest in workers.board(world.admin).guests] == ["lost"]  # no daemon knows it
    assert workers.board(stranger).guests == [] and workers.board(stranger).slots_taken == 1
    assert day.today(stranger) is None and day.today(world.admin) is not None


def test_reads_of_a_log(world: World, drain: Any) -> None:
    run = operations.run_job(actor=world.admin, job=a_job(world.admin))
    attempt = Attempt(run=run, number=1)
    attempt.save()
    for n in range(700):  # as many pieces, more than were once read
        ingest.append(attempt, f"line {n}\n".encode())
    ingest.append(
        attempt,
        b"Traceback (most recent call last):\n  File x\nmodule.OddError: no such carrier\n[boathouse] Failed: exit\n",
    )
    lines, more = logs.read_lines(attempt, 0)
    assert (len(lines), lines[-1].n, more) == (704, 704, False)
    error = logs.last_error(attempt)
    assert error is not None and (error.n, error.level) == (703, "ERROR")
    assert [line.n for line in logs.find_lines(attempt, "LINE 69")] == [70, *range(691, 701)]
    ada = Client()
    ada.force_login(world.admin.user)
    place = f"/w/ours/jobs/runs/{run.pk}/log"
    before = ada.get(f"{place}?before=201").json()
    assert (before["lines"][0]["n"], before["lines"][-1]["n"], before["more"]) == (1, 200, False)
    assert [line["n"] for line in ada.get(f"{place}?find=carrier").json()["lines"]] == [703]
    shown = ada.get(f"/w/ours/jobs/runs/{run.pk}").content.decode()
    assert "Show earlier lines" in shown and "line 699" in shown and "line 0<" not in shown
    assert 'id="line"' in ada.get(f"/w/ours/jobs/runs/{run.pk}?line=703").content.decode()


def test_again_with_changes_and_many_at_once(world: World, drain: Any) -> None:
    job = a_job(world.admin, parameters=[{"name": "trees", "type": "integer", "default": 10, "help": "how many"}])
    other = a_job(world.admin, name="other", parameters=[{"name": "must", "type": "text"}])
    run = operations.run_job(actor=world.admin, job=job, parameters={"trees": 7})
    ada = Client(raise_request_exception=False)
    ada.force_login(world.admin.user)
    form = ada.get(f"/w/ours/jobs/runs/{run.pk}/again").content.decode()
    assert 'value="7"' in form and run.commit[:7] in form and "how many" in form
    wrong = ada.post(f"/w/ours/jobs/runs/{run.pk}/again", {"p-trees": "many", "at": run.commit})
    assert "whole number" in wrong.content.decode() and JobRun.objects.count() == 1
    made = ada.post(f"/w/ours/jobs/runs/{run.pk}/again", {"p-trees": "9", "at": run.commit, "note": "more trees"})
    again = JobRun.objects.get(number=2)
    assert made.status_code == 303 and (again.parameters, again.commit, again.note) == (
        {"trees": 9},
        run.commit,
        "more trees",
    )
    assert ada.post("/w/ours/jobs/act", {"job": [str(job.pk), str(other.pk)], "verb": "run"}).status_code == 303
    assert JobRun.objects.count() == 3  # the other one needs a value
    assert ada.post("/w/ours/jobs/act", {"job": [str(job.pk)], "verb": "cancel"}).status_code == 303
    assert JobRun.objects.get(number=3).state == "canceled"
    assert ada.post("/w/ours/jobs/act", {"verb": "run"}).status_code == 422
    for query, names in {
        "?f=state:failed": [],
        "?f=owner:me": ["train", "other"],
        "?q=oth": ["other"],
        "?f=-owner:me": [],
    }.items():
        listed = ada.get(f"/w/ours/jobs/{query}").content.decode()
        assert [name for name in ("train", "other") if f"Select {name}" in listed] == names


def test_what_the_form_has_no_room_for_stays(world: World, drain: Any) -> None:
    job = a_job(
        world.admin,
        parameters=[{"name": "mode", "type": "text", "default": "a", "choices": ["a", "b"], "help": "which"}],
    )
    ada = Client(raise_request_exception=False)
    ada.force_login(world.admin.user)
    form = {
        "source_id": str(job.source_id), "script": "train.py", "environment": "default", "parameters": "mode: text = b",
        "timeout_minutes": "5", "max_retries": "0", "memory_mb": "512",
    }  # fmt: skip
    assert ada.post(f"/w/ours/jobs/{job.pk}/settings", form).status_code == 303
    job = Job.objects.get(pk=job.pk)
    assert job.parameters == [{"name": "mode", "type": "text", "default": "b", "choices": ["a", "b"], "help": "which"}]
    assert "mode=b" in ada.get(f"/w/ours/jobs/{job.pk}/changes").content.decode()


def test_secrets_of_others_are_masked_too(world: World, drain: Any) -> None:
    attempt = Attempt(run=operations.run_job(actor=world.admin, job=a_job(world.admin)), number=1)
    attempt.save()
    for piece in (b"key AKIA" + b"A1" * 3, b"A1" * 5 + b" and ghp_" + b"x" * 36 + b" done\n"):
        ingest.append(attempt, piece)
    assert logs.read_log(attempt).content == f"key {'*' * 20} and {'*' * 40} done\n"


def test_waiting_only_delays_and_holds_nobody_up_who_may_not(committed: None, drain: Any) -> None:
    side = a_side("ours", "ada@example.com")
    with workspace_scope(side.workspace):
        run = operations.run_job(actor=side.admin, job=a_job(side.admin))
        attempt = Attempt(run=run, number=1)
        attempt.save()
        _, key = tokens.new_token(side.admin.user, name="test")

    def ask(token: str, query: str) -> float:
        scope = {
            "type": "http", "method": "GET", "path": f"/api/v1/job-runs/{run.pk}/log", "query_string": query.encode(),
            "headers": [(b"authorization", f"Bearer {token}".encode())], "scheme": "http", "server": ("x", 80),
        }  # fmt: skip

        async def both() -> float:
            begun = time.monotonic()
            waits = asyncio.create_task(longpoll.app(scope, None, None))
            await asyncio.sleep(0.3)
            if "offset=0" in query:
                await asyncio.to_thread(write)
            assert await waits is False
            return time.monotonic() - begun

        return asyncio.run(both())

    def write() -> None:
        with workspace_scope(side.workspace):
            ingest.append(Attempt.objects.get(pk=attempt.pk), b"something\n")
        connections.close_all()

    assert 1 <= ask(key, "wait=2&offset=50") < 4  # nothing beyond it: the time is over
    assert ask(key, "wait=20&offset=0") < 5  # woken by the line
    assert ask(key, "wait=20&offset=3") < 1  # there is something already
    assert ask("bh_unknown", "wait=20&offset=500") < 1
    assert ask(key, "wait=-5") < 1
