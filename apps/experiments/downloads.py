"""The run table as CSV, read page by page while it streams."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

from asgiref.sync import sync_to_async

from apps.access.actor import Actor
from apps.access.export import csv_line
from apps.access.scope import workspace_scope
from apps.experiments import table
from apps.experiments.columns import Column
from apps.experiments.search import RunSearch
from apps.experiments.table import TableRow
from apps.foundation.errors import BoathouseError

ROWS_MAX = 100_000
PAGE_ROWS = 1_000


async def csv_lines(
    actor: Actor, search: RunSearch, columns: Sequence[Column], *, one_page: bool
) -> AsyncIterator[str]:
    """Lines of CSV with a head. Each page is a read of its own, so access taken away meanwhile ends the file."""
    kept = [column for column in columns if not column.trend]
    yield _line(["run_id", "name", *(column.id for column in kept)])
    token, rows = search.token if one_page else "", 0
    while rows < ROWS_MAX:
        wanted = replace(search, token=token, size=search.size if one_page else PAGE_ROWS)
        try:
            found, token = await sync_to_async(_read)(actor, wanted, kept)
        except BoathouseError as error:
            yield _line([f"stopped: {error.message}"])
            return
        yield "".join(_line([row.hex, row.name, *(_text(row, column) for column in kept)]) for row in found)
        rows += len(found)
        if one_page or not token:
            return
    yield _line([f"stopped after {ROWS_MAX:,} runs: narrow the search for the rest"])


def _read(actor: Actor, search: RunSearch, columns: Sequence[Column]) -> tuple[list[TableRow], str]:
    with workspace_scope(actor.workspace):
        return table.find_page(actor, search, columns)


def _text(row: TableRow, column: Column) -> Any:
    if column.id == "status":
        return row.status
    if column.id == "created":
        return row.started_at.isoformat()
    if column.id == "duration":
        return row.seconds
    if column.id == "user":
        return row.user
    value = row.values.get(column.id)
    if column.id == "data":
        return " ".join(f"{reading.name}@{reading.version}" for reading in value or [] if not reading.redacted)
    return value


def _line(values: Sequence[Any]) -> str:
    return csv_line(values, keep_numbers=True)
