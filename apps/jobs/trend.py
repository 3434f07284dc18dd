"""How long the last runs of a job took, drawn on the server."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from apps.foundation.templatetags.figures import duration
from apps.jobs.lifecycle import FINAL, State
from apps.jobs.models import Job, JobRun

RUNS = 60
_LOOK = {State.FAILED: "bad", State.LOST: "bad", State.CANCELED: "idle"}


@dataclass(frozen=True)
class Bar:
    """A run: `height` in percent of the longest."""

    run: JobRun
    height: float
    look: str

    @property
    def title(self) -> str:
        """The run in words."""
        state = self.run.get_state_display().lower()  # type: ignore[attr-defined]
        return f"Run #{self.run.number}, {state}, {duration(self.run.seconds)}"


@dataclass(frozen=True)
class Trend:
    """The bars, oldest first; `usual` is where the middle of those that succeeded lies, in seconds and percent."""

    bars: list[Bar]
    longest: float
    usual: float | None
    failed: int

    @property
    def usual_height(self) -> float | None:
        """Where the usual time lies, in percent of the longest."""
        return round(100 * self.usual / self.longest, 1) if self.usual and self.longest else None


def trend(job: Job) -> Trend | None:
    """The durations of the last ended runs; None when there are fewer than two."""
    ended = job.runs.filter(state__in=sorted(FINAL), started_at__isnull=False).order_by("-number")[:RUNS]
    runs = list(ended)[::-1]
    if len(runs) < 2:
        return None
    longest = max(run.seconds or 0.0 for run in runs) or 1.0
    bars = [
        Bar(run, round(max(3, 100 * (run.seconds or 0) / longest), 1), _LOOK.get(State(run.state), "ok"))
        for run in runs
    ]
    good = [run.seconds for run in runs if run.state == State.SUCCEEDED and run.seconds is not None]
    return Trend(bars, longest, statistics.median(good) if good else None, sum(bar.look == "bad" for bar in bars))
