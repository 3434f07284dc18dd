"""Reading tables: a ticket names the files of one version, and only what is wanted of them is fetched."""

from __future__ import annotations

import atexit
import base64
import datetime
import gc
import io
import os
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs

from boathouse import filters
from boathouse.connection import BoathouseError, Client, default_client

# Below this a file is fetched whole: one round trip costs more than its bytes.
WHOLE_FILE_BYTES = 4 * 1024**2
AHEAD = 16
RENEW_AFTER_SECONDS = 45 * 60

# At the end of the process, how long to wait for Arrow's threads to let go of what was read.
LET_GO_SECONDS = 2.0

_pools: dict[int, ThreadPoolExecutor] = {}
_tickets: weakref.WeakSet[_Ticket] = weakref.WeakSet()
_ranges: dict[int, weakref.ref[memoryview]] = {}


def _pool() -> ThreadPoolExecutor:
    """The threads that fetch ahead; of this process, since a fork takes none along."""
    if os.getpid() not in _pools:
        _pools.clear()
        _pools[os.getpid()] = ThreadPoolExecutor(8, thread_name_prefix="boathouse")
    return _pools[os.getpid()]


@atexit.register
def _let_go() -> None:
    """Arrow's threads drop their last references a moment after a read; one that does so while Python ends aborts it."""
    gc.collect()
    until = time.monotonic() + LET_GO_SECONDS
    while (_tickets or _ranges) and time.monotonic() < until:
        time.sleep(0.005)


def read_table(
    name: str,
    version: int | None = None,
    timestamp: str | datetime.datetime | None = None,
    columns: Sequence[str] | None = None,
    filter: Any = None,
    *,
    as_: str = "arrow",
    client: Client | None = None,
) -> Any:
    """The rows of a table, as `pyarrow.Table`, or with `as_` as a pandas or polars frame.

    Of the newest version, of `version`, or as it was at `timestamp` (without a zone: UTC). `filter` is text
    (`"month <= 9 and origin = 'JFK'"`), a list of conditions, or a pyarrow expression.
    """
    if as_ not in ("arrow", "pandas", "polars"):
        raise ValueError("as_ is arrow, pandas or polars")
    table = _scanner(name, version, timestamp, columns, filter, client).to_table()
    if as_ == "pandas":
        return table.to_pandas()
    if as_ == "polars":
        import polars

        return polars.from_arrow(table)
    return table


def read_batches(
    name: str,
    version: int | None = None,
    timestamp: str | datetime.datetime | None = None,
    columns: Sequence[str] | None = None,
    filter: Any = None,
    *,
    client: Client | None = None,
) -> pa.RecordBatchReader:
    """The same rows batch by batch, so that a table may be larger than memory."""
    return _scanner(name, version, timestamp, columns, filter, client, readahead=2).to_reader()


def _scanner(
    name: str,
    version: int | None,
    timestamp: str | datetime.datetime | None,
    columns: Sequence[str] | None,
    filter: Any,
    client: Client | None,
    readahead: int = 16,
) -> ds.Scanner:
    tree = filters.parse(filter) if filter is not None else None
    wish: dict[str, Any] = {
        "columns": list(columns) if columns is not None else None,
        "filter": filters.alternatives(tree),
    }
    if version is not None:
        wish["version"] = version
    if timestamp is not None:
        wish["timestamp"] = (
            timestamp.isoformat() if isinstance(timestamp, (datetime.date, datetime.datetime)) else timestamp
        )
    ticket = _Ticket(client or default_client(), name, wish)
    keep = filters.expression(tree, ticket.schema) if tree is not None else filter
    dataset = ds.FileSystemDataset.from_paths(
        [str(index) for index in range(len(ticket.files))],
        schema=ticket.schema,
        format=ds.ParquetFileFormat(pre_buffer=True),
        filesystem=pyarrow.fs.PyFileSystem(_TicketFiles(ticket)),
    )
    return dataset.scanner(
        columns=list(columns) if columns is not None else None,
        filter=keep,
        batch_readahead=readahead,
        fragment_readahead=min(4, readahead),
    )


