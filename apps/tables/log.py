"""The parts of a table that are plain files and values: its shapes, its commit files, the paths that a log may name."""

from __future__ import annotations

import datetime
import json
import os
import stat
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from apps.foundation.errors import Unavailable
from apps.tables.arrow import pa
from apps.tables.parquet import Footer

FACTS, MARK = "boathouse", "boathouseMark"


@dataclass(frozen=True)
class DataFile:
    """One Parquet file of a table version. `low`, `high` and `nulls` are its statistics where known."""

    path: str
    bytes: int
    rows: int
    low: dict[str, object] = field(default_factory=dict, repr=False)
    high: dict[str, object] = field(default_factory=dict, repr=False)
    nulls: dict[str, int] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Snapshot:
    """A table as it is in one version: never changes, so it may be kept. `files` are newest first."""

    version: int
    schema: pa.Schema
    files: tuple[DataFile, ...]
    actions: pa.Table = field(repr=False)
    places: list[int] = field(repr=False)

    @cached_property
    def measured_files(self) -> tuple[DataFile, ...]:
        """The files, newest first as in `files`, with their statistics."""
        known = [self._statistics(name) for name in ("min", "max", "null_count")]
        return tuple(
            replace(file, low=low, high=high, nulls=null)
            for file, low, high, null in zip(self.files, *known, strict=True)
        )

    def _statistics(self, name: str) -> list[dict[str, Any]]:
        if name not in self.actions.column_names:
            return [{}] * len(self.files)
        found = self.actions[name].to_pylist()
        return [_known(found[place]) for place in self.places]

    @cached_property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)

    @cached_property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)


def _known(values: dict[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (values or {}).items() if value is not None and not isinstance(value, dict)}


@dataclass(frozen=True)
class Once:
    """What makes a commit happen at most once: a name, and a number that only grows under that name."""

    name: str
    number: int = 1


@dataclass(frozen=True)
class NewFile:
    """A file that already lies in the table's folder and waits to be committed."""

    name: str
    footer: Footer


@dataclass(frozen=True)
class Commit:
    """The version a commit made; `applied` is False when the same once-name had already been committed."""

    version: int
    applied: bool = True


@dataclass(frozen=True)
class LogEntry:
    """One version as its commit file tells it: `facts` are ours, as passed when committing."""

    version: int
    at: datetime.datetime
    operation: str
    facts: dict[str, Any]
    mark: str = ""


def log_entries(root: Path, after: int, limit: int = 1000) -> list[LogEntry]:
    """Up to `limit` versions younger than `after`, oldest first, read from their commit files."""
    entries: list[LogEntry] = []
    for version in range(after + 1, after + 1 + limit):
        try:
            lines = log_file(root, version).read_bytes().splitlines()
        except FileNotFoundError:
            break
        said: dict[str, Any] = next((line["commitInfo"] for line in map(json.loads, lines) if "commitInfo" in line), {})
        facts = said.get(FACTS)
        at = datetime.datetime.fromtimestamp(said.get("timestamp", 0) / 1000, datetime.UTC)
        entries.append(
            LogEntry(
                version,
                at,
                str(said.get("operation", "")),
                facts if isinstance(facts, dict) else {},
                str(said.get(MARK, "")),
            )
        )
    return entries


def regular_files(real_root: str) -> set[str]:
    """The names of the files that lie in the folder itself, links left out: paths in here need no further check."""
    with os.scandir(real_root) as entries:
        return {entry.name for entry in entries if "%" not in entry.name and entry.is_file(follow_symlinks=False)}


def checked_path(real_root: str, logged: str) -> str:
    """The path below the table's folder that a log entry names; Unavailable for one that leads anywhere else."""
    path = unquote(logged)
    parts = path.split("/")
    if (
        path.startswith("/")
        or "\\" in path
        or "\0" in path
        or ":" in parts[0]
        or any(part in ("", ".", "..") for part in parts)
    ):
        raise Unavailable("The table's log names a file outside the table; it was not read.", code="log_path")
    at = real_root
    for part in parts:
        at = os.path.join(at, part)
        try:
            mode = os.lstat(at).st_mode
        except FileNotFoundError as error:
            raise Unavailable("A file of the table is missing.", code="file_missing") from error
        if stat.S_ISLNK(mode):
            raise Unavailable("The table's log names a link; it was not followed.", code="log_path")
    return path


def settle(root: Path, version: int) -> None:
    """Makes a commit survive a power cut: its file, then the folder's entry for it."""
    for path in (log_file(root, version), root / "_delta_log"):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def log_file(root: Path, version: int) -> Path:
    return root / "_delta_log" / f"{version:020}.json"


def file_lives(root: Path, newest: int) -> dict[str, list[tuple[int, int | None]]]:
    """Each file that was ever part of a version up to `newest`: from which version, and from which on no more (None: still)."""
    real = os.path.realpath(root)
    lives: dict[str, list[tuple[int, int | None]]] = {}
    for version in range(newest + 1):
        for line in log_file(root, version).read_bytes().splitlines():
            action = json.loads(line)
            if added := action.get("add"):
                lives.setdefault(checked_path(real, added["path"]), []).append((version, None))
            elif (removed := action.get("remove")) and (spans := lives.get(checked_path(real, removed["path"]))):
                spans[-1] = (spans[-1][0], version)
    return lives
