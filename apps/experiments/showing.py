"""A run as people and our API see it: plain values read from its summary."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


@dataclass(frozen=True)
class ShownRun:
    """One run with everything logged, by key. `metrics` holds (value, step, timestamp) of the latest points."""

    run_id: str
    name: str
    experiment: str
    user: str
    status: str
    started_at: int
    ended_at: int | None
    deleted: bool
    latest: dict[str, tuple[float, int, int]] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)

    @property
    def metrics(self) -> dict[str, float | str]:
        """The latest value of each metric; what JSON has no number for is its word."""
        return {key: value if math.isfinite(value) else word(value) for key, (value, _, _) in self.latest.items()}

    @property
    def seconds(self) -> float | None:
        """How long it took, when it ended."""
        return None if self.ended_at is None else max(0, self.ended_at - self.started_at) / 1000


def moment(millis: int) -> datetime:
    """A moment of a client's clock; the edge of time for what lies beyond it."""
    try:
        return datetime.fromtimestamp(millis / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return datetime.max.replace(tzinfo=UTC) if millis > 0 else datetime.min.replace(tzinfo=UTC)


def word(value: float) -> str:
    """`NaN`, `Infinity` or `-Infinity`."""
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def show(row: tuple[Any, ...], trashed: bool = False) -> ShownRun:
    """The run of a row of the finder or of `read_run` (without code, detail and location)."""
    key, number, name, user, status, start, end, gone, metrics, params, tags, inputs, outputs = row
    points = orjson.loads(f"[{metrics}]")
    return ShownRun(
        run_id=key.hex,
        name=name,
        experiment=str(number),
        user=user,
        status=status,
        started_at=start,
        ended_at=end,
        deleted=gone or trashed,
        latest={p["key"]: (_WORDS.get(p["value"], p["value"]), p["step"], p["timestamp"]) for p in points},
        params={p["key"]: p["value"] for p in orjson.loads(f"[{params}]")},
        tags={p["key"]: p["value"] for p in orjson.loads(f"[{tags}]")},
        inputs=orjson.loads(inputs or "{}"),
        outputs=orjson.loads(outputs or "{}"),
    )
