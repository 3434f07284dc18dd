"""Figures of a table's versions and columns, for pages: what statistics say without reading a row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from apps.tables import delta
from apps.tables.models import Table, TableVersion
from apps.tables.types import describe


@dataclass(frozen=True)
class ColumnFacts:
    """A column of a version: name, type, missing values, smallest and largest, where the files say so."""

    name: str
    type: str
    nulls: int | None
    low: Any
    high: Any
    share: float | None

    @property
    def family(self) -> str:
        """What the icon says: number, text, time, truth or other."""
        kind = self.type.split("(")[0]
        if kind in ("long", "integer", "short", "byte", "double", "float", "decimal"):
            return "number"
        if kind.startswith(("timestamp", "date")):
            return "time"
        return {"string": "text", "boolean": "truth"}.get(kind, "other")


@dataclass(frozen=True)
class Mark:
    """One version on the time line: its height is the rows of the table after it."""

    version: TableVersion
    share: int
    look: str


LOOKS = {"create": "add", "append": "add", "overwrite": "chg", "restore": "chg", "add_columns": "schema"}


def column_facts(table: Table, version: int) -> list[ColumnFacts]:
    """The columns of a version with what its files' statistics tell."""
    state = delta.snapshot(table.root, version)
    facts = []
    for column in describe(state.schema):
        name = str(column["name"])
        nulls = _sum(file.nulls.get(name) for file in state.measured_files)
        lows = [file.low[name] for file in state.measured_files if file.low.get(name) is not None]
        highs = [file.high[name] for file in state.measured_files if file.high.get(name) is not None]
        share = nulls / state.rows if nulls is not None and state.rows else None
        facts.append(ColumnFacts(name, str(column["type"]), nulls, _edge(min, lows), _edge(max, highs), share))
    return facts


def marks(versions: Sequence[TableVersion]) -> list[Mark]:
    """Versions, oldest first, as marks of a time line."""
    top = max((version.rows for version in versions), default=0) or 1
    return [Mark(v, round(100 * v.rows / top), LOOKS.get(v.kind, "sys")) for v in versions]


def _sum(counts: Iterable[int | None]) -> int | None:
    known = list(counts)
    return None if any(count is None for count in known) else sum(count for count in known if count is not None)


def _edge(choose: Any, values: list[Any]) -> Any:
    try:
        return choose(values) if values else None
    except TypeError:
        return None
