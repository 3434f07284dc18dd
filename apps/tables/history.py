"""What pages show of a table's versions and columns: marks of a time line, effects in words, facts from statistics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import sqrt
from typing import Any

from apps.tables import delta
from apps.tables.computations import is_number
from apps.tables.models import ColumnNote, Table, TableVersion
from apps.tables.statistics import ColumnStatistics
from apps.tables.types import describe

Kind = TableVersion.Kind
WINDOW = 30
# kind: (class of the mark, icon, tone of the icon)
LOOKS = {
    Kind.CREATE: ("add", "plus", "ok"), Kind.APPEND: ("add", "plus", "ok"), Kind.OVERWRITE: ("chg", "pencil", "accent"),
    Kind.RESTORE: ("chg", "history", "accent"), Kind.ADD_COLUMNS: ("schema", "columns-3", "wait"),
    Kind.COMPACT: ("sys", "settings-2", "subtle"), Kind.OTHER: ("sys", "settings-2", "subtle"),
}  # fmt: skip


@dataclass(frozen=True)
class ColumnRow:
    """A column of a version: what the log, the statistics and people say of it."""

    name: str
    type: str
    nulls: int | None
    share: float | None
    low: Any
    high: Any
    found: ColumnStatistics | None
    note: ColumnNote | None
    is_key: bool
    since: int | None
    meter: int = 0

    @property
    def family(self) -> str:
        """What the icon says: number, text, time, truth or other."""
        if is_number(self.type):
            return "number"
        if self.type.startswith(("timestamp", "date")):
            return "time"
        return {"string": "text", "boolean": "truth"}.get(self.type, "other")

    @property
    def color(self) -> str:
        """The ink of its distribution."""
        return {"number": "c1", "time": "c3"}.get(self.family, "c4")

    @property
    def true_share(self) -> float | None:
        """Of the values of a yes-or-no column, how many are yes."""
        counts = dict(self.found.top) if self.found else {}
        total = sum(counts.values())
        return counts.get("true", 0) / total if total else None


@dataclass(frozen=True)
class Mark:
    """One version on the time line: the bar's height is the rows after it, the dot's size the rows that changed."""

    version: TableVersion
    place: int
    share: int
    size: float
    look: str
    kept_by: list[Any] = field(default_factory=list)
    shift: int = 50


@dataclass(frozen=True)
class Track:
    """A window on the versions of a table, oldest first."""

    marks: list[Mark]
    older: int | None
    newer: int | None

    @property
    def count(self) -> int:
        """How many marks it has."""
        return len(self.marks)

    def place_of(self, number: int) -> int:
        """Where a version is, or the nearest end."""
        if not self.marks:
            return 0
        return max(0, min(number - self.marks[0].version.version, self.count - 1))


def column_rows(
    table: Table, version: TableVersion, found: Mapping[str, ColumnStatistics], notes: Mapping[str, ColumnNote]
) -> list[ColumnRow]:
    """The columns of a version."""
    state = delta.snapshot(table.root, version.version)
    since = _first_versions(table, version)
    rows = []
    for column in describe(state.schema):
        name, told = str(column["name"]), found.get(str(column["name"]))
        nulls = told.nulls if told else _sum(file.nulls.get(name) for file in state.measured_files)
        lows = [file.low[name] for file in state.measured_files if file.low.get(name) is not None]
        highs = [file.high[name] for file in state.measured_files if file.high.get(name) is not None]
        rows.append(
            ColumnRow(
                name, str(column["type"]), nulls, nulls / state.rows if nulls is not None and state.rows else None,
                _edge(min, lows), _edge(max, highs), told, notes.get(name.lower()), name in table.key_columns, since.get(name),
            )
        )  # fmt: skip
    worst = max((row.share or 0 for row in rows), default=0)
    return [replace(row, meter=round(100 * row.share / worst)) if row.share else row for row in rows]


def track(table: Table, upto: int | None = None, kept: Mapping[int, list[Any]] | None = None) -> Track:
    """The marks of up to thirty versions that end with `upto`."""
    last = table.version if upto is None else max(min(upto, table.version), min(WINDOW - 1, table.version))
    versions = list(table.versions.filter(version__lte=last, version__gt=last - WINDOW).order_by("version"))
    before = table.versions.filter(version=last - WINDOW).first()
    top = max((version.rows for version in versions), default=0) or 1
    marks, rows = [], before.rows if before else 0
    for place, version in enumerate(versions):
        touched = version.rows_added if version.kind == Kind.APPEND else abs(version.rows - rows)
        if version.kind == Kind.OVERWRITE:
            touched = max(touched, version.rows)
        rows = version.rows
        size = 0.35 + 0.5 * sqrt(touched / top)
        share = round(100 * version.rows / top)
        marks.append(
            Mark(
                version,
                place,
                share,
                round(min(size, 0.85), 2),
                LOOKS[Kind(version.kind)][0],
                (kept or {}).get(version.version, []),
                round(15 + 70 * place / max(1, len(versions) - 1)),
            )
        )
    first = versions[0].version if versions else 0
    newer = min(last + WINDOW, table.version) if last < table.version else None
    return Track(marks, first - 1 if first > 0 else None, newer)


def effect(version: TableVersion) -> str:
    """What a version did, in a few words."""
    if version.kind == Kind.ADD_COLUMNS:
        return "columns"
    if version.kind == Kind.OVERWRITE:
        return f"all {version.rows:,} rows"
    if version.kind == Kind.RESTORE:
        return f"as v{version.details.get('restored', '?')}"
    return f"+{version.rows_added:,}" if version.rows_added else "0 rows"


def moments(versions: Sequence[TableVersion]) -> dict[int, datetime]:
    """When each version was committed."""
    return {version.version: version.committed_at for version in versions}


def _first_versions(table: Table, version: TableVersion) -> dict[str, int]:
    """Since which version each column is there without a break, for those that came after the first."""
    shaping = [Kind.CREATE, Kind.ADD_COLUMNS, Kind.OVERWRITE, Kind.RESTORE]
    shaped = table.versions.filter(version__lte=version.version, kind__in=shaping).order_by("-version")[:100]
    names = [(row.version, {str(column["name"]) for column in row.columns}) for row in shaped]
    since: dict[str, int] = {}
    for column in version.columns:
        name = str(column["name"])
        here = version.version
        for number, have in names:
            if name not in have:
                since[name] = here
                break
            here = number
    return since


def _sum(counts: Iterable[int | None]) -> int | None:
    known = list(counts)
    return None if any(count is None for count in known) else sum(count for count in known if count is not None)


def _edge(choose: Any, values: list[Any]) -> Any:
    try:
        return choose(values) if values else None
    except TypeError:
        return None
