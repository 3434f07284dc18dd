"""Statistics of every column of a version, from every row: missing, distinct, smallest, largest, mean, distribution, most frequent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from apps.tables import computations, delta
from apps.tables.computations import is_number, is_plain
from apps.tables.models import Computation, Table
from apps.tables.sql import Statement, quoted
from apps.tables.types import describe

BINS = 24
BARS = 32
TOP = 12
TEXT = 60


@dataclass(frozen=True)
class ColumnStatistics:
    """What is known of one column of a version. Values are text as the engine writes them; `bars` are counts in order."""

    name: str
    type: str
    rows: int
    nulls: int
    distinct: int | None = None
    low: str | None = None
    high: str | None = None
    mean: float | None = None
    deviation: float | None = None
    median: float | None = None
    bars: list[int] = field(default_factory=list)
    top: list[tuple[str, int]] = field(default_factory=list)
    not_finite: int = 0

    @property
    def share_missing(self) -> float:
        """Of the rows, how many have no value."""
        return self.nulls / self.rows if self.rows else 0.0

    @property
    def is_unique(self) -> bool:
        """Whether the column tells every row from every other."""
        return self.rows > 0 and self.nulls == 0 and self.distinct == self.rows


def ask(table: Table, version: int) -> Computation:
    """The computation of a version's statistics."""
    return computations.ask(table, Computation.Kind.STATISTICS, {"version": version})


def columns_of(found: Computation) -> dict[str, ColumnStatistics]:
    """What was found, by column."""
    made = {}
    for item in found.result.get("columns", []):
        made[item["name"]] = ColumnStatistics(**{**item, "top": [(text, count) for text, count in item["top"]]})
    return made


@computations.plans(Computation.Kind.STATISTICS)
def plan(mine: Computation) -> computations.Plan:
    """One statement for each column, all from the counts of its values."""
    root, number = mine.table.root, computations.version_of(mine.table, mine.wish["version"]).version
    state = delta.snapshot(root, number)
    columns = [(str(item["name"]), str(item["type"])) for item in describe(state.schema)]
    view = computations.view("t", root, state.schema, state.files)
    statements = [Statement(_question(name, kind)) for name, kind in columns]

    def read(answers: list[list[list[Any]]]) -> dict[str, Any]:
        pairs = zip(columns, answers, strict=True)
        return {"columns": [_column(name, kind, state.rows, rows[0]) for (name, kind), rows in pairs]}

    return computations.Plan([view], statements, read)


def _question(name: str, kind: str) -> str:
    column = quoted(name)
    if not is_plain(kind) or kind == "binary":
        return f"select count(*) - count({column}) from t"
    counted = f"with g as materialized (select {column} as v, count(*) as n from t group by 1)"
    sums = "coalesce(sum(n) filter (v is null), 0)::bigint as nulls, count(v) as many, min(v) as low, max(v) as high"
    place = _number_of(kind)
    if place is None:
        return (
            f"{counted}, s as (select {sums} from g), w as (select v, n from g where v is not null order by n desc, v limit {BARS})"
            f" select nulls, many, left(low::varchar, {TEXT}), left(high::varchar, {TEXT}), null, null, null, 0,"
            f" {_listed('w', 'n desc, v')}, (select list(n order by n desc, v) from w), null from s"
        )
    # Values that are not finite have no place on a line: they are counted apart.
    finite = "isfinite(v)" if kind in ("double", "float") else "true"
    return (
        f"{counted}, f as (select v, n, {place} as x from g where v is not null and {finite}),"
        f" s as (select coalesce(sum(n) filter (v is null), 0)::bigint as nulls, count(v) as many from g),"
        " m as (select min(v) as low, max(v) as high, min(x) as x0, max(x) as x1, sum(n)::bigint as rows,"
        "   sum(x * n) / sum(n) as mean, sqrt(greatest(0, sum(x * x * n) / sum(n) - (sum(x * n) / sum(n)) ^ 2)) as dev from f),"
        f" w as (select v, n from f order by n desc, v limit {TOP}),"
        " c as (select x, sum(n) over (order by x) as upto from f),"
        # A few far values would squeeze all others into one bar: they stand in the first and the last.
        " e as (select min(x) filter (upto >= m.rows * 0.005) as x0, min(x) filter (upto >= m.rows * 0.995) as x1 from c, m),"
        f" b as (select greatest(0, least(floor((x - e.x0) / nullif(e.x1 - e.x0, 0) * {BINS}), {BINS - 1}))::int as b,"
        "   sum(n)::bigint as n from f, e group by 1)"
        " select nulls, many, low::varchar, high::varchar, mean, dev,"
        "   (select min(x) from c, m where upto >= m.rows / 2.0), (select coalesce(sum(n), 0) from g)::bigint - nulls - coalesce(m.rows, 0),"
        f"   {_listed('w', 'n desc, v')}, (select list(n order by v) from f having count(*) <= {BARS}),"
        "   (select list([coalesce(b, 0), n]) from b) from s, m"
    )


def _listed(source: str, order: str) -> str:
    return f"(select list([left(v::varchar, {TEXT}), n::varchar] order by {order}) from {source})"


def _number_of(kind: str) -> str | None:
    """The place of a value on a line, for kinds that have one."""
    if is_number(kind):
        return "v::double"
    if kind == "date":
        return "epoch(v::timestamp)"
    return "epoch(v)" if kind.startswith("timestamp") else None


def _column(name: str, kind: str, rows: int, found: list[Any]) -> dict[str, Any]:
    told: dict[str, Any] = {"name": name, "type": kind, "rows": rows, "nulls": int(found[0]), "top": []}
    if len(found) == 1:
        return told
    nulls, many, low, high, mean, deviation, median, odd, top, each, bins = found
    number = is_number(kind)
    bars = each or []
    if bins and (not each or kind in ("double", "float")) and len(bins) > 1:
        bars = [0] * BINS
        for place, count in bins:
            bars[int(place)] += count
    return told | {
        "distinct": many,
        "low": low,
        "high": high,
        "mean": mean if number else None,
        "deviation": deviation if number else None,
        "median": median if number else None,
        "not_finite": int(odd or 0),
        "bars": bars,
        "top": [[text, int(count)] for text, count in (top or [])[:TOP]],
    }
