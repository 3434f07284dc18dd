"""The history of one row, found by its key: in which versions it came, changed and went, and so the history of each cell.

Every file of the newest versions is looked at once, not once for each version; the log says which versions a file was part of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.foundation.errors import Invalid
from apps.tables import computations, delta
from apps.tables.computations import duck_type, is_plain
from apps.tables.log import file_lives
from apps.tables.models import Computation, Table
from apps.tables.sql import Statement, quoted
from apps.tables.types import describe

VERSIONS = 2000
ROWS = 2000
_FILE = "boathouse: file"


@dataclass(frozen=True)
class Change:
    """What a version did to the row: values by column as text, and which of them differ from before."""

    version: int
    what: str
    values: dict[str, str | None]
    changed: list[str]


def ask(table: Table, version: int, key: Mapping[str, str | None]) -> Computation:
    """The computation of the history, up to a version, of the row whose key columns hold these values."""
    types = {str(item["name"]): str(item["type"]) for item in computations.version_of(table, version).columns}
    if not key:
        raise Invalid(fields={"key": "Choose the columns that tell one row from another."})
    if wrong := [name for name in key if not is_plain(types.get(name, ""))]:
        raise Invalid(fields={"key": f"{', '.join(wrong)[:200]} cannot be part of a key."})
    return computations.ask(table, Computation.Kind.ROW_HISTORY, {"version": version, "key": dict(key)})


def changes(found: Computation) -> list[Change]:
    """What was found, newest first."""
    return [Change(**item) for item in found.result["changes"]]


@computations.plans(Computation.Kind.ROW_HISTORY)
def plan(mine: Computation) -> computations.Plan:
    """One statement over all files that the versions are made of."""
    root, newest, key = mine.table.root, mine.wish["version"], mine.wish["key"]
    state = delta.snapshot(root, newest)
    types = {str(item["name"]): str(item["type"]) for item in describe(state.schema)}
    oldest = max(0, newest - VERSIONS)
    lives = {str(root / path): spans for path, spans in file_lives(root, newest).items() if any(b is None or b > oldest for _, b in spans)}  # fmt: skip
    view = computations.view("t", root, state.schema, [path.removeprefix(f"{root}/") for path in lives], _FILE)
    columns = ", ".join(f"{quoted(name)}::varchar" for name in types)
    conditions = [f"{quoted(name)} is not distinct from cast(? as {duck_type(types[name])})" for name in key]
    text = f"select {quoted(_FILE)}, {columns} from t where {' and '.join(conditions)} limit {ROWS}"

    def read(answers: list[list[list[Any]]]) -> dict[str, Any]:
        found = [(lives[file], dict(zip(types, values, strict=True))) for file, *values in answers[0]]
        return {"changes": _told(found, oldest, newest), "since": oldest, "repeated": _repeated(found, newest)}

    return computations.Plan([view], [Statement(text, list(key.values()))], read)


def _alive(spans: list[tuple[int, int | None]], version: int) -> bool:
    return any(start <= version and (end is None or version < end) for start, end in spans)


def _repeated(found: list[tuple[list[tuple[int, int | None]], dict[str, Any]]], newest: int) -> int:
    """How many rows have this key in the newest version, beyond the first."""
    return max(0, sum(_alive(spans, newest) for spans, _ in found) - 1)


def _told(
    found: list[tuple[list[tuple[int, int | None]], dict[str, Any]]], oldest: int, newest: int
) -> list[dict[str, Any]]:
    """The changes, newest first: only versions in which a file came or went can be one."""
    edges = {edge for spans, _ in found for span in spans for edge in span if edge is not None}
    versions = sorted({oldest, *(edge for edge in edges if oldest <= edge <= newest)})
    told: list[dict[str, Any]] = []
    before: dict[str, Any] | None = None
    for version in versions:
        now = next((values for spans, values in found if _alive(spans, version)), None)
        if now == before:
            continue
        what = "added" if before is None else "removed" if now is None else "changed"
        changed = [name for name in now or {} if before is None or (now or {})[name] != before.get(name)]
        told.append({"version": version, "what": what, "values": now or before, "changed": changed if what == "changed" else []})  # fmt: skip
        before = now
    return told[::-1]
