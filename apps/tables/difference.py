"""What differs between two versions: rows added, removed and, with a key, changed, down to their cells.

Files that both versions have cannot differ, so only the others are read. Rows found lie as Parquet beside the computation,
a hundred to a row group, so that any page of them is one small read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.foundation.errors import Invalid, NotFound
from apps.tables import computations, delta
from apps.tables.computations import is_number, is_plain
from apps.tables.models import Computation, Table
from apps.tables.parquet import open_file
from apps.tables.sql import ROW_GROUP, Statement, quoted
from apps.tables.types import describe

ROWS_KEPT = 100_000
KINDS = ("changed", "added", "removed")


@dataclass(frozen=True)
class Cell:
    """A value before and after; `differs` when they are not the same."""

    old: Any
    new: Any
    differs: bool


@dataclass(frozen=True)
class RowPage:
    """Some rows of one kind. `cells` follow `columns`; the key comes first."""

    kind: str
    columns: list[str]
    rows: list[list[Cell]]
    page: int
    pages: int
    total: int
    kept: int


@dataclass(frozen=True)
class ColumnChange:
    """How a column that both versions have differs: values changed, mean before and after."""

    name: str
    type: str
    changed: int
    mean_before: float | None
    mean_after: float | None


@dataclass(frozen=True)
class Difference:
    """The whole of it in numbers. `key` is empty when rows were told apart by all of their values."""

    key: list[str]
    counts: dict[str, int]
    columns: list[ColumnChange]
    columns_added: list[str]
    columns_removed: list[str]
    columns_retyped: list[str]
    files_before: int
    files_after: int
    files_rewritten: int
    repeated: int
    unchanged_columns: int = 0
    kept: dict[str, int] = field(default_factory=dict)


def ask(table: Table, before: int, after: int, key: Sequence[str] = ()) -> Computation:
    """The computation of the difference, by these key columns. Raises Invalid for a key that is none."""
    chosen = list(key)
    have = [set(_types(computations.version_of(table, number).columns)) for number in (before, after)]
    if missing := [name for name in chosen if not all(name in names for names in have)]:
        raise Invalid(fields={"key": f"There is no column {', '.join(missing)[:200]} in both versions."})
    types = _types(computations.version_of(table, after).columns)
    if unfit := [name for name in chosen if not is_plain(types[name])]:
        raise Invalid(fields={"key": f"{', '.join(unfit)[:200]} cannot be part of a key."})
    return computations.ask(table, Computation.Kind.DIFFERENCE, {"before": before, "after": after, "key": chosen})


def of(found: Computation) -> Difference:
    """What was found."""
    told = dict(found.result)
    told.pop("folder", None)
    told.pop("shown", None)
    columns = [ColumnChange(**item) for item in told.pop("columns")]
    return Difference(columns=columns, **told)


def rows(found: Computation, kind: str, page: int = 1, size: int = ROW_GROUP) -> RowPage:
    """A page of rows of one kind, from the first. Raises NotFound beyond the last."""
    if kind not in KINDS:
        raise Invalid(fields={"rows": f"Choose one of {', '.join(KINDS)}."})
    names: list[str] = found.result["shown"]
    kept, total = found.result["kept"][kind], found.result["counts"][kind]
    pages = -(-kept // ROW_GROUP)
    if page < 1 or (page > pages and page > 1):
        raise NotFound("There are no more rows.")
    if not kept:
        return RowPage(kind, names, [], page, pages, total, kept)
    with open_file(found.folder / found.result["folder"] / f"{kind}.parquet") as file:
        part = file.read_row_group(page - 1).slice(0, size).to_pydict()
    height = len(next(iter(part.values())))
    missing = [None] * height
    old = [part.get(f"a{i}", missing) for i in range(len(names))]
    new = [part.get(f"b{i}", missing) for i in range(len(names))]
    order = _telling_first(found, names)
    items = [
        [Cell(old[i][row], new[i][row], kind == "changed" and old[i][row] != new[i][row]) for i in order]
        for row in range(height)
    ]
    return RowPage(kind, [names[i] for i in order], items, page, pages, total, kept)


def _telling_first(found: Computation, names: list[str]) -> list[int]:
    """The places of the columns: key, then those that changed, most values first, then all others."""
    key, changed = len(found.result["key"]), {item["name"]: item["changed"] for item in found.result["columns"]}
    return [*range(key), *sorted(range(key, len(names)), key=lambda i: -changed.get(names[i], 0))]


@computations.plans(Computation.Kind.DIFFERENCE)
def plan(mine: Computation) -> computations.Plan:
    """Reads the files that only one of the versions has; joins them by the key, or subtracts whole rows."""
    root, wish = mine.table.root, mine.wish
    before, after = (delta.snapshot(root, wish[side]) for side in ("before", "after"))
    had, have = ({file.path for file in state.files} for state in (before, after))
    only_before = [file for file in before.files if file.path not in have]
    only_after = [file for file in after.files if file.path not in had]
    types, old_types = _types(describe(after.schema)), _types(describe(before.schema))
    shared = [name for name in types if name in old_types]
    key = list(wish["key"])
    shown = [*key, *(name for name in shared if name not in key)]
    retyped = [name for name in shared if types[name] != old_types[name]]
    numbers = [name for name in shown if is_number(types[name]) and is_number(old_types[name])]
    views = [
        computations.view("a", root, before.schema, only_before),
        computations.view("b", root, after.schema, only_after),
        computations.view("whole_a", root, before.schema, before.files),
        computations.view("whole_b", root, after.schema, after.files),
    ]
    folder = computations.fresh_folder(mine)
    statements = [Statement(_repeated(key)), *(Statement(text) for text in _difference(shown, key, set(retyped)))]
    statements.append(Statement(_counts(shown)))
    statements += [
        Statement(f"select * exclude (kind) from d where kind = '{kind}'{_order(len(key), kind)} limit {ROWS_KEPT}", out=str(folder / f"{kind}.parquet"))
        for kind in KINDS
    ]  # fmt: skip
    statements += [Statement(_means(numbers, whole)) for whole in ("whole_a", "whole_b")]

    def read(answers: list[list[list[Any]]]) -> dict[str, Any]:
        repeated, counts = answers[0][0][0], answers[-6][0]
        kept = [answers[-5 + i][0][0] for i in range(3)]
        means = [dict(zip(numbers, answers[place][0], strict=False)) for place in (-2, -1)]
        changes = dict(zip(shown, counts[3:], strict=True))
        changed = [
            {
                "name": name,
                "type": types[name],
                "changed": changes[name],
                "mean_before": means[0].get(name),
                "mean_after": means[1].get(name),
            }
            for name in shared
            if changes[name] or (means[0].get(name) != means[1].get(name))
        ]
        return {
            "key": key,
            "counts": dict(zip(KINDS, counts[:3], strict=True)),
            "kept": dict(zip(KINDS, kept, strict=True)),
            "columns": changed,
            "unchanged_columns": len(shared) - len(changed),
            "columns_added": [name for name in types if name not in old_types],
            "columns_removed": [name for name in old_types if name not in types],
            "columns_retyped": retyped,
            "files_before": len(before.files),
            "files_after": len(after.files),
            "files_rewritten": len(only_before),
            "repeated": repeated,
            "shown": shown,
            "folder": folder.name,
        }

    return computations.Plan(views, statements, read)


def _types(columns: Sequence[dict[str, Any]]) -> dict[str, str]:
    return {str(item["name"]): str(item["type"]) for item in columns}


def _repeated(key: Sequence[str]) -> str:
    """How many rows share their key with another row of the same version; a key that does so tells rows apart badly."""
    if not key:
        return "select 0"
    names = ", ".join(map(quoted, key))
    sides = (f"(select coalesce(sum(n - 1), 0) from (select count(*) as n from {side} group by {names} having count(*) > 1))" for side in "ab")  # fmt: skip
    return f"select ({' + '.join(sides)})::bigint"


def _difference(shown: Sequence[str], key: Sequence[str], retyped: set[str]) -> list[str]:
    """Makes the temporary table `d`: kind, then each column as it was (a0, a1, ...) and as it is (b0, b1, ...)."""

    def value(side: str, name: str) -> str:
        return f"{side}.{quoted(name)}" + ("::varchar" if name in retyped else "")

    old = [f"{value('a', name)} as a{i}" for i, name in enumerate(shown)]
    new = [f"{value('b', name)} as b{i}" for i, name in enumerate(shown)]
    if key:
        same = " and ".join(f"{value('a', name)} is not distinct from {value('b', name)}" for name in key)
        others = [name for name in shown if name not in key]
        differs = " or ".join(f"{value('a', name)} is distinct from {value('b', name)}" for name in others) or "false"
        kind = "case when not coalesce(b.__here, false) then 'removed' when not coalesce(a.__here, false) then 'added' else 'changed' end"
        return [
            f"create temp table d as select {kind} as kind, {', '.join([*old, *new])}"
            " from (select *, true as __here from a) a full join (select *, true as __here from b) b"
            f" on {same} where a.__here is null or b.__here is null or {differs}"
        ]
    # Equal rows are counted on both sides at once; what is left over came or went, as often as it is left over.
    places = range(len(shown))
    sides = (
        f"select {', '.join(f'{value(side, name)} as v{i}' for i, name in enumerate(shown))}, {sign} as d from {side}"
        for side, sign in (("a", -1), ("b", 1))
    )
    values = ", ".join(f"v{i}" for i in places)
    old = [f"case when d < 0 then v{i} end as a{i}" for i in places]
    new = [f"case when d > 0 then v{i} end as b{i}" for i in places]
    left = (
        f"select {values}, sum(d)::bigint as d from ({' union all '.join(sides)}) group by {values} having sum(d) <> 0"
    )
    return [
        f"create temp table d as select case when d > 0 then 'added' else 'removed' end as kind, {', '.join([*old, *new])}"
        f" from ({left}) as left_over, unnest(range(abs(d)))"
    ]


def _counts(shown: Sequence[str]) -> str:
    kinds = [f"count(*) filter (kind = '{kind}')" for kind in KINDS]
    cells = [f"count(*) filter (kind = 'changed' and a{i} is distinct from b{i})" for i in range(len(shown))]
    return f"select {', '.join([*kinds, *cells])} from d"


def _order(key_columns: int, kind: str) -> str:
    side = "a" if kind == "removed" else "b"
    return f" order by {', '.join(f'{side}{i}' for i in range(key_columns))}" if key_columns else ""


def _means(numbers: Sequence[str], whole: str) -> str:
    return f"select {', '.join(f'avg({quoted(name)}::double)' for name in numbers) or '1'} from {whole}"
