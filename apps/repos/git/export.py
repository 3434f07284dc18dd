"""A commit's tree as plain files in a folder, for a job: nothing in it can lead outside."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

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
    repository: Repository,
    commit: str,
    folder: Path,
    *,
    max_files: int = MAX_FILES,
    max_bytes: int = MAX_BYTES,
) -> Exported:
    """Write the files of a commit below an empty folder of ours; no submodules, no filters, links only to files of the same tree."""
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
    batch = repository.batch()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folders = _make_folders(folder, files)
        for entry in files:
            _write(batch, entry, folder / entry.path)
        known = folders | {entry.path for entry in files}
        for entry in links:
            target = _read(batch, entry).decode(errors="replace")
            if not _stays_inside(entry.path, target, folders, known):
                left_out.append((entry.path, "a link that leads outside or to another link"))
                continue
            (folder / entry.path).parent.mkdir(parents=True, exist_ok=True)
            os.symlink(target, folder / entry.path)
    finally:
        process.close(batch)
    return Exported(len(files), total, left_out)


def _make_folders(root: Path, files: list[Entry]) -> set[str]:
    folders = {""}
    for entry in files:
        parts = entry.path.split("/")[:-1]
        folders.update("/".join(parts[:depth]) for depth in range(1, len(parts) + 1))
    for name in sorted(folders):
        (root / name).mkdir(exist_ok=True)
    return folders


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


def _request(batch, entry: Entry) -> int:
    batch.stdin.write(f"{entry.sha}\n".encode())
    batch.stdin.flush()
    sha, kind, size = batch.stdout.readline().decode().split()
    if sha != entry.sha or kind != "blob":
        raise Invalid(f"The repository is damaged: {entry.path} cannot be read.")
    return int(size)


def _read(batch, entry: Entry) -> bytes:
    size = _request(batch, entry)
    if size > MAX_LINK_BYTES:
        raise Invalid(f"The link {entry.path} has a target of {size} bytes; a path is shorter.")
    content = batch.stdout.read(size)
    batch.stdout.read(1)
    return content


def _write(batch, entry: Entry, target: Path) -> None:
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
