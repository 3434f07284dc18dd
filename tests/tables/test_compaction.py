"""Compaction of inference tables: same rows, newest first, its own kind in the history, no version taken away."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from apps.tables import compaction, delta, ingest, queries
from apps.tables.models import Table, TableVersion
from apps.tables.tasks import compact, compact_inference_tables
from tests.builders import World

from .kit import numbers


@pytest.fixture
def table(world: World, monkeypatch: pytest.MonkeyPatch) -> Table:
    monkeypatch.setattr(compaction, "FILES_AT_LEAST", 3)
    monkeypatch.setattr(compaction, "KEPT", 2)
    made = ingest.make_inference_table(world.admin, "main.default.answers", numbers().schema)
    table = Table.objects.get(resource=made)
    for number in range(6):
        ingest.append_rows(world.admin, table, numbers(number))
    return table


def compacted(table: Table) -> bool:
    done = compact.run(str(table.workspace_id), str(table.pk))
    table.refresh_from_db()
    return bool(done)


def newest(table: Table, **at: Any) -> list[Any]:
    return [row[0] for row in queries.preview(table, **at).items]


def test_rows_stay_newest_first_and_every_version_readable(world: World, table: Table) -> None:
    assert newest(table) == [5, 4, 3, 2] and table.files == 6  # a preview opens four files
    assert compacted(table)
    made = TableVersion.objects.get(table=table, version=7)
    assert (made.kind, made.rows, made.files, made.rows_added, made.details) == (
        "compact",
        6,
        3,
        0,
        {"files_joined": 4},
    )
    assert newest(table) == [5, 4, 3, 2, 1, 0]
    assert sorted(newest(table, version=3)) == [0, 1, 2]
    ingest.append_rows(world.admin, table, numbers(6))
    assert newest(table)[:3] == [6, 5, 4] and table.rows == 7
    assert not compacted(table), "what was joined once is not worth it again"


def test_files_that_changed_meanwhile_are_left_alone(world: World, table: Table) -> None:
    joining = compaction.plan(table)
    assert joining is not None
    first, second = compaction.join(joining), compaction.join(joining)
    assert compaction.commit(world.admin, table, joining, first)
    assert compaction.commit(world.admin, table, joining, second) is None
    assert not (table.root / second.name).exists() and delta.snapshot(table.root).rows == 6


def test_an_append_at_the_same_moment_wins(world: World, table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    joining = compaction.plan(table)
    assert joining is not None
    joined = compaction.join(joining)
    stale = delta.snapshot(table.root)
    ingest.append_rows(world.admin, table, numbers(9))
    monkeypatch.setattr(delta, "snapshot", lambda root, version=None: stale)
    assert compaction.commit(world.admin, table, joining, joined) is None
    monkeypatch.undo()
    assert delta.snapshot(table.root).rows == 7


def test_the_clock_finds_inference_tables_only(
    world: World, table: Table, drain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert compact_inference_tables.run() == 1
    Table.objects.filter(pk=table.pk).update(purpose="")
    assert compact_inference_tables.run() == 0


def test_columns_that_came_later_are_null_in_older_rows(world: World, table: Table) -> None:
    delta.add_columns(table.root, [pa.field("extra", pa.string())], facts={"kind": "add_columns"})
    assert compacted(table) and newest(table) == [5, 4, 3, 2, 1, 0]
