"""The journal keeps what was acknowledged: through torn tails, failed disks, kills, and readers that start anew."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from apps.deployments import journal
from apps.deployments.journal import Position, Reader, Writer

START = Position(0, 0)


def payloads(reader: Reader, after: Position = START) -> list[bytes]:
    return [record.payload for record in reader.records(after)]


def the_reader(root: Path) -> Reader:
    (reader,) = journal.readers(root)
    return reader


def test_records_come_back_in_order_across_segments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "SEGMENT_BYTES", 100)
    writer = Writer(tmp_path)
    wanted = [b"%03d" % number * 9 for number in range(40)]
    for number in range(0, 40, 4):
        writer.write(wanted[number : number + 4])
    reader = the_reader(tmp_path)
    assert payloads(reader) == wanted
    assert len(reader.segments()) == 10
    records = list(reader.records(Position(0, 0)))
    numbers = [record.position.number for record in records]
    assert numbers == sorted(set(numbers))
    for place, record in enumerate(records):
        assert payloads(reader, record.position) == wanted[place + 1 :]


def test_shipped_position_survives_and_drops_segments_in_front(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "SEGMENT_BYTES", 10)
    writer = Writer(tmp_path)
    for number in range(5):
        writer.write([b"record %d" % number])
    reader = the_reader(tmp_path)
    third = list(reader.records(Position(0, 0)))[2]
    reader.note_shipped(third.position)
    assert the_reader(tmp_path).shipped() == third.position
    assert reader.segments() == [3, 4, 5]
    assert payloads(reader, reader.shipped()) == [b"record 3", b"record 4"]


@pytest.mark.parametrize("cut", [1, 4, 7, 8, 9, 15])
def test_a_torn_tail_ends_the_segment_and_nothing_else(tmp_path: Path, cut: int) -> None:
    writer = Writer(tmp_path)
    writer.write([b"first", b"second", b"third!"])
    path = next(tmp_path.glob("*/*.log"))
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - cut)
    whole = [b"first", b"second"] if cut < 14 else [b"first"]
    assert payloads(the_reader(tmp_path)) == whole


def test_a_changed_byte_is_noticed(tmp_path: Path) -> None:
    Writer(tmp_path).write([b"first", b"second"])
    path = next(tmp_path.glob("*/*.log"))
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    assert payloads(the_reader(tmp_path)) == [b"first"]


def test_a_folder_goes_only_when_its_writer_is_dead_and_all_is_shipped(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    writer.write([b"kept"])
    reader = the_reader(tmp_path)
    assert not reader.remove_if_done(), "it is alive"
    writer.close()
    assert not reader.remove_if_done(), "a record is not shipped"
    reader.note_shipped(list(reader.records(Position(0, 0)))[-1].position)
    assert reader.remove_if_done()
    assert journal.readers(tmp_path) == []


def test_what_could_not_be_synced_is_not_acknowledged_and_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Writer(tmp_path)
    writer.write([b"before"])
    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", _no_space)
        with pytest.raises(OSError, match="No space"):
            asyncio.run(writer.append(b"lost"))
    writer.write([b"after"])
    assert payloads(the_reader(tmp_path)) == [b"before", b"after"]


def _no_space(_: int) -> None:
    raise OSError(28, "No space left on device")


def test_many_at_once_share_a_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda file: (synced.append(file), real(file)))

    async def append_all() -> None:
        writer = Writer(tmp_path)
        await asyncio.gather(*(writer.append(b"%d" % number) for number in range(200)))

    asyncio.run(append_all())
    assert sorted(payloads(the_reader(tmp_path)), key=int) == [b"%d" % number for number in range(200)]
    assert len(synced) <= 3


_WRITE_FOREVER = """
import sys, pathlib
from apps.deployments.journal import Writer
writer = Writer(pathlib.Path(sys.argv[1]))
number = 0
while True:
    writer.write([b"%d" % (number + place) for place in range(3)])
    number += 3
    print(number, flush=True)
"""


@pytest.mark.parametrize("seconds", [0.05, 0.11, 0.23])
def test_a_killed_writer_leaves_everything_it_acknowledged(tmp_path: Path, seconds: float) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _WRITE_FOREVER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(seconds)
        process.send_signal(signal.SIGKILL)
        acknowledged = max(int(line) for line in process.stdout.read().split() or ["0"])
    found = [int(payload) for payload in payloads(the_reader(tmp_path))]
    assert found == list(range(len(found)))
    assert len(found) >= acknowledged > 0
    reader = the_reader(tmp_path)
    reader.note_shipped(list(reader.records(Position(0, 0)))[-1].position)
    assert reader.remove_if_done(), "its lock ended with it"
