"""What people do with tables, against the real database and real Delta."""

from __future__ import annotations

from datetime import timedelta

import pyarrow as pa
import pytest

from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.operations import rename_resource, restore_resource, trash_resource
from apps.foundation.errors import AlreadyExists, Conflict, Forbidden, Invalid, NotFound, Stale
from apps.lineage.models import LineageEdge
from apps.tables import commits, delta, ingest, operations, queries, tickets
from apps.tables.models import Table, TableVersion
from tests.builders import World, a_person
from tests.tables.kit import ROWS, a_table, a_write, numbers, write


def rows(table: Table, version: int | None = None) -> list[int]:
    preview = queries.preview(table, version=version, columns=["n"])
    return sorted(item[0] for item in preview.items)


def test_a_workspace_starts_with_main_default(world: World) -> None:
    assert queries.get_schema(world.admin, "main.default").open_to_makers


def test_a_table_is_made_with_its_rows_in_version_0(world: World) -> None:
    table = a_table(world.admin, note="first", key="k-1")
    assert (table.name, table.version, table.rows, table.files) == ("main.default.flights", 0, 3, 1)
    assert [column["name"] for column in table.columns] == ["n", "name"]
    version = table.versions.get()
    assert (version.kind, version.actor_label, version.note) == ("create", "ada@example.com", "first")


def test_a_member_makes_tables_that_nobody_else_sees(world: World) -> None:
    ben, cleo = a_person(world, "ben@example.com"), a_person(world, "cleo@example.com")
    table = a_table(ben, "main.default.mine")
    assert list(queries.list_tables(ben)) == [table] and not queries.list_tables(cleo).exists()
    with pytest.raises(NotFound):
        queries.get_table(cleo, "main.default.mine")


def test_append_overwrite_restore_are_versions(world: World) -> None:
    table = a_table(world.admin, rows=numbers(1))
    write(world.admin, table, numbers(2))
    write(world.admin, table, pa.table({"n": pa.array([9], pa.int64()), "city": ["Oslo"]}), operations.overwrite)
    made = operations.restore_version(actor=world.admin, table=table, version=1)
    assert made.version == 3 and made.details["restored"] == 1
    assert [rows(table, v) for v in range(4)] == [[1], [1, 2], [9], [1, 2]]
    kinds = list(table.versions.order_by("version").values_list("kind", "rows", "rows_added"))
    assert kinds == [("create", 1, 1), ("append", 2, 1), ("overwrite", 1, 1), ("restore", 2, 0)]
    assert [column["name"] for column in queries.version_at(table, 2).columns] == ["n", "city"]


def test_a_key_is_applied_once_whatever_is_sent_with_it(world: World) -> None:
    table = a_table(world.admin, rows=numbers(1))
    first = write(world.admin, table, numbers(2), key="day-7")
    again = write(world.admin, table, numbers(2), key="day-7")
    assert first.version == again.version == 1 and rows(table) == [1, 2]
    with pytest.raises(Conflict):
        write(world.admin, table, numbers(2), operations.overwrite, key="day-7")


def test_a_write_commits_once_even_without_a_key(world: World) -> None:
    table = a_table(world.admin, rows=numbers(1))
    staged = a_write(world.admin, table.name, numbers(2))
    first = operations.append(actor=world.admin, table=table, write=staged)
    assert operations.append(actor=world.admin, table=table, write=staged).version == first.version
    assert rows(table) == [1, 2]


def test_what_reached_the_log_but_not_the_database_is_found_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = a_table(world.admin, rows=numbers(1))
    staged = a_write(world.admin, table.name, numbers(2))
    calls: list[int] = []

    def dies_after_the_commit(table: Table) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise SystemExit("killed between the log and the database")
        real(table)

    real = commits.catch_up
    monkeypatch.setattr(commits, "catch_up", dies_after_the_commit)
    with pytest.raises(SystemExit):
        operations.append(actor=world.admin, table=table, write=staged, key="once", note="before the crash")
    monkeypatch.undo()
    table.refresh_from_db()
    assert table.version == 0 and delta.snapshot(table.root).version == 1
    again = operations.append(actor=world.admin, table=table, write=staged, key="once")
    assert (again.version, again.note, rows(table)) == (1, "before the crash", [1, 2])


