"""The journal: what was asked and predicted, on this machine's disk before it is answered, until the inference table has it.

One folder per writer (a web process), in it numbered segments of records, each with its length and checksum. A writer holds
a lock on its folder as long as it lives; so whoever finds the lock free knows that nothing more will come.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import shutil
import struct
import threading
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from apps.foundation.ids import new_id

SEGMENT_BYTES = 16 * 1024 * 1024
MAX_RECORD_BYTES = 160 * 1024 * 1024
logger = logging.getLogger(__name__)
_HEAD = struct.Struct("<II")
_OFFSET_BITS = 40


class Position(NamedTuple):
    """A place in a writer's journal: behind a record of a segment."""

    segment: int
    offset: int

    @property
    def number(self) -> int:
        """One integer that grows with the position."""
        return self.segment << _OFFSET_BITS | self.offset


class Record(NamedTuple):
    """One record and the position behind it."""

    position: Position
    payload: bytes


class Writer:
    """Appends records; `append` returns when the record is on the disk."""

    def __init__(self, root: Path) -> None:
        self.name = str(new_id())
        self._folder = root / self.name
        # under another name until it is locked: an unlocked folder is taken for a dead writer's
        new = root / f".{self.name}"
        new.mkdir(parents=True, mode=0o700)
        self._lock = os.open(new / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        new.rename(self._folder)
        _sync_folder(root)
        self._segment = 0
        self._file = -1
        self._size = 0
        self._thread = ThreadPoolExecutor(1, "journal")
        self._writing = threading.Lock()
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._flushing: asyncio.Task[None] | None = None

    async def append(self, payload: bytes) -> None:
        """Write one record together with all that wait at the moment. Raises OSError when it cannot be kept."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._waiting.append((payload, future))
        if self._flushing is None:
            self._flushing = loop.create_task(self._flush())
        # its own: whoever gives up waiting takes no other record along, nor this one
        await future

    async def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                failure: OSError | None = None
                try:
                    await loop.run_in_executor(self._thread, self.write, [payload for payload, _ in batch])
                except OSError as error:
                    failure = error
                for _, future in batch:
                    if future.done():
                        continue
                    if failure is None:
                        future.set_result(None)
                    else:
                        future.set_exception(failure)
        finally:
            self._flushing = None

    def write(self, payloads: list[bytes]) -> None:
        """Write records with one fsync; on failure nothing of them is left in the journal. Safe in threads."""
        with self._writing:
            self._write(payloads)

    def _write(self, payloads: list[bytes]) -> None:
        if self._file < 0 or self._size >= SEGMENT_BYTES:
            self._next_segment()
        data = b"".join(
            part for payload in payloads for part in (_HEAD.pack(len(payload), zlib.crc32(payload)), payload)
        )
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._file, view) :]
            os.fdatasync(self._file)
        except OSError:
            # after a failed fsync the file's pages cannot be trusted any more, so the next write starts a new segment
            self._abandon()
            raise
        self._size += len(data)

    def close(self) -> None:
        """Let go of the folder; what is in it will be shipped."""
        self._thread.shutdown()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        os.close(self._lock)

    def _next_segment(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        path = segment_path(self._folder, self._segment + 1)
        self._file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._segment += 1
        self._size = 0
        _sync_folder(self._folder)

    def _abandon(self) -> None:
        file, self._file = self._file, -1
        try:
            os.ftruncate(file, self._size)
        finally:
            os.close(file)


def segment_path(folder: Path, number: int) -> Path:
    """The file of a segment."""
    return folder / f"{number:08}.log"


class Reader:
    """One writer's journal, read from where its records are not yet in the tables."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = folder.name

    def records(self, after: Position) -> Iterator[Record]:
        """Yield whole records behind a position. Stops at the first that is not whole: nobody was told that it is kept."""
        for number in self.segments():
            if number < after.segment:
                continue
            yield from _read_segment(
                segment_path(self.folder, number), number, after.offset if number == after.segment else 0
            )

    def segments(self) -> list[int]:
        """The numbers of the segments that are there, oldest first."""
        return sorted(int(path.stem) for path in self.folder.glob("*.log"))

    def shipped(self) -> Position:
        """The position up to which everything is in the tables, as far as was noted."""
        try:
            segment, offset = (self.folder / "shipped").read_text().split()
        except FileNotFoundError:
            return Position(0, 0)
        return Position(int(segment), int(offset))

    def note_shipped(self, position: Position) -> None:
        """Remember the position and drop the segments in front of it."""
        temporary = self.folder / "shipped.new"
        with temporary.open("w") as file:
            file.write(f"{position.segment} {position.offset}")
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(self.folder / "shipped")
        _sync_folder(self.folder)
        for number in self.segments():
            if number < position.segment:
                segment_path(self.folder, number).unlink()

    def remove_if_done(self) -> bool:
        """Remove the folder of a writer that has ended and left nothing; say whether it is gone."""
        lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CLOEXEC)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            if next(self.records(self.shipped()), None) is not None:
                return False
            shutil.rmtree(self.folder)
            return True
        finally:
            os.close(lock)


def readers(root: Path) -> list[Reader]:
    """The journals of this machine, the oldest writer first."""
    if not root.is_dir():
        return []
    return [Reader(folder) for folder in sorted(root.iterdir()) if not folder.name.startswith(".")]


def _read_segment(path: Path, number: int, start: int) -> Iterator[Record]:
    with path.open("rb") as file:
        file.seek(start)
        offset = start
        while len(head := file.read(_HEAD.size)) == _HEAD.size:
            length, checksum = _HEAD.unpack(head)
            payload = file.read(length) if length <= MAX_RECORD_BYTES else b""
            if len(payload) != length or zlib.crc32(payload) != checksum:
                logger.warning("%s: stopped at byte %s, where a record is not whole", path, offset)
                return
            offset += _HEAD.size + length
            yield Record(Position(number, offset), payload)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
