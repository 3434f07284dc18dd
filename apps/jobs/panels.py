"""What jobs shows elsewhere: on the front page runs under way and one's own that failed, in Admin who works and what waits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from apps.foundation.clock import now
from apps.jobs import queries, workers
from apps.jobs.models import JobRun

SHOWN = 5
# A run that takes longer than usual still moves: its bar nears the end and never reaches it.
NEARLY = 95


@dataclass(frozen=True)
class Progress:
    """A run under way: how long it has run, and the share of its usual time, None when that is not known."""

    run: JobRun
    seconds: float
    percent: int | None


def needs(request: HttpRequest) -> Mapping[str, Any] | None:
    """Runs of one's own that failed lately and that no newer one followed."""
    runs = list(queries.list_failed_lately(request.actor)[:SHOWN])  # type: ignore[attr-defined]
    return {"runs": runs, "count": len(runs)} if runs else None


def running(request: HttpRequest) -> Mapping[str, Any] | None:
    """The runs under way; without any, the newest that ended."""
    runs = queries.list_runs(request.actor)  # type: ignore[attr-defined]
    active = list(runs.filter(state__in=queries.ACTIVE).order_by("-created_at")[:SHOWN])
    if not active:
        ended = list(runs.order_by("-created_at")[:SHOWN])
        return {"ended": ended, "count": 0} if ended else None
    jobs = {run.job_id: run.job for run in active}
    usual = {job.pk: queries.usual_seconds(job) for job in jobs.values()}
    return {"active": [_progress(run, usual.get(run.job_id)) for run in active], "count": len(active)}


def running_count(request: HttpRequest) -> int | None:
    """How many runs are under way, for the side bar."""
    return queries.count_active(request.actor) or None  # type: ignore[attr-defined]


def _progress(run: JobRun, usual: float | None) -> Progress:
    seconds = (now() - (run.started_at or run.created_at)).total_seconds()
    share = min(NEARLY, round(100 * seconds / usual)) if usual and run.started_at else None
    return Progress(run, seconds, share)


def usage(request: HttpRequest) -> Mapping[str, Any]:
    """Workers, queues and guests, for Admin."""
    return {"board": workers.board(request.actor)}  # type: ignore[attr-defined]
