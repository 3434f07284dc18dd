"""Rows of a version taken by chance, the same ones each time they are asked for."""

from __future__ import annotations

from typing import Any

from apps.tables import computations, delta
from apps.tables.models import Computation, Table
from apps.tables.parquet import open_file
from apps.tables.sql import Statement
from apps.tables.types import plain

ROWS = 100


def ask(table: Table, version: int) -> Computation:
    """The computation of a hundred rows by chance."""
    return computations.ask(table, Computation.Kind.RANDOM_ROWS, {"version": version})


def rows(found: Computation) -> list[list[Any]]:
    """What was found, as plain values in the order of the columns."""
    with open_file(found.folder / found.result["folder"] / "rows.parquet") as file:
        part = file.read()
    cells = [[plain(value) for value in column.to_pylist()] for column in part.columns]
    return [list(row) for row in zip(*cells, strict=True)]


@computations.plans(Computation.Kind.RANDOM_ROWS)
def plan(mine: Computation) -> computations.Plan:
    """One statement, its rows into a file."""
    root = mine.table.root
    state = delta.snapshot(root, computations.version_of(mine.table, mine.wish["version"]).version)
    folder = computations.fresh_folder(mine)
    statement = Statement(
        f"select * from t using sample reservoir({ROWS} rows) repeatable (1)", out=str(folder / "rows.parquet")
    )

    def read(answers: list[list[list[Any]]]) -> dict[str, Any]:
        return {"folder": folder.name}

    return computations.Plan([computations.view("t", root, state.schema, state.files)], [statement], read)
