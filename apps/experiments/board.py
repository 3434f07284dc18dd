"""Runs with everything logged to them, side by side: rows, what differs between them, how a number compares. Pure."""

from __future__ import annotations

import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

HIDDEN_TAGS = ("mlflow.", "boathouse.")
EQUAL_SHARE = 1e-12


@dataclass
class RunRow:
    """One run with its metrics, params and tags."""

    uuid: uuid.UUID
    name: str
    user: str
    status: str
    started_at: datetime
    seconds: float | None
    metrics: dict[str, float]
    params: dict[str, str]
    tags: dict[str, str]

    @property
    def hex(self) -> str:
        """The id that clients know."""
        return self.uuid.hex

    @property
    def commit(self) -> str:
        """The commit that it says it ran."""
        return self.tags.get("mlflow.source.git.commit", "")


@dataclass(frozen=True)
class Cell:
    """A value beside the baseline's: whether it differs, and for numbers by how much and whether that is good (1), bad (-1) or unknown (0)."""

    value: Any
    differs: bool = False
    delta: float | None = None
    good: int = 0


@dataclass(frozen=True)
class Difference:
    """A parameter, metric or tag of several runs side by side, the baseline first."""

    key: str
    cells: list[Cell]
    differs: bool


def differences(rows: Sequence[RunRow], part: str, ways: dict[str, int] | None = None) -> list[Difference]:
    """The `params`, `metrics` or `tags` of runs against the first one's, what differs first."""
    keys: dict[str, None] = {}
    for row in rows:
        keys.update(dict.fromkeys(getattr(row, part)))
    found = []
    for key in keys:
        if part == "tags" and key.startswith(HIDDEN_TAGS):
            continue
        values = [getattr(row, part).get(key) for row in rows]
        cells = [beside(value, values[0], (ways or {}).get(key, 0)) for value in values]
        found.append(Difference(key, cells, any(cell.differs for cell in cells)))
    return sorted(found, key=lambda item: (not item.differs, item.key))


def beside(value: Any, base: Any, way: int = 0) -> Cell:
    """A value beside the baseline's."""
    if isinstance(value, float) and isinstance(base, float):
        if not (math.isfinite(value) and math.isfinite(base)):
            return Cell(value, str(value) != str(base))
        delta = value - base
        if abs(delta) <= EQUAL_SHARE * max(abs(value), abs(base)):
            return Cell(value, False, 0.0)
        return Cell(value, True, delta, (1 if delta * way > 0 else -1) if way else 0)
    return Cell(value, value != base)
