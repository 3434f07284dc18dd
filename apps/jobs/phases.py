"""The phases of an attempt in time: queued, code, environment, launch, running, finish. Pure over a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from apps.foundation.clock import now
from apps.jobs.lifecycle import State
from apps.jobs.models import Attempt, JobRun

# (name, the field that says when it began, what happens in it)
STEPS = (
    ("queued", "due_at", "waits for a slot and a worker"),
    ("code", "started_at", "the commit is fetched"),
    ("environment", "environment_at", "its packages are installed, or found ready"),
    ("launch", "ready_at", "its process is started"),
    ("running", "launched_at", "the script runs"),
    ("finish", "exited_at", "what it left is taken over"),
)


@dataclass(frozen=True)
class Phase:
    """One phase: `state` is done, running, failed, canceled or waiting; moments are None for one that has not begun."""

    name: str
    meaning: str
    state: str
    began_at: datetime | None
    ended_at: datetime | None

    @property
    def seconds(self) -> float | None:
        """How long it took, or takes so far."""
        return ((self.ended_at or now()) - self.began_at).total_seconds() if self.began_at else None


@dataclass(frozen=True)
class Row:
    """A phase drawn: begins at `start` percent of the whole time, `share` percent long."""

    label: str
    phase: Phase
    start: float
    share: float


def phases(attempt: Attempt | None, run: JobRun) -> list[Phase]:
    """The phases of an attempt; without one, those of a run that waits for its first."""
    if attempt is None:
        moments: list[datetime | None] = [run.due_at, *([None] * (len(STEPS) - 1))]
        end, state = run.ended_at, run.state
    else:
        moments = [getattr(attempt, field) for _, field, _ in STEPS]
        end, state = attempt.ended_at, attempt.state
    last = max((index for index, moment in enumerate(moments) if moment), default=-1)
    # The script is to blame for its end, although what it left is taken over after that.
    blamed = last - (last == len(STEPS) - 1)
    found = []
    for index, (name, _, meaning) in enumerate(STEPS):
        began = moments[index]
        ended = next((moment for moment in moments[index + 1 :] if moment), end) if began else None
        if index > last:
            look = "waiting"
        elif end is None:
            look = "running" if index == last else "done"
        elif index == blamed and state != State.SUCCEEDED:
            look = "canceled" if state == State.CANCELED else "failed"
        else:
            look = "done"
        found.append(Phase(name, meaning, look, began, ended))
    return found


def timeline(attempts: Sequence[Attempt], run: JobRun) -> tuple[list[Row], float]:
    """A row per phase and attempt that has begun, over the whole time of the run; and that time in seconds."""
    listed = [
        (f"try {attempt.number}, " if len(attempts) > 1 else "", phase)
        for attempt in attempts
        for phase in phases(attempt, run)
    ]
    if run.state == State.QUEUED:
        listed += [(f"try {len(attempts) + 1}, " if attempts else "", phases(None, run)[0])]
    drawn = [(label + phase.name, phase, phase.began_at) for label, phase in listed if phase.began_at]
    if not drawn:
        return [], 0.0
    start = min(began for _, _, began in drawn)
    whole = max(0.001, ((run.ended_at or now()) - start).total_seconds())
    return [
        Row(label, phase, _percent((began - start).total_seconds(), whole), _percent(phase.seconds or 0, whole))
        for label, phase, began in drawn
    ], whole


def _percent(part: float, whole: float) -> float:
    return round(max(0.0, min(100.0, 100 * part / whole)), 2)
