"""Files of runs and logged models: whose a path is, who may use it, and reading and writing that never leaves its folder.

A path is `<experiment number>/<run>/artifacts/...` or `<experiment number>/models/<model>/artifacts/...`. Uploads are written aside,
synced, and put in place by a rename, so a file is there whole or not at all, and is replaced, never written into.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote

from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.policy import authorise, fetch
from apps.access.storage import location
from apps.experiments.models import Experiment, LoggedModel, Run
from apps.foundation.errors import Conflict, Invalid, NotFound, TooLarge
from apps.foundation.ids import new_id, parse_id

STEPS_MAX = 64
STEP_BYTES_MAX = 255
PATH_MAX = 4_000
ENTRIES_MAX = 100_000
UPLOADS_KEPT_SECONDS = 24 * 3600
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class Place:
    """A spot in the files of one resource: `root` is assigned by us, `steps` were checked one by one."""

    resource: Resource
    root: Path
    steps: tuple[str, ...]
    run: Run | None = None
    logged_model: LoggedModel | None = None

    @property
    def path(self) -> Path:
        """The whole path. Open it through `reading` and its sisters, which follow no links."""
        return self.root.joinpath(*self.steps)


@dataclass(frozen=True)
class Entry:
    """One line of a listing: the bare name."""

    name: str
    is_dir: bool
    size: int | None


def decoded(path: str) -> str:
    """The path with all layers of percent-encoding taken off."""
    for _ in range(10):
        plain = unquote(path)
        if plain == path:
            break
        path = plain
    return path


def split_path(path: str) -> tuple[str, ...]:
    """The steps of a relative path. Raises Invalid for one that leads elsewhere, however often it is encoded."""
    inside = decoded(path)
    if any(mark in inside for mark in ("\\", "\0", "#", ";")) or len(path) > PATH_MAX or "://" in inside:
        raise bad_path()
    if (
        inside.startswith("/")
        or inside.count("/") != path.count("/")
        or (len(inside) > 1 and inside[1] == ":" and inside[0].isalpha())
    ):
        raise bad_path()
    if any(step in (".", "..") for step in inside.split("/")) or any(ord(char) < 32 for char in inside):
        raise bad_path()
    steps = tuple(path.rstrip("/").split("/")) if path.rstrip("/") else ()
    if len(steps) > STEPS_MAX or any(not step or len(_encoded(step)) > STEP_BYTES_MAX for step in steps):
        raise bad_path()
    return steps


def bad_path() -> Invalid:
    """The error for a path that cannot be used here."""
    return Invalid("Invalid path", code="invalid_path")


def find_place(actor: Actor, path: str, needs: Level = Level.VIEW) -> Place:
    """The place that a path below the proxy names, for somebody who holds `needs` on its experiment. Raises Invalid, NotFound, Forbidden."""
    steps = split_path(path)
    if not steps or not steps[0].isascii() or not steps[0].isdecimal() or len(steps[0]) > 18:
        raise NotFound
    experiment = fetch(Experiment, int(steps[0]), actor=actor, needs=needs, by="number", trashed=None)
    root = location(experiment.resource, "artifacts")
    rest = steps[1:]
    if rest[:1] == ("models",):
        model = _model_in(experiment, rest[1]) if len(rest) > 1 else None
        return Place(experiment.resource, root, rest, logged_model=model)
    if rest:
        return Place(experiment.resource, root, rest, run=_run_in(experiment, rest[0]))
    return Place(experiment.resource, root, rest)


def run_place(actor: Actor, run: Run, path: str = "", needs: Level = Level.VIEW) -> Place:
    """A place among the artifacts of a run."""
    authorise(actor, needs, run)
    steps = (run.uuid.hex, "artifacts", *split_path(path))
    resource = run.experiment.resource
    return Place(resource, location(resource, "artifacts"), steps, run=run)


def model_place(model: LoggedModel, path: str = "") -> Place:
    """A place among the files of a logged model that the caller has."""
    steps = ("models", model.hex, "artifacts", *split_path(path))
    resource = model.experiment.resource
    return Place(resource, location(resource, "artifacts"), steps, logged_model=model)


def check_writable(place: Place) -> None:
    """Raises unless files may be put here: in the `artifacts` folder of a run or logged model that is not in the trash."""
    owner_steps = 3 if place.logged_model else 2
    if place.run is None and place.logged_model is None:
        raise NotFound
    if len(place.steps) <= owner_steps or place.steps[owner_steps - 1] != "artifacts":
        raise bad_path()
    if place.resource.deleted_at is not None or (place.run and place.run.deleted_at is not None):
        raise Conflict("It is in the trash: restore it before you add files.")


def list_entries(place: Place) -> list[Entry]:
    """The entries of a folder by name; empty when there is no such folder, or it is a file."""
    with contextlib.ExitStack() as opened:
        folder = _open_folder(opened, place.root, place.steps)
        if folder is None:
            return []
        found = []
        with os.scandir(folder) as entries:
            for entry in entries:
                facts = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(facts.st_mode):
                    found.append(Entry(entry.name, True, None))
                elif stat.S_ISREG(facts.st_mode):
                    found.append(Entry(entry.name, False, facts.st_size))
                if len(found) > ENTRIES_MAX:
                    raise Invalid(f"This folder has more than {ENTRIES_MAX} entries.")
        return sorted(found, key=lambda entry: entry.name)


def open_file(place: Place) -> BinaryIO:
    """The file, opened for reading. Raises NotFound when nothing is there, Invalid when it is a folder."""
    with contextlib.ExitStack() as opened:
        folder = _open_folder(opened, place.root, place.steps[:-1]) if place.steps else None
        if folder is None:
            raise NotFound(f"There is no artifact at '{'/'.join(place.steps)}'.")
        try:
            handle = os.open(place.steps[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=folder)
        except OSError as error:
            raise _as_meaning(error, place) from None
    kind = os.fstat(handle).st_mode
    if not stat.S_ISREG(kind):
        os.close(handle)
        raise Invalid(f"'{'/'.join(place.steps)}' is a folder; list it instead.", code="is_folder")
    return os.fdopen(handle, "rb", buffering=0)


class Upload:
    """A file on its way in. Write, then `finish`; `abandon` leaves nothing behind."""

    def __init__(self, place: Place) -> None:
        self.place = place
        aside = location(place.resource, "uploads")
        make_folder(aside)
        _sweep(aside)
        self._path = aside / new_id().hex
        self._file = self._path.open("xb", buffering=0)

    def write(self, data: bytes) -> None:
        """Append. Raises TooLarge when the storage is full."""
        view = memoryview(data)
        try:
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            raise _as_meaning(error, self.place) from None

    def finish(self) -> None:
        """Sync the file, put it in its place, sync the folder. Raises Conflict when a folder is in the way."""
        try:
            os.fsync(self._file.fileno())
            self._file.close()
            with contextlib.ExitStack() as opened:
                folder = _open_folder(opened, self.place.root, self.place.steps[:-1], make=True)
                assert folder is not None
                os.rename(self._path, self.place.steps[-1], dst_dir_fd=folder)
                os.fsync(folder)
        except OSError as error:
            raise _as_meaning(error, self.place) from None
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Let go of what was written, if it is not in its place."""
        self._file.close()
        self._path.unlink(missing_ok=True)