class _Ticket:
    """The files of one version, behind links that are renewed before they end."""

    def __init__(self, client: Client, name: str, wish: dict[str, Any]) -> None:
        self.client, self.name, self.wish = client, name, wish
        _tickets.add(self)
        self.files: list[dict[str, Any]] = []
        answer = self._ask()
        # From now on the same version, whatever is written meanwhile.
        self.wish = {**wish, "version": answer["version"]}
        self.wish.pop("timestamp", None)
        self.version: int = answer["version"]
        self.schema: pa.Schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(answer["schema"])))

    def _ask(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.client.request("POST", f"tables/{self.name}/read", json=self.wish).json()
        self.files, self.asked_at = answer["files"], time.monotonic()
        return answer

    def fetch(self, index: int, start: int | None = None, end: int | None = None) -> bytes:
        """The bytes of a file, or those from `start` up to `end`."""
        if time.monotonic() - self.asked_at > RENEW_AFTER_SECONDS:
            self._ask()
        headers = {} if start is None or end is None else {"Range": f"bytes={start}-{end - 1}"}
        body: bytes = self.client.request("GET", self.files[index]["url"], headers=headers).content
        expected = self.files[index]["bytes"] if start is None or end is None else end - start
        if len(body) != expected:
            raise BoathouseError(f"A file of {self.name} came with {len(body)} bytes instead of {expected}.")
        return body


def _held(body: bytes) -> memoryview:
    """The bytes, known of until Arrow has let go of them."""
    view = memoryview(body)
    number = id(view)
    _ranges[number] = weakref.ref(view, lambda _: _ranges.pop(number, None))
    return view


def _arrow_owned(body: bytes) -> pa.Buffer:
    """The bytes in Arrow's own memory, which its threads may free without asking Python."""
    buffer = pa.allocate_buffer(len(body))
    memoryview(buffer).cast("B")[:] = body
    return buffer


class _RemoteFile(io.RawIOBase):
    """One file of a ticket, read in ranges."""

    def __init__(self, ticket: _Ticket, index: int) -> None:
        super().__init__()
        self._ticket, self._index, self._at = ticket, index, 0
        self._size = int(ticket.files[index]["bytes"])

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def read(self, size: int = -1) -> memoryview:  # type: ignore[override]
        end = self._size if size is None or size < 0 else min(self._size, self._at + size)
        if end <= self._at:
            return memoryview(b"")
        body = self._ticket.fetch(self._index, self._at, end)
        self._at = end
        return _held(body)


class _TicketFiles(pyarrow.fs.FileSystemHandler):
    """A file system of exactly the files of a ticket, named by their number."""

    def __init__(self, ticket: _Ticket) -> None:
        self.ticket = ticket
        self._small = [int(file["bytes"]) <= WHOLE_FILE_BYTES for file in ticket.files]
        self._coming: dict[int, Future[bytes]] = {}
        self._asked: set[int] = set()
        self._lock = threading.Lock()

    def _whole(self, index: int) -> bytes:
        """A small file, and those after it on their way: one after the other the round trips would add up."""
        with self._lock:
            for number in range(index, min(len(self._small), index + AHEAD)):
                if self._small[number] and number not in self._asked:
                    self._asked.add(number)
                    self._coming[number] = _pool().submit(self.ticket.fetch, number)
            coming = self._coming.pop(index, None)
        return coming.result() if coming else self.ticket.fetch(index)

    def get_type_name(self) -> str:
        return "boathouse"

    def normalize_path(self, path: str) -> str:
        return path

    def get_file_info(self, paths: list[str]) -> list[pyarrow.fs.FileInfo]:
        files = self.ticket.files
        return [
            pyarrow.fs.FileInfo(path, pyarrow.fs.FileType.File, size=int(files[int(path)]["bytes"])) for path in paths
        ]

    def open_input_file(self, path: str) -> pa.NativeFile:
        index = int(path)
        if self._small[index]:
            return pa.BufferReader(_arrow_owned(self._whole(index)))
        return pa.PythonFile(_RemoteFile(self.ticket, index), mode="r")

    def open_input_stream(self, path: str) -> pa.NativeFile:
        return self.open_input_file(path)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _TicketFiles) and other.ticket is self.ticket

    def __ne__(self, other: object) -> bool:
        return not self == other

    def _refuse(self, *_: Any, **__: Any) -> Iterator[Any]:
        raise NotImplementedError("a read ticket is only for reading")

    get_file_info_selector = create_dir = delete_dir = delete_dir_contents = delete_root_dir_contents = _refuse
    delete_file = move = copy_file = open_output_stream = open_append_stream = _refuse
