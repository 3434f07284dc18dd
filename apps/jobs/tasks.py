"""Messages about job runs: each names a run to look at, and may come never, twice or late."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import connection

from apps.access.tasks import stepped_task, upkeep_task
from apps.jobs import driver
from apps.jobs.models import Queue

UPKEEP = {"jobs.sweep": 5}


@stepped_task(queue="train")
def drive_training(open_scope: driver.OpenScope, run_id: str) -> None:
    """Drive a run of the queue `train` for one step."""
    _step(drive_training, open_scope, run_id)


@stepped_task(queue="score")
def drive_scoring(open_scope: driver.OpenScope, run_id: str) -> None:
    """Drive a run of the queue `score` for one step."""
    _step(drive_scoring, open_scope, run_id)


def drive_of(queue: str) -> Any:
    """The task that drives runs of a queue."""
    return {Queue.TRAIN: drive_training, Queue.SCORE: drive_scoring}[Queue(queue)]


def _step(task: Any, open_scope: driver.OpenScope, run_id: str) -> None:
    more = driver.drive(open_scope, run_id)
    if more:
        with open_scope() as actor:
            workspace_id = str(actor.workspace.pk)
        task.delay(workspace_id, run_id)
    else:
        sweep.delay()  # a slot may be free


@upkeep_task()
def sweep() -> int:
    """Send word of every run that nobody drives and that is due, oldest first and workspaces in turn; how many."""
    with connection.cursor() as cursor:
        cursor.execute("select workspace_id, run_id, queue from jobs_send_due(%s)", [settings.BOATHOUSE_JOB_SLOTS])
        rows = cursor.fetchall()
    for workspace_id, run_id, queue in rows:
        drive_of(queue).delay(str(workspace_id), str(run_id))
    return len(rows)
