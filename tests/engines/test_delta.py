"""Real Delta tables in a temporary folder: nothing lost, nothing twice, nothing outside."""

from __future__ import annotations

import json
import multiprocessing
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from apps.foundation.errors import Conflict, Invalid, NotFound, Stale, Unavailable
from apps.foundation.ids import new_id
from apps.tables import delta, parquet

ROWS = pa.table({"n": pa.array([1, 2, 3], pa.int64()), "name": ["a", "b", None]})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "table"
    folder.mkdir()
    return folder


def lay(root: Path, rows: pa.Table = ROWS) -> delta.NewFile:
    name = f"{new_id()}.parquet"
    pq.write_table(rows, root / name)
    return delta.NewFile(name, parquet.inspect(root / name))


def numbers(*values: int) -> pa.Table:
    return pa.table({"n": pa.array(values, pa.int64())})


def read(root: Path, version: int | None = None) -> list[int]:
    table = delta.snapshot(root, version)
    return sorted(value for file in table.files for value in pq.read_table(root / file.path)["n"].to_pylist())


def make(root: Path, rows: pa.Table | None = None) -> None:
    files = [] if rows is None else [lay(root, rows)]
    delta.create(root, pa.schema([("n", pa.int64())]), files, facts={"by": "ana"})


def test_every_write_is_a_version_that_stays(root: Path) -> None:
    make(root, numbers(1))
    assert delta.append(root, [lay(root, numbers(2))], facts={}).version == 1
    assert delta.overwrite(root, [lay(root, numbers(9))], pa.schema([("n", pa.int64())]), facts={}).version == 2
    assert delta.restore(root, 1, facts={"by": "ben"}).version == 3
    assert [read(root, version) for version in (0, 1, 2, 3)] == [[1], [1, 2], [9], [1, 2]]
    entries = delta.log_entries(root, -1)
    assert [entry.operation for entry in entries] == ["CREATE TABLE", "WRITE", "WRITE", "RESTORE"]
    assert entries[0].facts == {"by": "ana"} and entries[3].facts == {"by": "ben"}
    with pytest.raises(NotFound):
        delta.snapshot(root, 4)


def test_overwrite_may_bring_another_schema_and_restore_brings_it_back(root: Path) -> None:
    make(root, numbers(1))
    other = pa.table({"city": ["Oslo"]})
    delta.overwrite(root, [lay(root, other)], other.schema, facts={})
    assert delta.snapshot(root).schema.names == ["city"]
    delta.restore(root, 0, facts={})
    assert delta.snapshot(root).schema.names == ["n"] and read(root) == [1]


def test_added_columns_are_null_in_older_rows(root: Path) -> None:
    make(root, numbers(1))
    delta.add_columns(root, [pa.field("name", pa.string())], facts={})
    delta.append(root, [lay(root, ROWS.slice(0, 1))], facts={})
    rows = delta.preview(root, delta.snapshot(root)).to_pylist()
    assert rows == [{"n": 1, "name": "a"}, {"n": 1, "name": None}]


def test_the_same_name_commits_once(root: Path) -> None:
    make(root)
    once = delta.Once("write-7")
    first = delta.append(root, [lay(root, numbers(1))], facts={}, once=once)
    delta.append(root, [lay(root, numbers(2))], facts={})
    again = delta.append(root, [lay(root, numbers(1))], facts={}, once=once)
    assert (again.version, again.applied, first.applied) == (first.version, False, True)
    assert read(root) == [1, 2]


def test_the_same_name_from_eight_threads_commits_once(root: Path) -> None:
    make(root)
    with ThreadPoolExecutor(8) as pool:
        done = list(
            pool.map(lambda _: delta.append(root, [lay(root, numbers(5))], facts={}, once=delta.Once("k")), range(8))
        )
    assert [commit.applied for commit in done].count(True) == 1
    assert len({commit.version for commit in done}) == 1 and read(root) == [5]


def _append_some(folder: str, base: int) -> list[int]:
    root = Path(folder)
    return [delta.append(root, [lay(root, numbers(base + i))], facts={}).version for i in range(10)]