def save(place: Place, data: bytes) -> None:
    """Put a small file in its place."""
    upload = Upload(place)
    try:
        upload.write(data)
        upload.finish()
    finally:
        upload.abandon()


def delete(place: Place) -> None:
    """Remove a file or a folder with everything in it; nothing when it is not there."""
    with contextlib.ExitStack() as opened:
        folder = _open_folder(opened, place.root, place.steps[:-1])
        if folder is None:
            return
        name = place.steps[-1]
        try:
            if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                shutil.rmtree(name, dir_fd=folder)
            else:
                os.unlink(name, dir_fd=folder)
            os.fsync(folder)
        except FileNotFoundError:
            return


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, so that they survive a crash."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(mode=0o755, exist_ok=True)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make the folder's entries survive a crash."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _open_folder(opened: contextlib.ExitStack, root: Path, steps: tuple[str, ...], *, make: bool = False) -> int | None:
    """A handle of the folder, reached step by step without following links; None when it is not there."""
    if make:
        make_folder(root)
    try:
        handle = os.open(root, _FOLDER)
        opened.callback(os.close, handle)
        for step in steps:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(step, 0o755, dir_fd=handle)
                    os.fsync(handle)
            handle = os.open(step, _FOLDER, dir_fd=handle)
            opened.callback(os.close, handle)
    except OSError as error:
        if not make and error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return None
        raise
    return handle


def _as_meaning(error: OSError, place: Place) -> Exception:
    shown = "/".join(place.steps)
    if error.errno == errno.ENOENT:
        return NotFound(f"There is no artifact at '{shown}'.")
    if error.errno in (errno.ENOTDIR, errno.EISDIR, errno.ENOTEMPTY, errno.EEXIST, errno.ELOOP):
        return Conflict(f"Something else is in the way of '{shown}'.")
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return TooLarge("The storage of this installation is full.")
    return error


def _sweep(aside: Path) -> None:
    """Remove uploads whose process died long ago."""
    oldest = time.time() - UPLOADS_KEPT_SECONDS
    with os.scandir(aside) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):
                if entry.stat(follow_symlinks=False).st_mtime < oldest:
                    os.unlink(entry.path)


def _run_in(experiment: Experiment, text: str) -> Run:
    key = parse_id(text) if len(text) == 32 else None
    run = Run.objects.filter(experiment=experiment, uuid=key).first() if key else None
    if run is None or run.uuid.hex != text:
        raise NotFound
    run.experiment = experiment
    return run


def _model_in(experiment: Experiment, text: str) -> LoggedModel:
    model = (
        LoggedModel.objects.filter(experiment=experiment, uuid=parse_id(text[2:])).first() if text[:2] == "m-" else None
    )
    if model is None or model.hex != text:
        raise NotFound
    model.experiment = experiment
    return model


def _encoded(step: str) -> bytes:
    try:
        return step.encode()
    except UnicodeEncodeError:
        raise bad_path() from None


def chunks(file: BinaryIO, start: int, length: int, size: int = 256 * 1024) -> Iterator[bytes]:
    """`length` bytes of an open file from `start`, piece by piece."""
    file.seek(start)
    while length > 0:
        piece = file.read(min(size, length))
        if not piece:
            return
        length -= len(piece)
        yield piece
