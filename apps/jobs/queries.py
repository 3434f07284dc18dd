"""Reads of jobs: lists with their last runs, and the receipt of a run."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.db.models import F, OuterRef, Window
from django.db.models.functions import Coalesce, RowNumber

from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.policy import visible
from apps.foundation.clock import now
from apps.foundation.errors import NotFound
from apps.jobs.lifecycle import ACTIVE, FINAL, State
from apps.jobs.models import Attempt, Job, JobRun
from apps.jobs.sources import kinds_of_source

HISTORY = 20


@dataclass(frozen=True)
class History:
    """A job with its newest runs: `bars` are (state, seconds), oldest first; `usual_seconds` is the middle one that succeeded.

    `source` is None when the caller may not know of it; `may_run` says whether they may start it.
    """

    job: Job
    last: JobRun | None
    bars: list[tuple[str, float]]
    usual_seconds: float | None
    source: Resource | None
    may_run: bool

    @property
    def share(self) -> int | None:
        """How far the newest run is in percent of the usual time, while it runs and that is known."""
        if self.last is None or self.last.is_final or not self.usual_seconds or not self.last.seconds:
            return None
        return min(100, round(100 * self.last.seconds / self.usual_seconds))


@dataclass(frozen=True)
class Receipt:
    """What a job run was made of: the proof that a run, table version or model made by it carries."""

    run_id: str
    name: str
    state: str
    source_path: str
    commit: str
    patch: str | None
    script: str
    parameters: dict[str, Any]
    environment_digest: str
    environment_lock: str
    user: str
    log_url: str
    started_at: datetime | None
    ended_at: datetime | None


def list_jobs(actor: Actor) -> models.QuerySet[Job]:
    """The jobs that the actor may view; `last_at` is when the newest run was asked for, or the job made."""
    last_at = Coalesce("newest_run__created_at", "resource__created_at")
    return (
        visible(Job, actor)
        .annotate(last_at=last_at)
        .select_related("resource", "resource__owner", "resource__workspace", "source")
    )


def count_jobs(actor: Actor) -> dict[str, int]:
    """How many jobs the actor may view, how many of them run or fail, and how many are their own."""
    unfinished = ~models.Q(newest_run__state__in=FINAL) & models.Q(newest_run__isnull=False)
    return visible(Job, actor).aggregate(
        all=models.Count("pk"),
        running=models.Count("pk", filter=unfinished),
        failing=models.Count("pk", filter=models.Q(newest_run__state__in=[State.FAILED, State.LOST])),
        mine=models.Count("pk", filter=models.Q(resource__owner=actor.user)),
    )


def list_runs(actor: Actor, job: Job | None = None, state: str = "") -> models.QuerySet[JobRun]:
    """Runs of jobs that the actor may view."""
    runs = visible(JobRun, actor).select_related("job__resource", "user", "source", "environment_used")
    if job is not None:
        runs = runs.filter(job=job)
    return runs.filter(state=state) if state else runs


def with_history(actor: Actor, jobs: Sequence[Job]) -> list[History]:
    """Each job with its newest runs."""
    rank = Window(RowNumber(), partition_by=F("job"), order_by=F("number").desc())
    rows = (
        JobRun.objects.filter(job__in=list(jobs)).annotate(rank=rank).filter(rank__lte=HISTORY).select_related("user")
    )
    runs: dict[Any, list[JobRun]] = {}
    for run in rows.order_by("number"):
        runs.setdefault(run.job_id, []).append(run)
    found = []
    sources = visible(Resource, actor).filter(pk__in={job.source_id for job in jobs if job.source_id}).in_bulk()
    runnable = set(visible(Job, actor, Level.USE).filter(pk__in=list(jobs)).values_list("pk", flat=True))
    for job in jobs:
        own = runs.get(job.pk, [])
        done = [run.seconds for run in own if run.state == State.SUCCEEDED and run.seconds is not None]
        bars = [(run.state, run.seconds or 0.0) for run in own]
        usual = statistics.median(done) if done else None
        source = sources.get(job.source_id) if job.source_id else None
        found.append(History(job, own[-1] if own else None, bars, usual, source, job.pk in runnable))
    return found


def usual_seconds(job: Job) -> float | None:
    """The middle time of the newest runs that succeeded, or None."""
    newest = JobRun.objects.filter(job=job).order_by("-number")[:HISTORY]
    done = [run.seconds for run in newest if run.state == State.SUCCEEDED and run.seconds is not None]
    return statistics.median(done) if done else None


def count_active(actor: Actor) -> int:
    """How many runs that the actor may view are under way."""
    return visible(JobRun, actor).filter(state__in=ACTIVE).count()


def list_failed_lately(actor: Actor, days: int = 7) -> models.QuerySet[JobRun]:
    """The actor's own runs that failed in the last days and that no newer run of the job followed, newest first."""
    newer = JobRun.objects.filter(job=OuterRef("job"), number__gt=OuterRef("number"))
    runs = list_runs(actor).filter(user=actor.user, state__in=[State.FAILED, State.LOST])
    return runs.filter(ended_at__gt=now() - timedelta(days=days)).exclude(models.Exists(newer)).order_by("-ended_at")


def list_sources(actor: Actor) -> models.QuerySet[Resource]:
    """What the actor may take code from."""
    return visible(Resource, actor).filter(kind__in=kinds_of_source()).order_by("path")


def get_attempt(run: JobRun, number: int | None = None) -> Attempt:
    """One attempt of a run, the newest without a number. Raises NotFound."""
    attempts = run.attempts.order_by("-number")
    attempt = attempts.first() if number is None else attempts.filter(number=number).first()
    if attempt is None:
        raise NotFound("This run has no such attempt yet.")
    return attempt


def receipt(job_run_id: Any) -> Receipt:
    """The receipt of a job run. No check: for rooms whose things the run made and whose own check has been done."""
    rows = JobRun.objects.select_related("job__resource", "user", "source", "environment_used")
    run = rows.filter(pk=job_run_id).first()
    if run is None:
        raise NotFound
    used = run.environment_used
    return Receipt(
        run_id=str(run.pk),
        name=str(run),
        state=run.state,
        source_path=run.source.path if run.source else "",
        commit=run.commit,
        patch=None,  # a job always runs a commit as it is
        script=run.script,
        parameters=run.parameters,
        environment_digest=used.digest if used else "",
        environment_lock=used.lock if used else "",
        user=run.user.label if run.user else "",
        log_url=f"/api/v1/job-runs/{run.pk}/log",
        started_at=run.started_at,
        ended_at=run.ended_at,
    )


def context(attempt: Attempt) -> dict[str, Any]:
    """What a guest may know of its run."""
    run = attempt.run
    return {
        "protocol": 1,
        "job_run_id": str(run.pk),
        "job": run.job.resource.path,
        "number": run.number,
        "attempt": attempt.number,
        "workspace": run.job.resource.workspace.name,
        "commit": run.commit,
        "script": run.script,
        "parameters": run.parameters,
    }