def test_concurrent_writers_lose_nothing_and_each_learns_its_own_version(root: Path) -> None:
    make(root)
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        versions = sum(pool.starmap(_append_some, [(str(root), base) for base in (0, 100, 200)]), [])
    assert read(root) == sorted(base + i for base in (0, 100, 200) for i in range(10))
    assert sorted(versions) == list(range(1, 31))


def test_an_overwrite_replaces_what_it_never_saw(root: Path) -> None:
    make(root, numbers(1))
    delta.snapshot(root)  # this process's open table is now behind
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        pool.starmap(_append_some, [(str(root), 50)])
    delta.overwrite(root, [lay(root, numbers(7))], pa.schema([("n", pa.int64())]), facts={})
    assert read(root) == [7]
    with pytest.raises(Stale):
        delta.overwrite(root, [lay(root, numbers(8))], pa.schema([("n", pa.int64())]), facts={}, expected=3)
    assert read(root) == [7]


def _write_one(folder: str, i: int) -> tuple[int, int, bool]:
    root, replaces = Path(folder), i % 3 == 0
    if replaces:
        return delta.overwrite(root, [lay(root, numbers(i))], pa.schema([("n", pa.int64())]), facts={}).version, i, True
    return delta.append(root, [lay(root, numbers(i))], facts={}).version, i, False


def test_overwrites_and_appends_of_three_processes_equal_some_order(root: Path) -> None:
    make(root)
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        done = sorted(pool.starmap(_write_one, [(str(root), i) for i in range(24)], chunksize=1))
    expected: list[int] = []
    for version, value, replaces in done:
        expected = [value] if replaces else sorted([*expected, value])
        assert read(root, version) == expected


def test_columns_that_do_not_fit_are_refused_by_name(root: Path) -> None:
    make(root, numbers(1))
    with pytest.raises(Invalid, match=r"n is string, the table holds int64"):
        delta.append(root, [lay(root, pa.table({"n": ["x"]}))], facts={})
    with pytest.raises(Invalid, match="extra is not a column"):
        delta.append(root, [lay(root, numbers(1).append_column("extra", pa.array([1])))], facts={})
    assert delta.snapshot(root).version == 0


def test_two_tables_cannot_lie_in_one_place(root: Path) -> None:
    make(root)
    with pytest.raises(Conflict):
        make(root)


def test_a_checkpoint_every_hundred_commits_and_old_versions_after_it(root: Path) -> None:
    make(root)
    file = lay(root, numbers(1))
    for _ in range(101):
        shutil.copy(root / file.name, root / (name := f"{new_id()}.parquet"))
        delta.append(root, [delta.NewFile(name, file.footer)], facts={})
    assert list((root / "_delta_log").glob("*99.checkpoint.parquet"))
    delta.forget(root)
    assert delta.snapshot(root).rows == 101 and delta.snapshot(root, 3).rows == 3


