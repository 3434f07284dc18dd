"""Examples of jobs and runs. The guest's addresses are for run keys alone: everybody else is refused there, whoever they are."""

from __future__ import annotations

from apps.access.levels import Level
from apps.jobs import lifecycle, operations
from apps.jobs.lifecycle import State
from apps.jobs.models import Attempt
from tests.builders import Side, a_folder
from tests.isolation.kit import Example, Made
from tests.jobs.making import a_job
from tests.repos.making import a_repo

V1 = "/api/v1"
USE, EDIT, VIEW = Level.USE, Level.EDIT, Level.VIEW


def job(side: Side) -> Made:
    """A job beside its repository in one folder, so that a level on the folder covers both."""
    folder = a_folder(side.admin)
    made = a_job(side.admin, parent=folder)
    return {"thing": folder, "job": made}


def run(side: Side) -> Made:
    made = job(side)
    return {**made, "run": operations.run_job(actor=side.admin, job=made["job"])}


def tried(side: Side) -> Made:
    made = run(side)
    Attempt(run=made["run"], number=1).save()
    return made


def ended(side: Side) -> Made:
    made = run(side)
    lifecycle.enter(made["run"], State.FAILED)
    return made


def place_for_a_job(side: Side) -> Made:
    folder = a_folder(side.admin)
    return {"thing": folder, "repo": a_repo(side.admin, parent=folder)}


def of(route: str, method: str, path: str, setup=job, **more) -> Example:  # type: ignore[no-untyped-def]
    def address(made: Made) -> str:
        return V1 + path.format(job=getattr(made.get("job"), "pk", ""), run=getattr(made.get("run"), "pk", ""))

    return Example(route, method, address, setup=setup, **more)


def new_job(made: Made) -> dict[str, str]:
    return {"name": "new", "parent_id": str(made["thing"].pk), "source_id": str(made["repo"].pk), "script": "train.py"}


BEAT = {"protocol": 1}
LOG = {"protocol": 1, "offset": 0, "content": "eA=="}
FINISH = {"protocol": 1, "exit_code": 0}

EXAMPLES = [
    of("job-list", "GET", "/jobs", filtered=True),
    of("job-list", "POST", "/jobs", setup=place_for_a_job, needs=EDIT, body=new_job, ok=201),
    of("job-detail", "GET", "/jobs/{job}", needs=VIEW),
    of("job-detail", "PATCH", "/jobs/{job}", needs=EDIT, body=lambda made: {"max_retries": 2}),
    of("job-run", "POST", "/jobs/{job}/run", needs=USE, body=lambda made: {}, ok=201),
    of("job-run-list", "GET", "/job-runs", setup=run, filtered=True),
    of("job-run-detail", "GET", "/job-runs/{run}", setup=run, needs=VIEW),
    of("job-run-attempts", "GET", "/job-runs/{run}/attempts", setup=tried, needs=VIEW),
    of("job-run-log", "GET", "/job-runs/{run}/log", setup=tried, needs=VIEW),
    of("job-run-receipt", "GET", "/job-runs/{run}/receipt", setup=run, needs=VIEW),
    of("job-run-cancel", "POST", "/job-runs/{run}/cancel", setup=run, needs=USE),
    of("job-run-retry", "POST", "/job-runs/{run}/retry", setup=ended, needs=USE),
    of("guest-context", "GET", "/guest/context", setup=tried, ok=403),
    of("guest-log", "POST", "/guest/log", setup=tried, body=lambda made: LOG, ok=403),
    of("guest-heartbeat", "POST", "/guest/heartbeat", setup=tried, body=lambda made: BEAT, ok=403),
    of("guest-finish", "POST", "/guest/finish", setup=tried, body=lambda made: FINISH, ok=403),
]
