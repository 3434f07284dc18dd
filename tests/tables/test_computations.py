"""What is worked out from a table's files: statistics, differences, a row's history, each against rows counted by hand."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from apps.foundation.errors import Invalid
from apps.tables import computations, difference, operations, queries, rowhistory, sampling, sql, statistics
from apps.tables.models import Computation, Table
from apps.tables.types import describe
from tests.builders import World

from .kit import a_table, worked_out, write

State = Computation.State


def rows_of(*flights: tuple[str, int | None, float | None]) -> pa.Table:
    origins, numbers, delays = zip(*flights, strict=True)
    return pa.table(
        {"origin": list(origins), "flight": pa.array(numbers, pa.int64()), "delay": pa.array(delays, pa.float64())}
    )


def finished(found: Computation) -> Computation:
    worked_out(found)
    assert found.state == State.READY, found.error
    return found


@pytest.fixture
def table(world: World) -> Table:
    made = a_table(world.admin, rows=rows_of(("EWR", 1, 2.0), ("JFK", 2, -1.0), ("LGA", 3, None)))
    write(world.admin, made, rows_of(("EWR", 4, 8.0)))
    return made


def test_statistics_come_from_every_row(world: World, table: Table) -> None:
    strange = rows_of(("E'W\"R", 9, math.nan), ("\N{ZERO WIDTH SPACE}", 10, math.inf))
    write(world.admin, table, strange)
    found = statistics.columns_of(finished(statistics.ask(table, 2)))
    assert (found["flight"].distinct, found["flight"].nulls, found["flight"].low, found["flight"].high) == (
        6,
        0,
        "1",
        "10",
    )
    assert found["flight"].is_unique and found["flight"].bars == [1] * 6
    assert found["origin"].top[0] == ("EWR", 2) and found["origin"].distinct == 5
    delay = found["delay"]
    assert (delay.nulls, delay.not_finite, delay.mean, delay.median) == (1, 2, 3.0, 2.0)
    assert sum(delay.bars) == 3 and delay.share_missing == pytest.approx(1 / 6)
    assert statistics.ask(table, 2).pk == statistics.ask(table, 2).pk
    old = statistics.columns_of(finished(statistics.ask(table, 0)))
    assert old["flight"].distinct == 3


def test_every_type_of_column_has_statistics(world: World) -> None:
    at = datetime(2013, 1, 1, 5, tzinfo=UTC)
    rows = pa.table(
        {
            "at": pa.array([at, at + timedelta(hours=1)], pa.timestamp("us", "UTC")),
            "day": pa.array([at.date(), None], pa.date32()),
            "money": pa.array([1, 2], pa.decimal128(10, 2)),
            "late": [True, False],
            "bytes": [b"\0", b"a"],
            "list": [[1], None],
            "thing": [{"a": 1}, {"a": 2}],
            'odd " name': ["\0 nul", "b"],
        }
    )
    table = a_table(world.admin, rows=rows)
    found = statistics.columns_of(finished(statistics.ask(table, 0)))
    assert list(found) == rows.column_names
    assert found["at"].low.startswith("2013-01-01 05:00:00") and found["at"].mean is None and found["at"].bars == [1, 1]
    assert found["money"].mean == 1.5 and found["late"].top == [("false", 1), ("true", 1)]
    assert found["list"].nulls == 1 and found["thing"].distinct is None
    assert {text for text, _ in found['odd " name'].top} == {"b", "\N{REPLACEMENT CHARACTER} nul"}


def test_a_table_without_rows_has_statistics_and_differences(world: World) -> None:
    home, _ = queries.find_target(world.admin, "main.default.empty")
    columns = describe(rows_of(("EWR", 1, 2.0)).schema)
    empty = operations.create_table(actor=world.admin, schema=home, name="empty", columns=columns).table
    write(world.admin, empty, rows_of(("EWR", None, None)))
    found = statistics.columns_of(finished(statistics.ask(empty, 0)))
    assert (found["flight"].distinct, found["flight"].low, found["flight"].bars) == (0, None, [])
    assert statistics.columns_of(finished(statistics.ask(empty, 1)))["delay"].nulls == 1
    told = difference.of(finished(difference.ask(empty, 0, 1)))
    assert told.counts == {"changed": 0, "added": 1, "removed": 0}


def test_difference_by_key_down_to_cells(world: World, table: Table) -> None:
    write(world.admin, table, rows_of(("EWR", 1, 2.0), ("JFK", 2, 5.0), ("BOS", 5, 1.0)), how=operations.overwrite)
    found = finished(difference.ask(table, 1, 2, ["flight"]))
    told = difference.of(found)
    assert told.counts == {"changed": 1, "added": 1, "removed": 2} and told.repeated == 0
    assert [(c.name, c.changed, c.mean_before, c.mean_after) for c in told.columns if c.changed] == [
        ("delay", 1, 3.0, 8 / 3)
    ]
    (row,) = difference.rows(found, "changed").rows
    assert [(cell.old, cell.new, cell.differs) for cell in row] == [
        (2, 2, False),
        (-1.0, 5.0, True),
        ("JFK", "JFK", False),
    ]
    assert [row[0].old for row in difference.rows(found, "removed").rows] == [3, 4]
    assert [row[0].new for row in difference.rows(found, "added").rows] == [5]


def test_difference_without_key_is_rows_added_and_removed(world: World, table: Table) -> None:
    write(world.admin, table, rows_of(("EWR", 4, 8.0), ("EWR", 4, 8.0)))
    found = finished(difference.ask(table, 0, 2))
    assert difference.of(found).counts == {"changed": 0, "added": 3, "removed": 0}, "equal rows are counted each"
    assert difference.of(found).files_rewritten == 0
    back = finished(difference.ask(table, 2, 0))
    assert difference.of(back).counts == {"changed": 0, "added": 0, "removed": 3}
    assert [[cell.old for cell in row] for row in difference.rows(back, "removed").rows] == [["EWR", 4, 8.0]] * 3


def test_difference_of_schemas_and_a_key_that_repeats(world: World, table: Table) -> None:
    wider = pa.table({"origin": ["EWR", "EWR"], "flight": pa.array(["1", "2"]), "gate": [1, 2]})
    write(world.admin, table, wider, how=operations.overwrite)
    told = difference.of(finished(difference.ask(table, 1, 2, ["origin"])))
    assert (told.columns_added, told.columns_removed, told.columns_retyped) == (["gate"], ["delay"], ["flight"])
    assert told.repeated == 2
    for key in (["nothing"], ["delay"]):
        with pytest.raises(Invalid):
            difference.ask(table, 1, 2, key)


def test_history_of_a_row(world: World, table: Table) -> None:
    write(world.admin, table, rows_of(("EWR", 1, 7.0), ("JFK", 2, -1.0)), how=operations.overwrite)
    operations.restore_version(actor=world.admin, table=table, version=1)
    write(world.admin, table, rows_of(("JFK", 2, -1.0)), how=operations.overwrite)
    found = rowhistory.changes(finished(rowhistory.ask(table, 4, {"flight": "1"})))
    assert [(c.version, c.what, c.values["delay"], c.changed) for c in found] == [
        (4, "removed", "2.0", []), (3, "changed", "2.0", ["delay"]), (2, "changed", "7.0", ["delay"]), (0, "added", "2.0", []),
    ]  # fmt: skip
    assert rowhistory.changes(finished(rowhistory.ask(table, 4, {"flight": None}))) == []
    failed = rowhistory.ask(table, 4, {"flight": "x' or 1=1 --"})
    worked_out(failed)
    assert (failed.state, failed.error) == (State.FAILED, "A value does not fit its column.")


def test_a_lost_one_is_done_again_and_only_the_last_attempt_counts(world: World, table: Table) -> None:
    found = statistics.ask(table, 1)
    first, plan = computations.claim(str(found.pk))
    assert computations.claim(str(found.pk)) is None, "it is another worker's"
    Computation.objects.filter(pk=found.pk).update(stepped_at=computations.now() - timedelta(minutes=1))
    second, _ = computations.claim(str(found.pk))
    computations.finish(first, {"columns": ["stale"]})
    assert not computations.go_on(first, 1) and computations.go_on(second, 1)
    computations.finish(second, {"columns": []})
    found.refresh_from_db()
    assert (found.state, found.result) == (State.READY, {"columns": []})


def test_canceled_while_it_runs_and_begun_again(world: World, table: Table) -> None:
    found = statistics.ask(table, 1)
    mine, plan = computations.claim(str(found.pk))
    operations.cancel_computation(actor=world.admin, computation=found)
    with pytest.raises(sql.StatementFailed, match="canceled"):
        sql.run(plan.views, plan.statements, wanted=lambda done: computations.go_on(mine, done))
    operations.repeat_computation(actor=world.admin, computation=found)
    assert statistics.columns_of(finished(found))["flight"].distinct == 4


def test_random_rows(world: World, table: Table) -> None:
    found = finished(sampling.ask(table, 1))
    assert sorted(row[1] for row in sampling.rows(found)) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "text",
    [
        "select * from read_csv('/etc/passwd')",
        "select * from glob('/*')",
        "copy t to '/tmp/boathouse-out.csv'",
        "attach '/tmp/boathouse.db'",
        "set memory_limit = '1TB'",
        "install httpfs",
        "select count(*) from range(1000000000000) a, range(1000) b",
    ],
)
def test_a_statement_reaches_nothing_but_its_files_and_ends(table: Table, text: str) -> None:
    with pytest.raises(sql.StatementFailed):
        sql.run([sql.View("t", [("n", "BIGINT")], [])], [sql.Statement(text)], seconds=3)