def test_preview_opens_one_file_and_count_opens_none(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(root)
    for start in range(0, 50, 10):
        delta.append(root, [lay(root, numbers(*range(start, start + 10)))], facts={})
    opened: list[Path] = []
    monkeypatch.setattr(delta, "open_file", lambda path: opened.append(path) or parquet.open_file(path))
    table = delta.snapshot(root)
    assert table.rows == 50 and opened == []
    assert delta.preview(root, table, 10)["n"].to_pylist() == list(range(40, 50)) and len(opened) == 1


@pytest.mark.parametrize(
    "logged",
    [
        "/etc/passwd",
        "file:///etc/passwd",
        "../secret.parquet",
        "%2e%2e/secret.parquet",
        "a/../../secret.parquet",
        "link.parquet",
        "s3://b/k",
    ],
)
def test_a_log_cannot_name_a_file_outside_the_table(root: Path, logged: str) -> None:
    make(root)
    pq.write_table(numbers(666), root.parent / "secret.parquet")
    (root / "link.parquet").symlink_to(root.parent / "secret.parquet")
    add = {
        "path": logged,
        "partitionValues": {},
        "size": 1,
        "modificationTime": 1,
        "dataChange": True,
        "stats": '{"numRecords": 1}',
    }
    (root / "_delta_log" / f"{1:020}.json").write_text(json.dumps({"commitInfo": {}}) + "\n" + json.dumps({"add": add}))
    delta.forget(root)
    with pytest.raises(Unavailable, match="outside the table|link"):
        delta.snapshot(root)


class TestFooters:
    def test_statistics_bound_every_column_that_has_exact_bounds(self, tmp_path: Path) -> None:
        rows = pa.table(
            {
                "n": pa.array([3, None, 1], pa.int32()),
                "at": pa.array([0, 1_500_000, 2], pa.timestamp("us", "UTC")),
                "name": ["b", "a", "c" * 500],
                "x": [1.0, float("nan"), 2.0],
                "none": pa.array([None, None, None], pa.int64()),
            }
        )
        pq.write_table(rows, tmp_path / "f.parquet", row_group_size=2)
        stats = json.loads(parquet.inspect(tmp_path / "f.parquet").stats)
        assert stats["minValues"]["n"] == 1 and stats["maxValues"]["n"] == 3 and stats["nullCount"]["none"] == 3
        assert stats["maxValues"]["at"] == "1970-01-01T00:00:01.500000Z"
        assert "name" not in stats["maxValues"] and stats["minValues"]["x"] == 1.0 and "none" not in stats["minValues"]

    @pytest.mark.parametrize("damage", ["cut", "text", "footer length", "empty", "magic"])
    def test_a_damaged_file_is_refused(self, tmp_path: Path, damage: str) -> None:
        path = tmp_path / "f.parquet"
        pq.write_table(ROWS, path)
        whole = path.read_bytes()
        path.write_bytes(
            {
                "cut": whole[:-9],
                "text": b"n,name\n1,a\n2,b\n",
                "footer length": whole[:-8] + (2**31 - 1).to_bytes(4, "little") + b"PAR1",
                "empty": b"",
                "magic": whole[:-4] + b"PARE",
            }[damage]
        )
        with pytest.raises(Invalid):
            parquet.inspect(path)

    def test_a_file_whose_pages_were_cut_out_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "f.parquet"
        pq.write_table(pa.table({"n": list(range(100_000))}), path)
        whole = path.read_bytes()
        footer = int.from_bytes(whole[-8:-4], "little") + 8
        path.write_bytes(whole[:100] + whole[-footer:])
        with pytest.raises(Invalid, match="points outside"):
            parquet.inspect(path)

    def test_extension_types_are_refused_before_arrow_sees_them(self, tmp_path: Path) -> None:
        kind = pa.fixed_shape_tensor(pa.int64(), [2])
        array = pa.ExtensionArray.from_storage(kind, pa.array([[1, 2]], pa.list_(pa.int64(), 2)))
        pq.write_table(pa.table({"t": array}), tmp_path / "f.parquet")
        with pytest.raises(Invalid, match="extension"):
            parquet.inspect(tmp_path / "f.parquet")

    @pytest.mark.parametrize(
        ("array", "advice"),
        [
            (pa.array([1], pa.uint64()), "int64"),
            (pa.array([1], pa.timestamp("ns")), "microseconds"),
            (pa.array([1], pa.time64("us")), "another type"),
            (pa.array([1], pa.timestamp("us", "Europe/Oslo")), "UTC"),
        ],
    )
    def test_types_no_table_holds_are_refused_with_advice(self, tmp_path: Path, array: pa.Array, advice: str) -> None:
        pq.write_table(pa.table({"x": array}), tmp_path / "f.parquet")
        with pytest.raises(Invalid, match=advice):
            parquet.inspect(tmp_path / "f.parquet")

    def test_names_that_differ_only_in_capitals_are_refused(self, tmp_path: Path) -> None:
        pq.write_table(pa.table({"Name": [1], "name": [2]}), tmp_path / "f.parquet")
        with pytest.raises(Invalid, match="capital letters"):
            parquet.inspect(tmp_path / "f.parquet")
