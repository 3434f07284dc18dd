"""B7: opening, counting, previewing and travelling in a table of many small commits, beside the bare library.

    python -m bench.b7_delta_reads [commits]

Prints one line per measure: ours, the library's own way, the ratio. Goals: warm preview <= 20 ms, warm count <= 5 ms, cold
opening <= 1.2 x DeltaTable(), version 1 <= 1.2 x DeltaTable(version=1).
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from apps.foundation.ids import new_id
from apps.tables import delta, parquet

ROWS = pa.table({"n": list(range(100)), "name": [f"row {i}" for i in range(100)], "x": [i / 7 for i in range(100)]})


def build(root: Path, commits: int) -> float:
    """A table of so many appends of 100 rows; milliseconds per append."""
    root.mkdir()
    delta.create(root, ROWS.schema, facts={})
    start = time.perf_counter()
    for _ in range(commits):
        name = f"{new_id()}.parquet"
        pq.write_table(ROWS, root / name)
        delta.append(root, [delta.NewFile(name, parquet.inspect(root / name))], facts={})
    return (time.perf_counter() - start) / commits * 1000


def median_ms(call: Callable[[], object], times: int = 25) -> float:
    """The median of some runs, after one that does not count."""
    call()
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        spent.append((time.perf_counter() - start) * 1000)
    return statistics.median(spent)


def cold(root: Path, version: int | None = None) -> delta.Snapshot:
    """A snapshot by a process that never saw the table."""
    delta.forget(root)
    return delta.snapshot(root, version)


def raw_files(root: Path, version: int | None = None) -> object:
    """What the library needs for the same: the table and its list of files."""
    return pa.table(DeltaTable(str(root), version=version).get_add_actions())


def main(commits: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "table"
        append = build(root, commits)
        raw_rows = DeltaTable(str(root)).to_pyarrow_dataset
        measures: list[tuple[str, Callable[[], object], Callable[[], object], str]] = [
            (
                "preview, warm",
                lambda: delta.preview(root, delta.snapshot(root), 100),
                lambda: raw_rows().head(100),
                "<= 20 ms",
            ),
            ("count, warm", lambda: delta.snapshot(root).rows, lambda: raw_rows().count_rows(), "<= 5 ms"),
            ("open, cold", lambda: cold(root), lambda: DeltaTable(str(root)), "<= 1.2 x"),
            ("open with files, cold", lambda: cold(root), lambda: raw_files(root), "<= 1.2 x"),
            ("version 1, cold", lambda: cold(root, 1), lambda: DeltaTable(str(root), version=1), "<= 1.2 x"),
            (
                "last 20 of the log",
                lambda: delta.log_entries(root, commits - 20),
                lambda: DeltaTable(str(root)).history(20),
                "",
            ),
        ]
        print(f"{commits} commits of 100 rows; {append:.1f} ms per append")
        print(f"{'':<24}{'ours ms':>10}{'library ms':>12}{'ratio':>8}  goal")
        for name, ours, library, goal in measures:
            mine, theirs = median_ms(ours), median_ms(library, 7)
            print(f"{name:<24}{mine:>10.2f}{theirs:>12.2f}{mine / theirs:>8.2f}  {goal}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
