"""The states of job runs and their attempts, and every move between them; the only file that assigns `state`."""

from __future__ import annotations

from typing import Any

from django.db import models

from apps.foundation.clock import now
from apps.foundation.errors import Conflict


class State(models.TextChoices):
    """Where a job run or one of its attempts stands."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    CANCELING = "canceling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    LOST = "lost"


FINAL = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELED, State.LOST})
ACTIVE = frozenset({State.STARTING, State.RUNNING, State.CANCELING})

# From a final state only a person's retry leads on. Back to queued otherwise: the next attempt by the job's own retry rule.
MOVES: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.STARTING, State.CANCELED, State.FAILED}),
    State.STARTING: frozenset({State.RUNNING, State.CANCELING, State.QUEUED, *FINAL}),
    State.RUNNING: frozenset({State.CANCELING, State.QUEUED, *FINAL}),
    State.CANCELING: FINAL,
    State.SUCCEEDED: frozenset(),
    State.FAILED: frozenset({State.QUEUED}),
    State.CANCELED: frozenset({State.QUEUED}),
    State.LOST: frozenset({State.QUEUED}),
}


def may(current: str, wanted: str) -> bool:
    """Whether the table has this move."""
    return State(wanted) in MOVES[State(current)]


def enter(row: Any, wanted: State, reason: str = "") -> None:
    """Move a locked run or attempt and save it, with the moments that belong to it. Raises Conflict for a move that is not allowed."""
    if not may(row.state, wanted):
        raise Conflict(f"What is {row.state} cannot become {wanted}.")
    row.state = wanted
    row.reason = reason[:2000]
    if wanted in ACTIVE and row.started_at is None:
        row.started_at = now()
    if wanted is State.QUEUED:
        row.ended_at = None
    if wanted in FINAL:
        row.ended_at = now()
    row.save(update_fields=["state", "reason", "started_at", "ended_at"])
