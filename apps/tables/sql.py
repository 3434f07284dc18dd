"""The one door to DuckDB: statements of ours over files of table versions, each run in a process of its own.

`run` is called by workers. The process (this file, started as a program) gets an empty environment and hard limits, sees
exactly the files it was given, no network and no settings, and is killed when its time is over or nobody waits any more.
"""

from __future__ import annotations

import contextlib
import json
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

SECONDS = 75.0
MEMORY = "768MB"
THREADS = 2
ADDRESS_BYTES = 6 * 1024**3
SPILL_BYTES = 8 * 1024**3
ANSWER_BYTES = 64 * 1024**2
ROW_GROUP = 100
_LOOK_SECONDS = 0.5


class StatementFailed(Exception):
    """The statements gave no answer; the message may be shown to people."""


@dataclass(frozen=True)
class View:
    """A relation that statements may name: these columns (name, DuckDB type or "" to keep it) over these files.

    `file_column` adds the file that a row comes from, under that name.
    """

    name: str
    columns: Sequence[tuple[str, str]]
    files: Sequence[str]
    file_column: str = ""


@dataclass(frozen=True)
class Statement:
    """One statement. With `out` its rows go to that Parquet file, a hundred to a row group, instead of into the answer."""

    text: str
    values: Sequence[str] = ()
    out: str = ""


def quoted(name: str) -> str:
    """A name as SQL takes it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def run(
    views: Sequence[View],
    statements: Sequence[Statement],
    *,
    seconds: float = SECONDS,
    wanted: Callable[[int], bool] = lambda done: True,
) -> list[list[list[Any]]]:
    """The rows of each statement. `wanted(done)` is asked every half second; False ends it. Raises StatementFailed."""
    request = json.dumps({"views": [asdict(v) for v in views], "statements": [asdict(s) for s in statements]})
    with tempfile.TemporaryDirectory(prefix="boathouse-sql-") as folder:
        child = subprocess.Popen(
            [sys.executable, "-I", __file__, folder, str(int(seconds) + 5)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=folder, env={"HOME": folder},
        )  # fmt: skip
        try:
            assert child.stdin is not None
            with contextlib.suppress(BrokenPipeError), child.stdin as pipe:
                pipe.write(request.encode())
            return _answers(child, len(statements), time.monotonic() + seconds, wanted)
        finally:
            child.kill()
            child.wait()
            if child.stdout:
                child.stdout.close()


def _answers(
    child: subprocess.Popen[bytes], count: int, deadline: float, wanted: Callable[[int], bool]
) -> list[list[list[Any]]]:
    assert child.stdout is not None
    found: list[list[list[Any]]] = []
    waiting, size = b"", 0
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while len(found) < count:
            if time.monotonic() > deadline:
                raise StatementFailed("It took too long, so it was stopped.")
            if not wanted(len(found)):
                raise StatementFailed("It was canceled.")
            if not selector.select(_LOOK_SECONDS):
                continue
            piece = child.stdout.read1(1 << 20)  # type: ignore[attr-defined]
            size += len(piece)
            if not piece:
                raise StatementFailed("It needed more memory or disk than it may use.")
            if size > ANSWER_BYTES:
                raise StatementFailed("The answer is too large.")
            *lines, waiting = (waiting + piece).split(b"\n")
            for line in lines:
                answer = json.loads(line)
                if "failed" in answer:
                    raise StatementFailed(answer["failed"])
                found.append(answer["rows"])
    return found


# Below: the program in the process. Nothing of ours is imported there.


def _lock_in(seconds: int) -> None:
    """Limits that the kernel holds: memory, processor, files, no new rights, and the end with the worker."""
    import ctypes
    import resource
    import signal

    libc = ctypes.CDLL(None)
    libc.prctl(1, signal.SIGKILL)
    libc.prctl(38, 1, 0, 0, 0)
    limits = {
        resource.RLIMIT_AS: ADDRESS_BYTES,
        resource.RLIMIT_CPU: seconds * THREADS,
        resource.RLIMIT_FSIZE: SPILL_BYTES,
        resource.RLIMIT_CORE: 0,
    }
    for kind, most in limits.items():
        hard = resource.getrlimit(kind)[1]
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (value, value))


def _connect(folder: str, views: list[dict[str, Any]]) -> Any:
    import duckdb

    outside: dict[str, Any] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        "allow_persistent_secrets": False,
        "memory_limit": MEMORY,
        "threads": THREADS,
        "temp_directory": folder,
        "max_temp_directory_size": f"{SPILL_BYTES // 1024**2}MB",
    }
    connection = duckdb.connect(config=outside)
    connection.execute("set TimeZone = 'UTC'")
    files = sorted({file for view in views for file in view["files"]})
    connection.execute(f"set allowed_paths = [{', '.join(map(_text, files))}]")
    connection.execute("set enable_external_access = false")
    for view in views:
        connection.execute(f"create view {quoted(view['name'])} as {_source(connection, view)}")
    connection.execute("set lock_configuration = true")
    return connection


def _source(connection: Any, view: dict[str, Any]) -> str:
    """A select of exactly the view's columns: what a file lacks is null, as in the table."""
    mark = view["file_column"]
    if not view["files"]:
        wanted = [*view["columns"], *([[mark, "VARCHAR"]] if mark else [])]
        return f"select {', '.join(_null(name, kind) for name, kind in wanted)} where false"
    files = ", ".join(map(_text, view["files"]))
    named = f", filename = {_text(mark)}" if mark else ""
    read = f"read_parquet([{files}], union_by_name = true, hive_partitioning = false{named})"
    have = {row[0]: row[1] for row in connection.execute(f"describe select * from {read}").fetchall()}
    columns = []
    for name, kind in view["columns"]:
        if name not in have:
            columns.append(_null(name, kind))
        elif kind and kind != have[name]:
            columns.append(f"cast({quoted(name)} as {kind}) as {quoted(name)}")
        else:
            columns.append(quoted(name))
    return f"select {', '.join([*columns, *([quoted(mark)] if mark else [])])} from {read}"


def _null(name: str, kind: str) -> str:
    return f"null::{kind or 'VARCHAR'} as {quoted(name)}"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _keep(connection: Any, statement: dict[str, Any]) -> list[list[int]]:
    """Writes the rows of a statement to its file as they come; answers with how many there are."""
    import pyarrow.parquet as pq

    count = 0
    reader = connection.sql(statement["text"]).to_arrow_reader(10_000)
    with pq.ParquetWriter(statement["out"], reader.schema, compression="zstd", store_schema=False) as writer:
        for batch in reader:
            count += batch.num_rows
            writer.write_batch(batch, row_group_size=ROW_GROUP)
    return [[count]]


def _main(folder: str, seconds: int) -> None:
    request = json.loads(sys.stdin.buffer.read())
    _lock_in(seconds)
    try:
        connection = _connect(folder, request["views"])
        for statement in request["statements"]:
            if statement["out"]:
                rows = _keep(connection, statement)
            else:
                rows = [
                    list(row) for row in connection.execute(statement["text"], list(statement["values"])).fetchall()
                ]
            print(json.dumps({"rows": rows}, default=str), flush=True)
    except Exception as error:
        # What went wrong may quote a path; its kind tells people enough.
        words = {
            "OutOfMemoryException": "It needed more memory than it may use.",
            "ConversionException": "A value does not fit its column.",
        }
        kind = type(error).__name__
        print(json.dumps({"failed": words.get(kind, f"It could not be worked out ({kind}).")}), flush=True)


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]))
