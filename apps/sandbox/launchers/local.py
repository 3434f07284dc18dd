"""Guests as processes of this machine, each with its keeper, its folder in `<home>/guests`, and walls of its own."""

from __future__ import annotations

import compileall
import contextlib
import hashlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from apps.sandbox.launchers import Bind, GuestSpec, GuestState, LaunchRefused, Reason, linux, walls
from apps.sandbox.launchers.cgroups import Group
from apps.sandbox.launchers.keeper import write_atomically, write_exit
from apps.sandbox.launchers.remove import remove_tree

_KEEPER = Path(__file__).with_name("keeper.py")
_GUEST_PACKAGE = Path(__file__).parents[1] / "guest"
_CLIENT_PACKAGE = Path(__file__).parents[3] / "client" / "boathouse"
# Linux distributions and systemd leave this range of user ids alone.
_FIRST_UID, _UID_COUNT = 1_900_000_000, 1 << 24
# What is never shown to a guest, whatever the spec says.
_PRIVATE = ("secrets", "postgres", "redis", "run", "logs", "guests", "mail")
_SOCKET_PATH_BYTES = 107
_KEEPER_START_SECONDS = 10.0


class LocalLauncher:
    """The launcher of one installation on this machine; its state is what lies in the folder, so it may be restarted."""

    def __init__(self, home: Path, *, allowed: Sequence[Path] = ()) -> None:
        self.folder = home.resolve() / "guests"
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.private = [home.resolve() / name for name in _PRIVATE]
        self.allowed = [home.resolve(), *(path.resolve() for path in allowed)]
        self.family = f"boathouse-{hashlib.sha256(bytes(self.folder)).hexdigest()[:12]}"
        self.system = [*walls.SYSTEM_FOLDERS, *walls.interpreter_folders()]
        self.guest_code = str(self._copy_guest_code())
        self._keepers: dict[uuid.UUID, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()

    # The three methods

    def launch(self, spec: GuestSpec) -> GuestState:
        """Start the guest, or find the one that has this id; raises LaunchRefused."""
        self._require_sound(spec)
        with self._lock:
            found = self.check(spec.id)
            if found:
                return found
            folder = self._prepare(spec)
            self._start_keeper(spec.id, folder)
        return GuestState(spec.id, "starting", label=spec.label)

    def stop(self, guest_id: uuid.UUID, *, grace_seconds: float = 5, reason: Reason = "stopped") -> GuestState:
        """End the guest and everything it started: politely, and after the grace by force."""
        state = self.check(guest_id)
        if state is None:
            raise LaunchRefused(f"there is no guest {guest_id} here")
        folder = self.folder / str(guest_id)
        if not state.is_final:
            write_atomically(folder / "stop.json", {"reason": reason, "grace_seconds": grace_seconds})
            self._signal_keeper(folder, signal.SIGTERM)
            state = self._wait_final(guest_id, grace_seconds + 3)
        if not state.is_final:
            self._signal_keeper(folder, signal.SIGKILL)
            state = self._wait_final(guest_id, 5)
        return state

    def check(self, guest_id: uuid.UUID) -> GuestState | None:
        """The truth about the guest, or None for an id that this launcher never had."""
        folder = self.folder / str(guest_id)
        stored = _read(folder / "spec.json")
        if stored is None:
            return None
        ended = _read(folder / "exit.json")
        if ended is None and not self._keeper_is_alive(guest_id, folder):
            ended = _read(folder / "exit.json") or self._bury(folder)
        started = _read(folder / "started.json")
        output = folder / "output.log"
        facts = {"label": stored["spec"]["label"], "output_bytes": output.stat().st_size if output.exists() else 0}
        if ended is not None:
            return GuestState(guest_id, **facts, **ended)
        if started:
            return GuestState(guest_id, "running", **facts, **started)
        return GuestState(guest_id, "starting", **facts)

    # What the daemon needs besides

    def list_guests(self) -> Iterator[GuestState]:
        """The states of all guests that have a folder here."""
        for folder in sorted(self.folder.iterdir()):
            with contextlib.suppress(ValueError):
                state = self.check(uuid.UUID(folder.name))
                if state:
                    yield state

    def read_output(self, guest_id: uuid.UUID, offset: int = 0, size: int = 1 << 20) -> bytes:
        """What the guest printed, from a byte offset on."""
        with contextlib.suppress(FileNotFoundError), open(self.folder / str(guest_id) / "output.log", "rb") as log:
            log.seek(offset)
            return log.read(size)
        return b""

    def open_file(self, guest_id: uuid.UUID, path: str) -> int:
        """A descriptor to read a regular file that the guest left in its work folder; follows no link."""
        folder = os.open(self.folder / str(guest_id) / "work", os.O_RDONLY | os.O_DIRECTORY)
        try:
            found = linux.open_beneath(folder, path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError as failure:
            raise FileNotFoundError(f"{path} is not a file that the guest left: {failure.strerror}") from failure
        finally:
            os.close(folder)
        if not os.path.isfile(f"/proc/self/fd/{found}"):
            os.close(found)
            raise FileNotFoundError(f"{path} is not a regular file")
        return found

    def remove(self, guest_id: uuid.UUID) -> None:
        """Forget a guest that has ended, with all its files."""
        state = self.check(guest_id)
        if state is None:
            return
        if not state.is_final:
            raise LaunchRefused(f"guest {guest_id} is still {state.state}: stop it first")
        gone = self.folder / f".gone-{guest_id}"
        os.rename(self.folder / str(guest_id), gone)
        self._keepers.pop(guest_id, None)
        remove_tree(gone)

    def sweep(self, older_than_seconds: float) -> None:
        """Write down who was lost, and remove what ended long ago."""
        for folder in self.folder.iterdir():
            with contextlib.suppress(ValueError, FileNotFoundError):
                guest_id = uuid.UUID(folder.name)
                if not (folder / "exit.json").exists():
                    self.check(guest_id)
                elif (folder / "exit.json").stat().st_mtime < time.time() - older_than_seconds:
                    self.remove(guest_id)

    def tidy(self) -> None:
        """Remove what a killed daemon left half made or half removed."""
        with self._lock:
            for pattern in (".gone-*", ".new-*"):
                for folder in self.folder.glob(pattern):
                    remove_tree(folder)
            running = {str(state.id) for state in self.list_guests() if not state.is_final}
            Group.clear(self.family, keep=running)

    # Inside

    def _require_sound(self, spec: GuestSpec) -> None:
        if not spec.argv or not spec.argv[0].startswith("/"):
            raise LaunchRefused("argv must begin with the absolute path of a program")
        if spec.listen_socket and len(os.fsencode(spec.listen_socket)) > _SOCKET_PATH_BYTES:
            raise LaunchRefused(f"listen_socket is longer than {_SOCKET_PATH_BYTES} bytes: {spec.listen_socket}")
        for bind in [*spec.binds, *([Bind(spec.environment)] if spec.environment else [])]:
            source = Path(bind.source)
            if not source.is_absolute() or not source.exists():
                raise LaunchRefused(f"there is nothing to show the guest at {source}")
            real = source.resolve()
            inside = any(real.is_relative_to(root) and real != root for root in self.allowed)
            if not inside or any(real.is_relative_to(root) for root in self.private):
                raise LaunchRefused(f"{source} is outside what guests may be shown")
            if bind.target and (not bind.target.startswith("/") or ".." in Path(bind.target).parts):
                raise LaunchRefused(f"{bind.target} is not an absolute path")

    def _prepare(self, spec: GuestSpec) -> Path:
        new = self.folder / f".new-{spec.id}"
        if new.exists():
            remove_tree(new)
        for part in ("", "root", "work"):
            (new / part).mkdir(mode=0o700)
        uid = gid = os.getuid()
        if uid == 0:
            uid = gid = _FIRST_UID + secrets.randbelow(_UID_COUNT)
            os.chown(new / "work", uid, gid)
        else:
            gid = os.getgid()
        values = spec.to_dict()
        write_atomically(new / "env.json", values.pop("env"))
        stored = {"spec": values, "uid": uid, "gid": gid, "guest_code": self.guest_code, "system": self.system}
        write_atomically(new / "spec.json", {**stored, "created_at": time.time()})
        group = Group.create(self.family, str(spec.id), spec.limits.memory_bytes, spec.limits.processes)
        write_atomically(new / "group.json", group.to_dict())
        folder = self.folder / str(spec.id)
        os.rename(new, folder)
        return folder

    def _start_keeper(self, guest_id: uuid.UUID, folder: Path) -> None:
        with open(folder / "keeper.log", "ab", opener=lambda name, flags: os.open(name, flags, 0o600)) as log:
            keeper = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_KEEPER), str(folder)],
                env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._keepers[guest_id] = keeper
        # The keeper writes the same, but later: both may be killed before that.
        write_atomically(folder / "keeper.json", {"pid": keeper.pid, "birth": linux.birth_of(keeper.pid)})

    def _copy_guest_code(self) -> Path:
        """Our guest package and client, compiled, where guests that run now keep them while we are upgraded."""
        packages = {"guest": _GUEST_PACKAGE, "client/boathouse": _CLIENT_PACKAGE}
        files = {
            f"{name}/{file.relative_to(package)}": file
            for name, package in packages.items()
            for file in sorted(package.rglob("*.py"))
        }
        digest = hashlib.sha256()
        for inner, file in files.items():
            digest.update(inner.encode() + b"\0" + file.read_bytes() + b"\0")
        copy = self.folder / ".code" / digest.hexdigest()[:16]
        if not copy.exists():
            new = copy.with_name(f".{secrets.token_hex(8)}")
            for inner in ("guest", "client"):
                (new / inner).mkdir(parents=True)
            for inner, file in files.items():
                (new / inner).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, new / inner)
            compileall.compile_dir(new, quiet=2, stripdir=str(new), prependdir="/boathouse")
            for path in [new, *new.rglob("*")]:
                path.chmod(0o755 if path.is_dir() else 0o644)
            try:
                os.rename(new, copy)
            except OSError:
                # Somebody else made the same one meanwhile.
                shutil.rmtree(new)
        return copy

    def _keeper_is_alive(self, guest_id: uuid.UUID, folder: Path) -> bool:
        own = self._keepers.get(guest_id)
        if own is not None and own.poll() is None:
            return True
        keeper = _read(folder / "keeper.json")
        if keeper is None:
            # A keeper of a daemon that was killed may not have come to write its name yet.
            stored = _read(folder / "spec.json") or {}
            return own is None and time.time() - stored.get("created_at", 0) < _KEEPER_START_SECONDS
        return keeper["birth"] is not None and linux.birth_of(keeper["pid"]) == keeper["birth"]

    def _signal_keeper(self, folder: Path, number: signal.Signals) -> None:
        keeper = _read(folder / "keeper.json")
        own = self._keepers.get(uuid.UUID(folder.name))
        pid = keeper["pid"] if keeper else own.pid if own else None
        if pid is None or (keeper and linux.birth_of(pid) != keeper["birth"]):
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)

    def _bury(self, folder: Path) -> dict[str, Any]:
        """Write the final word about a guest whose keeper died, after making sure that nothing of it is left."""
        (folder / "env.json").unlink(missing_ok=True)
        Group.from_dict(_read(folder / "group.json") or {}).kill()
        wish = _read(folder / "stop.json")
        if wish:
            write_exit(folder, code=None, signal=int(signal.SIGKILL), reason=wish["reason"])
        else:
            write_exit(folder, state="lost", message="its keeper ended without a word: killed, or the machine stopped")
        return _read(folder / "exit.json") or {}

    def _wait_final(self, guest_id: uuid.UUID, seconds: float) -> GuestState:
        until = time.monotonic() + seconds
        while True:
            state = self.check(guest_id)
            assert state is not None
            if state.is_final or time.monotonic() >= until:
                return state
            time.sleep(0.02)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        values: dict[str, Any] = json.loads(path.read_text())
        return values
    except (FileNotFoundError, NotADirectoryError):
        return None
