"""The pages of jobs, by the forms that people fill in."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from apps.access import operations as access
from apps.access.levels import Level
from apps.foundation.errors import Invalid
from apps.jobs import ingest, lifecycle, operations, pages
from apps.jobs.lifecycle import State
from apps.jobs.models import Attempt, Job, JobRun
from tests.builders import World, a_person
from tests.jobs.making import a_job
from tests.repos.making import a_repo, fill

FORM = {
    "name": "train", "folder": "/", "description": "", "script": "train.py", "ref": "", "environment": "default",
    "parameters": "months: text = 1-6\ntrees: integer = 10\nregister: boolean = false", "timeout_minutes": "5",
    "max_retries": "1", "memory_mb": "512",
}  # fmt: skip


def browser(person: Any) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(person.user)
    return client


def test_make_change_and_run_a_job_in_the_browser(world: World, drain: Any) -> None:
    ada = browser(world.admin)
    repo = a_repo(world.admin)
    fill(repo)
    assert b"Make job" in ada.get("/w/ours/jobs/new").content
    wrong = ada.post(
        "/w/ours/jobs/new", {**FORM, "source_id": str(repo.pk), "memory_mb": "1", "parameters": "a: wrong"}
    )
    assert (
        b"whole number from 128" in wrong.content
        and b"the type is one of" in wrong.content
        and not Job.objects.exists()
    )
    made = ada.post("/w/ours/jobs/new", {**FORM, "source_id": str(repo.pk)})
    job = Job.objects.get()
    assert made.status_code == 303 and made["Location"] == f"/w/ours/jobs/{job.pk}"
    assert (job.timeout_seconds, job.memory_mb, job.parameters[1]) == (
        300,
        512,
        {"name": "trees", "type": "integer", "default": 10},
    )
    page = ada.get(f"/w/ours/jobs/{job.pk}").content.decode()
    assert 'name="p-months"' in page and "No runs yet" in page
    started = ada.post(
        f"/w/ours/jobs/{job.pk}/start", {"p-months": "7", "p-trees": "3", "p-register": "true", "ref": "main"}
    )
    run = JobRun.objects.get()
    assert (
        run.parameters == {"months": "7", "trees": 3, "register": True}
        and started["Location"] == f"/w/ours/jobs/runs/{run.pk}"
    )
    shown = ada.get(started["Location"]).content.decode()
    assert "Run #1" in shown and "Queued" in shown and run.commit[:7] in shown and "bh-log" in shown
    assert "train" in ada.get("/w/ours/jobs/").content.decode()
    settings = ada.get(f"/w/ours/jobs/{job.pk}/settings").content.decode()
    assert "trees: integer = 10" in settings
    ada.post(
        f"/w/ours/jobs/{job.pk}/settings", {**FORM, "source_id": str(repo.pk), "max_retries": "3", "parameters": ""}
    )
    job.refresh_from_db()
    assert (job.max_retries, job.parameters) == (3, [])
    assert ada.post(f"/w/ours/jobs/runs/{run.pk}/cancel").status_code == 303
    run.refresh_from_db()
    assert run.state == "canceled"
    assert "Try again" in ada.get(f"/w/ours/jobs/runs/{run.pk}").content.decode()
    assert "Packages" not in ada.get(f"/w/ours/jobs/runs/{run.pk}?tab=receipt").content.decode()


def test_the_log_follows_by_lines(world: World, drain: Any) -> None:
    run = operations.run_job(actor=world.admin, job=a_job(world.admin))
    ada, place = browser(world.admin), f"/w/ours/jobs/runs/{run.pk}/log"
    assert ada.get(place).json() == {"lines": [], "done": False, "more": False}
    attempt = Attempt(run=run, number=1)
    attempt.save()
    ingest.append(attempt, b"one\nWARNING <script>\nthr")
    first = ada.get(place).json()
    assert [(line["n"], line["level"], line["text"]) for line in first["lines"]] == [
        (1, "", "one"),
        (2, "WARN", "WARNING <script>"),
    ]
    ingest.append(attempt, b"ee\nfour")
    assert [line["text"] for line in ada.get(f"{place}?after=2").json()["lines"]] == ["three"]
    lifecycle.enter(attempt, State.FAILED)
    last = ada.get(f"{place}?after=3&attempt=1").json()
    assert [line["text"] for line in last["lines"]] == ["four"] and last["done"]
    for wrong in ("after=-1", "after=x", "attempt=0x", "after=99999999999999999999"):
        assert ada.get(f"{place}?{wrong}").status_code in (400, 422)
    shown = ada.get(f"/w/ours/jobs/runs/{run.pk}").content.decode()
    assert "WARNING &lt;script&gt;" in shown and "<script>\n" not in shown


def test_who_may_only_view_sees_no_buttons_and_strangers_see_nothing(world: World, drain: Any) -> None:
    job = a_job(world.admin)
    run = operations.run_job(actor=world.admin, job=job)
    ben = a_person(world, "ben@example.com")
    addresses = [f"/w/ours/jobs/{job.pk}", f"/w/ours/jobs/runs/{run.pk}", f"/w/ours/jobs/runs/{run.pk}/log"]
    for address in addresses:
        assert browser(ben).get(address).status_code == 404
    access.share(actor=world.admin, resource=job.resource, grantee=ben.user, level=Level.VIEW)
    for address in addresses:
        assert browser(ben).get(address).status_code == 200
    assert b'data-open="start"' not in browser(ben).get(addresses[0]).content
    assert (
        b"flight" not in browser(ben).get(addresses[0]).content
        and b"may not see" in browser(ben).get(addresses[0]).content
    )
    assert browser(ben).post(f"/w/ours/jobs/{job.pk}/start").status_code == 403
    assert browser(ben).post(f"/w/ours/jobs/runs/{run.pk}/cancel").status_code == 403


@pytest.mark.parametrize("line", ["a: wrong", "a: integer = x", "a: number = ", "a:b:c"])
def test_parameter_lines_that_mean_nothing_are_refused(line: str) -> None:
    with pytest.raises(Invalid):
        pages.parse_line(line)