def test_a_refused_commit_leaves_no_version_and_no_file(world: World) -> None:
    table = a_table(world.admin, rows=numbers(1))
    with pytest.raises(Invalid, match="n is string"):
        write(world.admin, table, pa.table({"n": ["x"]}))
    good_then_bad = a_write(world.admin, table.name, numbers(5), numbers(6))
    (good_then_bad.folder / "part-00001.parquet").write_bytes(b"PAR1 not really PAR1")
    with pytest.raises(Invalid):
        operations.append(actor=world.admin, table=table, write=good_then_bad)
    assert rows(table) == [1] and len(list(table.root.glob("*.parquet"))) == 1


def test_new_columns_come_only_when_asked_for(world: World) -> None:
    table = a_table(world.admin, rows=numbers(1))
    wide = pa.table({"n": pa.array([2], pa.int64()), "city": ["Oslo"]})
    with pytest.raises(Invalid, match="city is not a column"):
        write(world.admin, table, wide)
    write(world.admin, table, wide, add_columns=True)
    assert queries.preview(table).items == [[2, "Oslo"], [1, None]]
    assert list(table.versions.order_by("version").values_list("kind", flat=True)) == [
        "create",
        "add_columns",
        "append",
    ]


def test_overwrite_of_an_expected_version(world: World) -> None:
    table = a_table(world.admin, rows=numbers(1))
    write(world.admin, table, numbers(2))
    with pytest.raises(Stale):
        write(world.admin, table, numbers(3), operations.overwrite, expected_version=0)
    assert rows(table) == [1, 2]


def test_as_of_a_moment_is_our_clock_not_the_files(world: World) -> None:
    table = a_table(world.admin, rows=numbers(1))
    write(world.admin, table, numbers(2))
    for file in (table.root / "_delta_log").iterdir():
        file.touch()
    first, second = table.versions.order_by("version")
    assert first.committed_at < second.committed_at
    assert queries.version_at(table, timestamp=second.committed_at - timedelta(microseconds=1)) == first
    assert queries.version_at(table, timestamp=second.committed_at) == second
    with pytest.raises(NotFound, match="It begins at"):
        queries.version_at(table, timestamp=first.committed_at - timedelta(seconds=1))


def test_reads_and_writes_are_lineage_of_whoever_does_them(world: World) -> None:
    table = a_table(world.admin, rows=numbers(1))
    assert world.admin.user is not None
    guest = Actor(user=world.admin.user, workspace=world.ours.workspace, activity="job_run:0190-run")
    write(guest, table, numbers(2))
    tickets.give(guest, table, version=0, columns=["n"])
    edges = set(LineageEdge.objects.values_list("source__kind", "source__version", "target__kind", "target__version"))
    assert edges == {
        ("person", "", "table_version", "0"),
        ("job_run", "", "table_version", "1"),
        ("table_version", "0", "job_run", ""),
    }
    assert TableVersion.objects.get(version=1).activities == ["job_run:0190-run"]


def test_trash_and_back_and_for_good(world: World, django_capture_on_commit_callbacks) -> None:  # type: ignore[no-untyped-def]
    table = a_table(world.admin)
    with pytest.raises(Conflict):
        operations.delete_table(actor=world.admin, table=table)
    trash_resource(actor=world.admin, resource=table.resource)
    table.refresh_from_db()
    with pytest.raises(NotFound):
        queries.get_table(world.admin, "main.default.flights")
    with pytest.raises(Conflict):
        operations.restore_version(actor=world.admin, table=table, version=0)
    restore_resource(actor=world.admin, resource=table.resource)
    assert queries.preview(queries.get_table(world.admin, "main.default.flights")).rows == 3
    trash_resource(actor=world.admin, resource=table.resource)
    table.refresh_from_db()
    with django_capture_on_commit_callbacks(execute=True):
        operations.delete_table(actor=world.admin, table=table)
    assert not Table.objects.exists() and not table.root.exists()
    a_table(world.admin)


@pytest.mark.parametrize(
    "name", ["main.default.a b", "main.default.ü", "default.a", "main.default.", "main.default.a/b", "a.b.c.d"]
)
def test_names_that_cannot_be(world: World, name: str) -> None:
    with pytest.raises((Invalid, NotFound)):
        a_table(world.admin, name)


