"""Cells of the run table, ready to be printed: each value with its place in the visible range, the best ones marked."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.experiments.columns import Column
from apps.experiments.table import TableRow, finite
from apps.lineage.nodes import address_of

INKS = ("c1", "c3", "c2", "c4")
TREND_INK = "fg-subtle"


@dataclass(frozen=True)
class Figures:
    """The visible range of a numeric column; `best` is the best visible value, `crown` the run that is the best of all."""

    low: float
    high: float
    way: int = 0
    best: float | None = None
    crown: uuid.UUID | None = None
    ink: str = "c1"


@dataclass(frozen=True)
class Cell:
    """One cell: how it is printed (`kind`), its value, and for numbers the share of the visible range in percent."""

    kind: str
    value: Any = None
    share: int = 0
    best: bool = False
    crown: bool = False
    ink: str = ""
    first: bool = False
    extra: Any = None


def figures_of(
    rows: Sequence[TableRow],
    columns: Sequence[Column],
    ways: Mapping[str, int],
    best: Mapping[str, tuple[float, uuid.UUID, str]],
    told: Mapping[str, str] | None = None,
) -> dict[str, Figures]:
    """The ranges of the numeric columns, from the visible rows or as `told` by an earlier page (`low.<id>`, `high.<id>`)."""
    found: dict[str, Figures] = {}
    drawn = 0
    for column in columns:
        if column.group == "params":
            values = [row.values.get(column.id) for row in rows]
            if any(values) and all(value is None or _is_number(value) for value in values):
                found[column.id] = Figures(0, 0)
        if column.group != "metrics" or column.trend:
            continue
        numbers = finite(row.values.get(column.id) for row in rows)
        low, high = (min(numbers), max(numbers)) if numbers else (0.0, 0.0)
        if told is not None:
            low, high = _told(told, f"low.{column.id}", low), _told(told, f"high.{column.id}", high)
        way = ways.get(column.key, 0)
        top = (low if way < 0 else high) if way and (len(numbers) > 1 or told is not None) else None
        crown = best[column.key][1] if column.key in best else None
        found[column.id] = Figures(low, high, way, top, crown, INKS[drawn % len(INKS)])
        drawn += 1
    return found


def _told(told: Mapping[str, str], name: str, default: float) -> float:
    try:
        value = float(told.get(name, ""))
    except ValueError:
        return default
    return value if math.isfinite(value) else default


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def cells_of(row: TableRow, columns: Sequence[Column], figures: Mapping[str, Figures], workspace: str) -> list[Cell]:
    """The cells of one row."""
    found = []
    group = "run"
    for column in columns:
        first, group = column.group != group, column.group
        found.append(_cell(row, column, figures, workspace, first))
    return found


def _cell(row: TableRow, column: Column, figures: Mapping[str, Figures], workspace: str, first: bool) -> Cell:
    value = row.values.get(column.id)
    if column.group == "run":
        if column.id == "data":
            shown = [
                (reading, address_of(workspace, reading.kind, reading.key, reading.version, reading.resource_id))
                for reading in value or []
                if not reading.redacted
            ]
            return Cell("data", shown[:2], extra=max(0, len(value or []) - 2))
        return Cell(column.id if column.id in ("status", "created", "duration", "user", "commit") else "text", value)
    if column.trend:
        return Cell("trend", value, first=first, ink=TREND_INK)
    if column.group == "metrics":
        if value is None:
            return Cell("none", first=first, extra=row.status in ("FAILED", "KILLED"))
        known = figures[column.id]
        if not math.isfinite(value) or known.high <= known.low:
            return Cell("number", value, first=first, best=value == known.best, crown=known.crown == row.uuid)
        share = (value - known.low) / (known.high - known.low)
        # A longer bar is a better run where the direction is known, as in every other ranking.
        share = round(100 * (1 - share if known.way < 0 else share))
        return Cell(
            "bar", value, max(4, min(100, share)), value == known.best, known.crown == row.uuid, known.ink, first
        )
    return Cell("number" if column.id in figures else "mono", value, first=first)
