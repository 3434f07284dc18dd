"""The client's own rules: filters in every form mean the same, data of every kind is sent in a table's types."""

from __future__ import annotations

import datetime
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[2] / "client"))
from boathouse import connection, filters, writing

from apps.tables import parquet, pruning

ROWS = pa.table({
    "n": pa.array([1, 2, None, 4], pa.int64()),
    "s": ["a", "b", "it's", None],
    "at": pa.array([0, 1, 2, 3], pa.timestamp("us", "UTC")),
    "two words": [True, False, True, None],
})  # fmt: skip


def kept(filter: Any) -> list[int]:
    tree = filters.parse(filter)
    assert tree is not None
    indexed = ROWS.append_column("i", pa.array(range(4)))
    return ds.dataset(indexed).to_table(filter=filters.expression(tree, ROWS.schema))["i"].to_pylist()


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("n >= 2", [1, 3]),
        ("n = 1 or s = 'b'", [0, 1]),
        ("n <> 1 and n < 4", [1]),
        ("not (n = 1 or n = 2)", [3]),
        ("s in ('a', 'it''s')", [0, 2]),
        ("s not in ('a')", [1, 2]),
        ("n is null", [2]),
        ("s is not null and not n is null", [0, 1]),
        ("n between 2 and 4", [1, 3]),
        ('"two words" = true', [0, 2]),
        ("at >= '1970-01-01T00:00:00.000002Z'", [2, 3]),
        ("n = 2.5", []),
        ("n > 1.5", [1, 3]),
    ],
)
def test_text(text: str, rows: list[int]) -> None:
    assert kept(text) == rows


def test_lists_are_as_pyarrows() -> None:
    assert kept([("n", ">", 1), ("s", "==", "b")]) == [1]
    assert kept([[("n", "=", 1)], [("s", "in", ["b"])]]) == [0, 1]
    assert filters.alternatives(filters.parse([("at", ">", datetime.date(2013, 1, 1))])) == [
        [["at", ">", "2013-01-01"]]
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "n",
        "n =",
        "n = 1 and",
        "(n = 1",
        "n = 1 n = 2",
        "n = 'x",
        "n in ()",
        "1 = n",
        "drop table x",
        "nope = 1",
        "n = 'abc'",
    ],
)
def test_what_cannot_be_understood_is_refused(text: str) -> None:
    with pytest.raises(filters.FilterError):
        kept(text)


conditions = st.tuples(st.just("n"), st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), st.integers(-3, 3))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.lists(conditions, min_size=1, max_size=3), min_size=1, max_size=3),
    st.lists(st.integers(-3, 3) | st.none()),
)
def test_the_server_never_prunes_a_file_with_a_wanted_row(filter: Any, values: list[int | None]) -> None:
    rows = pa.table({"n": pa.array(values, pa.int64())})
    tree = filters.parse(filter)
    assert tree is not None
    wanted = ds.dataset(rows).to_table(filter=filters.expression(tree, rows.schema)).num_rows
    known = [value for value in values if value is not None]
    low, high = ({"n": min(known)}, {"n": max(known)}) if known else ({}, {})
    nulls = {"n": len(values) - len(known)}

    class File:
        pass

    file = File()
    file.rows, file.low, file.high, file.nulls = len(values), low, high, nulls  # type: ignore[attr-defined]
    parsed = pruning.parse(filters.alternatives(tree), rows.schema)
    assert pruning.may_match(file, parsed) or wanted == 0  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "data",
    [
        ROWS,
        ROWS.to_batches()[0],
        {"n": [1], "s": ["a"]},
        [{"n": 1, "s": "a"}],
        ROWS.to_reader(),
        iter(ROWS.to_batches()),
        pa.table(
            {
                "c": pa.array(["x"]).dictionary_encode(),
                "u": pa.array([1], pa.uint8()),
                "t": pa.array([1], pa.timestamp("ns")),
            }
        ),
    ],
)
def test_every_kind_of_data_becomes_parquet_that_a_table_takes(tmp_path: Path, data: Any) -> None:
    batches = writing._batches(data)
    schema = writing._target(batches.schema, None, False)
    for part in writing._parts(batches, schema):
        part.seek(0)
        (tmp_path / "part.parquet").write_bytes(part.read())
        assert parquet.inspect(tmp_path / "part.parquet").schema.names == schema.names


def test_an_empty_table_is_one_part_without_rows(tmp_path: Path) -> None:
    batches = ROWS.slice(0, 0).to_reader()
    parts = [pq.read_metadata(part).num_rows for part in writing._parts(batches, ROWS.schema)]
    assert parts == [0]


def test_the_address_and_the_token_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "BOATHOUSE_URL",
        "BOATHOUSE_TOKEN",
        "MLFLOW_TRACKING_URI",
        "MLFLOW_TRACKING_TOKEN",
        "MLFLOW_TRACKING_PASSWORD",
    ):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(connection.BoathouseError, match="BOATHOUSE_URL"):
        connection.Client()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://there:1/")
    with pytest.raises(connection.BoathouseError, match="BOATHOUSE_TOKEN"):
        connection.Client()
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "bh_x")
    assert (connection.Client().url, connection.Client().token) == ("http://there:1", "bh_x")
    monkeypatch.setenv("BOATHOUSE_URL", "http://here:2")
    assert connection.default_client().url == "http://here:2"
