"""Today by the hour: which job ran when, the busiest jobs first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from apps.access.actor import Actor
from apps.access.policy import visible
from apps.foundation.clock import now
from apps.foundation.templatetags.figures import duration
from apps.jobs.lifecycle import FINAL, State
from apps.jobs.models import JobRun

ROWS = 5
RUNS = 500
_LOOK = {State.FAILED: "bad", State.LOST: "bad", State.CANCELED: "plan", State.QUEUED: "plan"}


@dataclass(frozen=True)
class Bar:
    """A run in the day: begins at `hour`, lasts `hours`, looks as it ended."""

    run: JobRun
    hour: float
    hours: float
    look: str

    @property
    def title(self) -> str:
        """The run in words."""
        words = f"{self.run}, {self.run.get_state_display().lower()}"  # type: ignore[attr-defined]
        if self.run.started_at and self.run.seconds is not None:
            words += f", {self.run.started_at:%H:%M}, took {duration(self.run.seconds)}"
        return words


@dataclass(frozen=True)
class Day:
    """The day so far: a row per job, the last one for all others; `left_out` runs are too many to draw."""

    hour: float
    rows: list[tuple[str, list[Bar]]]
    left_out: int

    @property
    def clock(self) -> str:
        """The time of day now."""
        minutes = int(self.hour * 60)
        return f"{minutes // 60:02}:{minutes % 60:02}"


def today(actor: Actor) -> Day | None:
    """The runs of today (UTC) that the actor may view; None when there are none."""
    at = now()
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    runs = visible(JobRun, actor).filter(Q(ended_at__gte=midnight) | ~Q(state__in=FINAL))
    runs = runs.filter(created_at__gte=midnight - timedelta(days=8))  # longer than the longest time limit
    shown = list(runs.select_related("job__resource").order_by("-created_at", "-id")[:RUNS])
    if not shown:
        return None
    left_out = runs.count() - len(shown) if len(shown) == RUNS else 0
    bars: dict[str, list[Bar]] = {}
    for run in reversed(shown):
        bars.setdefault(run.job.resource.name, []).append(_bar(run, midnight, at))
    busiest = sorted(bars.items(), key=lambda row: (-len(row[1]), row[0]))
    rows, others = busiest[:ROWS], busiest[ROWS:]
    if others:
        rows.append((f"{len(others)} other" + "s" * (len(others) > 1), [bar for _, row in others for bar in row]))
    return Day(_hours(at - midnight), rows, left_out)


def _bar(run: JobRun, midnight: datetime, at: datetime) -> Bar:
    begun = max(midnight, run.started_at or run.ended_at or run.created_at)
    ended = max(begun, run.ended_at or at)
    look = _LOOK.get(State(run.state), "ok" if run.is_final else "run")
    return Bar(run, _hours(begun - midnight), _hours(ended - begun), look)


def _hours(time: timedelta) -> float:
    return round(time.total_seconds() / 3600, 4)
