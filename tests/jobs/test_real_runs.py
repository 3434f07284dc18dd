"""Real runs in real guests: parameters, log, end; cancel, timeout, retry; drivers and daemon killed at bad moments."""

from __future__ import annotations

import time
from typing import Any

import pytest

from apps.access.models import Token
from apps.jobs import operations
from apps.jobs.models import JobRun
from apps.lineage.models import LineageEdge
from tests.jobs.conftest import Place
from tests.jobs.making import a_job

SLOW = """
import time
print("begun", flush=True)
for step in range(80):
    print("step", step, flush=True)
    time.sleep(0.05)
print("done", flush=True)
"""
PARAMETERS = [{"name": "months", "type": "text", "default": "1-3"}]


def ask(place: Place, script: str, **settings: Any) -> JobRun:
    with place.scope():
        job = a_job(place.world.admin, script, **settings)
        return operations.run_job(actor=place.world.admin, job=job)


def test_a_script_runs_from_its_commit_as_the_person(place: Place) -> None:
    script = """
import json, os, sys, urllib.request
print(sys.argv[1:], sorted(os.listdir(".")))
print("key", os.environ["BOATHOUSE_TOKEN"])
ask = urllib.request.Request(os.environ["BOATHOUSE_URL"] + "/api/v1/whoami", headers={"Authorization": "Bearer " + os.environ["BOATHOUSE_TOKEN"]})
print(json.loads(urllib.request.urlopen(ask).read())["label"])
print("to stderr", file=sys.stderr)
"""
    run = ask(place, script, parameters=PARAMETERS)
    place.start_driver(run)
    assert place.until(run, "succeeded", "failed") == "succeeded", place.log(run)
    log = place.log(run)
    assert "['--months=1-3'] ['train.py']" in log and "ada@example.com" in log and "to stderr" in log
    assert "key " + "*" * 46 in log and "bh_" not in log
    with place.scope():
        assert not Token.objects.filter(activity=run.activity, revoked_at__isnull=True).exists()
        attempt = JobRun.objects.get(pk=run.pk).attempts.get()
        assert (attempt.exit_code, attempt.key_sealed) == (0, None) and attempt.heartbeat_at
        edge = LineageEdge.objects.select_related("source", "target").get(target__kind="job_run")
        assert edge.source.kind == "commit" and edge.source.key.endswith(run.commit) and edge.target.key == str(run.pk)
    assert not list((place.installation.folder / "allowed").rglob("source.tar"))
    # The guest is cleared away right after the run has ended.
    until = time.monotonic() + 20
    while place.installation.client.check(attempt.pk) is not None and time.monotonic() < until:
        time.sleep(0.1)
    assert place.installation.client.check(attempt.pk) is None


def test_failure_timeout_and_memory_say_what_happened(place: Place) -> None:
    for script, settings, sentence in (
        ("raise SystemExit(3)", {}, "exit code 3"),
        ("import time; time.sleep(60)", {"timeout_seconds": 1}, "longer than the 1 seconds"),
        ("x = bytearray(1 << 30); x[::4096] = b'1' * len(x[::4096])", {"memory_mb": 128}, ""),
    ):
        run = ask(place, script, name=f"job-{sentence[:4]}", **settings)
        place.start_driver(run)
        assert place.until(run, "succeeded", "failed", "lost") == "failed", place.log(run)
        with place.scope():
            assert sentence in JobRun.objects.get(pk=run.pk).reason


def test_cancel_stops_the_script_and_its_key(place: Place) -> None:
    run = ask(place, SLOW)
    place.start_driver(run)
    place.until_log(run, "step 3")
    with place.scope():
        operations.cancel_run(actor=place.world.admin, run=JobRun.objects.get(pk=run.pk))
    assert place.until(run, "canceled", "succeeded", "failed", seconds=20) == "canceled"
    assert "done" not in place.log(run)


def test_a_failed_attempt_is_tried_again_by_the_jobs_rule(place: Place) -> None:
    run = ask(place, "raise SystemExit(1)", max_retries=1)
    place.start_driver(run).wait()
    assert place.state(run) == "queued"
    with place.scope():
        JobRun.objects.filter(pk=run.pk).update(due_at="2020-01-01T00:00:00Z")
    place.start_driver(run).wait()
    assert place.state(run) == "failed"
    with place.scope():
        assert [a.state for a in JobRun.objects.get(pk=run.pk).attempts.order_by("number")] == ["failed", "failed"]


@pytest.mark.parametrize("moment", ["begun", "step 20", ""])
def test_a_killed_driver_is_followed_by_one_that_watches_the_same_guest(place: Place, moment: str) -> None:
    run = ask(place, SLOW)
    first = place.start_driver(run)
    if moment:
        place.until_log(run, moment)
    else:
        time.sleep(0.2)  # somewhere in its start
    first.kill()
    first.wait()
    end = time.monotonic() + 60
    while place.state(run) not in ("succeeded", "failed", "lost"):
        assert time.monotonic() < end, place.log(run)
        for driver in [place.start_driver(run), place.start_driver(run)]:  # twice at once: the lease lets one through
            driver.wait()
    assert place.state(run) == "succeeded", place.log(run)
    log = place.log(run)
    assert (
        log.count("begun\n") == 1
        and [f"step {n}\n" in log for n in range(80)] == [True] * 80
        and log.count("step 7\n") == 1
    )
    with place.scope():
        assert JobRun.objects.get(pk=run.pk).attempts.count() == 1


def test_a_killed_daemon_loses_no_run(place: Place) -> None:
    run = ask(place, SLOW)
    place.start_driver(run)
    place.until_log(run, "step 5")
    place.installation.kill_daemon()
    time.sleep(1)
    place.installation.start_daemon()
    end = time.monotonic() + 60
    while place.state(run) not in ("succeeded", "failed", "lost"):
        assert time.monotonic() < end, place.log(run)
        place.start_driver(run).wait()
    assert place.state(run) == "succeeded", place.log(run)
    assert place.log(run).count("step 79\n") == 1