def test_names_are_small_letters_and_taken_once(world: World) -> None:
    assert a_table(world.admin, "main.default.Flights").name == "main.default.flights"
    with pytest.raises(AlreadyExists):
        operations.create_table(
            actor=world.admin,
            schema=queries.get_schema(world.admin, "main.default"),
            name="FLIGHTS",
            columns=[{"name": "n", "type": "long"}],
        )


def test_a_rename_keeps_to_the_same_rules(world: World) -> None:
    table = a_table(world.admin)
    assert (
        rename_resource(actor=world.admin, resource=table.resource, name="Late_Flights").path
        == "main.default.late_flights"
    )
    with pytest.raises(Invalid):
        rename_resource(actor=world.admin, resource=table.resource, name="other.flights")


def test_levels(world: World) -> None:
    table = a_table(world.admin)
    viewer = a_person(world, "vic@example.com", level=Level.VIEW, on=table.resource)
    namer = a_person(world, "dis@example.com", level=Level.DISCOVER, on=table.resource)
    assert queries.get_table(viewer, table.name) == table and tickets.give(viewer, table).rows == 3
    with pytest.raises(Forbidden):
        queries.get_table(namer, table.name)
    with pytest.raises(Forbidden):
        operations.begin_table_write(actor=viewer, table=table)
    with pytest.raises(Forbidden):
        queries.find_target(viewer, table.name)


def test_preview_shows_every_type(world: World) -> None:
    import datetime
    import decimal

    table = a_table(
        world.admin,
        rows=pa.table(
            {
                "big": pa.array([2**60]),
                "x": [float("nan")],
                "at": pa.array([datetime.datetime(2013, 1, 1, 5, tzinfo=datetime.UTC)], pa.timestamp("us", "UTC")),
                "day": [datetime.date(2013, 1, 1)],
                "raw": [b"\x00\xff"],
                "price": [decimal.Decimal("1.50")],
                "tags": [["a", "b"]],
                "place": [{"city": "Oslo"}],
            }
        ),
    )
    assert queries.preview(table).items == [
        [str(2**60), "NaN", "2013-01-01T05:00:00Z", "2013-01-01", "AP8=", "1.50", ["a", "b"], {"city": "Oslo"}]
    ]
    assert [column["type"] for column in table.columns][-3:] == ["decimal(3,2)", "array<string>", "struct<city:string>"]


def test_an_empty_table_from_columns(world: World) -> None:
    schema = queries.get_schema(world.admin, "main.default")
    columns = [{"name": "n", "type": "bigint"}, {"name": "at", "type": "timestamp"}]
    made = operations.create_table(actor=world.admin, schema=schema, name="empty", columns=columns)
    assert (made.version, made.rows, queries.preview(made.table).items) == (0, 0, [])
    with pytest.raises(Invalid, match="is no column type"):
        operations.create_table(actor=world.admin, schema=schema, name="b", columns=[{"name": "n", "type": "uint64"}])


def test_the_neighbour_has_the_same_name_and_other_rows(world: World) -> None:
    from apps.access.scope import workspace_scope

    a_table(world.admin, rows=ROWS)
    with workspace_scope(world.theirs.workspace):
        theirs = a_table(world.theirs.admin, rows=numbers(7))
    with pytest.raises(NotFound):
        queries.get_table(world.admin, str(theirs.pk))
    assert queries.preview(queries.get_table(world.admin, "main.default.flights")).rows == 3


def test_ingested_rows_fit_the_table_and_come_once(world: World) -> None:
    table = a_table(world.admin, rows=ROWS)
    batch = pa.table({"n": pa.array([7], pa.int32()), "extra": [1]})
    first = ingest.append_rows(world.admin, table, batch, once=delta.Once("replica-1", 10), doing=["endpoint:e1"])
    again = ingest.append_rows(world.admin, table, batch, once=delta.Once("replica-1", 10))
    assert (first.version, again.version) == (1, 1) and first.activities == ["endpoint:e1"]
    assert ingest.append_rows(world.admin, table, batch, once=delta.Once("replica-1", 11)).version == 2
    assert rows(table) == [1, 2, 3, 7, 7] and len(list(table.root.glob("*.parquet"))) == 3
    viewer = a_person(world, "vic@example.com", level=Level.VIEW, on=table.resource)
    with pytest.raises(Forbidden):
        ingest.append_rows(viewer, table, batch)
