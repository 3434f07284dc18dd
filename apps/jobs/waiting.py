"""Why a run is not running yet, in one sentence."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db import connection

from apps.foundation.clock import now
from apps.jobs import workers
from apps.jobs.lifecycle import State
from apps.jobs.models import Attempt, JobRun


def why(runs: Iterable[JobRun]) -> dict[Any, str]:
    """For each run that is queued or starting: what it waits for. The runs are ones that the caller may view."""
    queued = [run for run in runs if run.state == State.QUEUED]
    starting = [run for run in runs if run.state == State.STARTING]
    return {**(_queued(queued) if queued else {}), **(_starting(starting) if starting else {})}


def _queued(runs: list[JobRun]) -> dict[Any, str]:
    with connection.cursor() as cursor:
        cursor.execute("select run_id, ahead from jobs_waiting()")
        ahead = dict(cursor.fetchall())
    taken, slots, driven, at = workers.slots_taken(), settings.BOATHOUSE_JOB_SLOTS, workers.drives_runs(), now()
    found = {}
    for run in runs:
        before = ahead.get(run.pk, 0)
        if run.due_at > at:
            seconds = max(1, round((run.due_at - at).total_seconds()))
            found[run.pk] = f"tries again in {seconds} s"
        elif driven is False:
            found[run.pk] = "no worker is alive to take it; an admin sees more under Workers"
        elif taken >= slots:
            queue = f", {before} {'run is' if before == 1 else 'runs are'} before it" if before else ", it is next"
            found[run.pk] = f"{taken} of {slots} slots are busy{queue}"
        elif before:
            found[run.pk] = f"{before} {'run is' if before == 1 else 'runs are'} before it"
        else:
            found[run.pk] = "a worker is about to take it"
    return found


def _starting(runs: list[JobRun]) -> dict[Any, str]:
    attempts = Attempt.objects.filter(run__in=runs, state=State.STARTING)
    return {attempt.run_id: phase_of(attempt) for attempt in attempts}


def phase_of(attempt: Attempt) -> str:
    """What an attempt that starts is doing now."""
    if attempt.ready_at:
        return "starting its process"
    if attempt.environment_at:
        return "building its environment"
    return "fetching its code"
