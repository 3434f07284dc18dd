"""A commit's tree as plain files in a folder, for a job: nothing in it can lead outside."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.foundation.errors import Invalid
from apps.repos import refnames

from . import process
from .reading import Entry, Repository

MAX_FILES = 50_000
MAX_BYTES = 2 << 30
MAX_LINK_BYTES = 4096


@dataclass(frozen=True)
class Exported:
    """What an export wrote, and the paths it left out with the reason."""

    file_count: int
    total_bytes: int
    left_out: list[tuple[str, str]]


def export(
    repository: Repository, commit: str, folder: Path, *, max_files: int = MAX_FILES, max_bytes: int = MAX_BYTES
) -> Exported:
    """Write the files of a commit below an empty folder of ours; no submodules, no filters, links only to files of the same tree."""
    files, links, done = _sort_out(repository, commit, max_files, max_bytes)
    with closing_batch(repository) as batch:
        folder.mkdir(parents=True, exist_ok=True)
        folders = _folders_of(files)
        for name in sorted(folders):
            (folder / name).mkdir(exist_ok=True)
        for entry in files:
            _write(batch, entry, folder / entry.path)
        for entry, target in _sound_links(batch, files, links, done.left_out):
            (folder / entry.path).parent.mkdir(parents=True, exist_ok=True)
            os.symlink(target, folder / entry.path)
    return done


def export_tar(
    repository: Repository, commit: str, target: Path, *, max_files: int = MAX_FILES, max_bytes: int = MAX_BYTES
) -> Exported:
    """The same as a tar file, without a path of the commit ever touching our disk; readable by everybody, replaced whole."""
    files, links, done = _sort_out(repository, commit, max_files, max_bytes)
    draft = target.with_name(f".{target.name}.draft")
    with closing_batch(repository) as batch, tarfile.open(draft, "w", format=tarfile.PAX_FORMAT) as archive:
        for entry in files:
            member = tarfile.TarInfo(entry.path)
            member.size, member.mode = _request(batch, entry), 0o755 if entry.mode == "100755" else 0o644
            archive.addfile(member, batch.stdout)
            batch.stdout.read(1)
        for entry, place in _sound_links(batch, files, links, done.left_out):
            member = tarfile.TarInfo(entry.path)
            member.type, member.linkname = tarfile.SYMTYPE, place
            archive.addfile(member)
    draft.chmod(0o644)
    draft.rename(target)
    return done


@contextmanager
def closing_batch(repository: Repository) -> Iterator[Any]:
    """A running `cat-file --batch`, ended with the block."""
    batch = repository.batch()
    try:
        yield batch
    finally:
        process.close(batch)


def _sort_out(
    repository: Repository, commit: str, max_files: int, max_bytes: int
) -> tuple[list[Entry], list[Entry], Exported]:
    files: list[Entry] = []
    links: list[Entry] = []
    left_out: list[tuple[str, str]] = []
    total = 0
    for entry in repository.walk(commit):
        if not refnames.is_tree_path(entry.path) or "\N{REPLACEMENT CHARACTER}" in entry.path:
            left_out.append((entry.path, "a name that is not allowed"))
        elif entry.kind == "submodule":
            left_out.append((entry.path, "a submodule"))
        else:
            (links if entry.kind == "link" else files).append(entry)
            total += entry.size_bytes or 0
        if len(files) + len(links) > max_files or total > max_bytes:
            raise Invalid(f"This commit is larger than a job may check out ({max_files} files, {max_bytes >> 20} MB).")
    return files, links, Exported(len(files), total, left_out)


def _folders_of(files: list[Entry]) -> set[str]:
    folders = {""}
    for entry in files:
        parts = entry.path.split("/")[:-1]
        folders.update("/".join(parts[:depth]) for depth in range(1, len(parts) + 1))
    return folders


def _sound_links(
    batch: Any, files: list[Entry], links: list[Entry], left_out: list[tuple[str, str]]
) -> Iterator[tuple[Entry, str]]:
    folders = _folders_of(files)
    known = folders | {entry.path for entry in files}
    for entry in links:
        target = _read(batch, entry).decode(errors="replace")
        if _stays_inside(entry.path, target, folders, known):
            yield entry, target
        else:
            left_out.append((entry.path, "a link that leads outside or to another link"))


def _stays_inside(path: str, target: str, folders: set[str], known: set[str]) -> bool:
    """Whether a link's every step goes through real folders of the tree to something that is in it."""
    if not target or target.startswith("/") or "\x00" in target:
        return False
    here = path.split("/")[:-1]
    steps = [step for step in target.split("/") if step not in ("", ".")]
    for number, step in enumerate(steps):
        if step == "..":
            if not here:
                return False
            here.pop()
            continue
        here.append(step)
        if "/".join(here) not in (known if number == len(steps) - 1 else folders):
            return False
    return "/".join(here) in known


def _request(batch: Any, entry: Entry) -> int:
    batch.stdin.write(f"{entry.sha}\n".encode())
    batch.stdin.flush()
    sha, kind, size = batch.stdout.readline().decode().split()
    if sha != entry.sha or kind != "blob":
        raise Invalid(f"The repository is damaged: {entry.path} cannot be read.")
    return int(size)


def _read(batch: Any, entry: Entry) -> bytes:
    size = _request(batch, entry)
    if size > MAX_LINK_BYTES:
        raise Invalid(f"The link {entry.path} has a target of {size} bytes; a path is shorter.")
    content = batch.stdout.read(size)
    batch.stdout.read(1)
    return content


def _write(batch: Any, entry: Entry, target: Path) -> None:
    left = _request(batch, entry)
    mode = 0o755 if entry.mode == "100755" else 0o644
    try:
        opened = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    except OSError as error:
        raise Invalid(f"The commit names {entry.path:.200} twice, or cannot be written as files.") from error
    with open(opened, "wb") as written:
        while left:
            piece = batch.stdout.read(min(left, 1 << 20))
            if not piece:
                raise Invalid(f"The repository is damaged: {entry.path} ends early.")
            written.write(piece)
            left -= len(piece)
    batch.stdout.read(1)
