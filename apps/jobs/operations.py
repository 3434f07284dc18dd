"""What people can do with jobs. Renaming, moving, sharing and the trash are access's, as for every resource."""

from __future__ import annotations

from typing import Any

from apps.access import audit
from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.operation import operation
from apps.access.policy import authorise
from apps.access.resources import create_resource, touch
from apps.access.tasks import after_commit
from apps.foundation.clock import now
from apps.foundation.errors import Conflict, Invalid
from apps.jobs import lifecycle, parameters
from apps.jobs.lifecycle import State
from apps.jobs.models import Job, JobRun
from apps.jobs.sources import live, source_of

SETTINGS = ("ref", "script", "parameters", "environment", "queue", "timeout_seconds", "max_retries", "memory_mb")
_SCRIPT_ENDS = (".py",)


@operation(needs=Level.EDIT, on="parent", open_to_makers=True)
def create_job(
    *,
    actor: Actor,
    parent: Resource,
    name: str,
    source: Resource,
    script: str,
    description: str = "",
    settings: dict[str, Any] | None = None,
) -> Job:
    """Make a job that runs a script of a repository."""
    resource = create_resource(actor, kind="job", name=name, parent=parent, description=description)
    job = Job(resource=resource, source=source, script=script, **(settings or {}))
    _check(actor, job)
    job.save(force_insert=True)
    audit.record(actor, "jobs.create_job", job, after=_shown(job))
    return job


@operation(needs=Level.EDIT, on="job")
def update_job(*, actor: Actor, job: Job, settings: dict[str, Any], source: Resource | None = None) -> Job:
    """Change what a job runs and how; runs that were asked for before stay as they were."""
    before = _shown(job)
    if source is not None:
        job.source = source
    for name, value in settings.items():
        setattr(job, name, value)
    _check(actor, job)
    job.save(update_fields=["source", *SETTINGS])
    touch(job.resource)
    audit.record(actor, "jobs.update_job", job, before=before, after=_shown(job))
    return job


@operation(needs=Level.USE, on="job")
def run_job(
    *, actor: Actor, job: Job, parameters: dict[str, Any] | None = None, ref: str = "", note: str = ""
) -> JobRun:
    """Queue a run of a job as the actor, at the commit where its ref stands now; `note` says why."""
    if actor.user is None:
        raise Conflict("A job runs as somebody: the installation itself cannot run one.")
    values = _filled(job, parameters or {})
    source = source_of(job.source)
    authorise(actor, Level.VIEW, live(job.source))
    wanted = ref or job.ref
    commit = source.resolve(job.source, wanted)
    if source.read(job.source, commit, job.script) is None:
        raise Invalid(f"There is no {job.script} at {commit[:7]}.", fields={"script": "Not in this commit."})
    last = JobRun.objects.filter(job=job).order_by("-number").values_list("number", flat=True).first() or 0
    run = JobRun(
        job=job, number=last + 1, note=note[:500], user=actor.user, scopes=list(actor.scopes), source=job.source, ref=wanted, commit=commit,
        script=job.script, parameters=values, environment=job.environment, queue=job.queue, sent_at=now(),
        timeout_seconds=job.timeout_seconds, max_retries=job.max_retries, memory_mb=job.memory_mb,
    )  # fmt: skip
    run.save(force_insert=True)
    job.newest_run = run
    job.save(update_fields=["newest_run"])
    touch(job.resource)
    after = {"number": run.number, "commit": commit, "parameters": values, "note": run.note}
    audit.record(actor, "jobs.run_job", run, after=after)
    source.keep(job.source, commit)
    _drive(run)
    return run


@operation(needs=Level.USE, on="run")
def cancel_run(*, actor: Actor, run: JobRun) -> JobRun:
    """Stop a run: politely, after some seconds by force. What it wrote until then stays."""
    if run.is_final or run.state == State.CANCELING:
        raise Conflict(f"This run is {run.state} already.")
    before = run.state
    lifecycle.enter(run, State.CANCELED if run.state == State.QUEUED else State.CANCELING, f"canceled by {actor.label}")
    attempt = run.attempts.filter(state__in=(State.STARTING, State.RUNNING)).select_for_update(no_key=True).first()
    if attempt is not None:
        lifecycle.enter(attempt, State.CANCELING, f"canceled by {actor.label}")
        _drive(run)
    audit.record(actor, "jobs.cancel_run", run, before={"state": before}, after={"state": run.state})
    return run


@operation(needs=Level.USE, on="run")
def retry_run(*, actor: Actor, run: JobRun) -> JobRun:
    """Try a run that did not succeed once more, the same commit and parameters, as the actor."""
    if actor.user is None or run.state not in (State.FAILED, State.CANCELED, State.LOST):
        raise Conflict(f"Only a run that failed, was canceled or got lost can be tried again; this one is {run.state}.")
    source_of(run.source)
    authorise(actor, Level.VIEW, live(run.source))
    before = run.state
    lifecycle.enter(run, State.QUEUED)
    run.user, run.scopes, run.due_at, run.sent_at = actor.user, list(actor.scopes), now(), now()
    run.save(update_fields=["user", "scopes", "due_at", "sent_at"])
    audit.record(actor, "jobs.retry_run", run, before={"state": before}, after={"state": run.state})
    _drive(run)
    return run


def _filled(job: Job, given: dict[str, Any]) -> dict[str, Any]:
    return parameters.fill(job.parameters, given)


def _check(actor: Actor, job: Job) -> None:
    authorise(actor, Level.VIEW, live(job.source))  # type: ignore[arg-type]
    source_of(job.source)
    parameters.check_declared(job.parameters)
    if not job.script.endswith(_SCRIPT_ENDS) or job.script.startswith(("/", "-")) or ".." in job.script.split("/"):
        raise Invalid(fields={"script": "The path of a Python script inside the repository, such as train.py."})


def _shown(job: Job) -> dict[str, Any]:
    return {"source": job.source.path if job.source else None, **{name: getattr(job, name) for name in SETTINGS}}


def _drive(run: JobRun) -> None:
    from apps.jobs.tasks import drive_of  # tasks import the driver, which stands on these operations

    after_commit(drive_of(run.queue), run.workspace_id, run.pk)
