"""Log files: kept below a size while programs go on writing to them, and followed for people."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

_LARGEST_BYTES = 10 * 1024 * 1024
_KEPT = 3


def rotate(folder: Path, largest_bytes: int = _LARGEST_BYTES) -> None:
    """Set large logs aside as name.1, .2, ...; the file itself stays, since its writers append to it."""
    for log in folder.glob("*.log"):
        if log.stat().st_size <= largest_bytes:
            continue
        for number in range(_KEPT - 1, 0, -1):
            older = log.with_name(f"{log.name}.{number}")
            if older.exists():
                older.replace(log.with_name(f"{log.name}.{number + 1}"))
        shutil.copyfile(log, log.with_name(f"{log.name}.1"))
        os.truncate(log, 0)


def end_of(path: Path, lines: int) -> list[str]:
    """The last lines of a file; none when there is no file."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 400 * lines))
            return file.read().decode(errors="replace").splitlines()[-lines:]
    except FileNotFoundError:
        return []


def logs_of(folder: Path, names: list[str]) -> list[Path]:
    """The logs of these processes (`web` means every web process), or all."""
    found = sorted(folder.glob("*.log"))
    return [path for path in found if not names or path.stem in names or path.stem.rpartition("-")[0] in names]


def follow(folder: Path, names: list[str], lines: int) -> Iterator[str]:
    """The last lines of each log, then whatever is written, each with the name of its process; without end."""
    places: dict[Path, int] = {}
    while True:
        for path in logs_of(folder, names):
            size = path.stat().st_size
            if path not in places:
                for line in end_of(path, lines):
                    yield f"{path.stem:<11} {line}"
                places[path] = size
            elif size < places[path]:
                places[path] = 0
            if size > places[path]:
                yield from _since(path, places)
        time.sleep(0.3)


def _since(path: Path, places: dict[Path, int]) -> Iterator[str]:
    with path.open("rb") as file:
        file.seek(places[path])
        text = file.read()
    whole = text[: text.rfind(b"\n") + 1]
    places[path] += len(whole)
    for line in whole.decode(errors="replace").splitlines():
        yield f"{path.stem:<11} {line}"
