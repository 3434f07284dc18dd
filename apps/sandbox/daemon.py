"""sandboxd: the one process that starts guests on this machine. `python -m apps.sandbox.daemon --home H --socket S`.

It may be killed at any moment: guests go on with their keepers, and the next daemon reads everything from the folders.
A polite end (SIGTERM) stops the guests first.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import logging
import os
import signal
import socket
import struct
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from apps.sandbox import wire
from apps.sandbox.launchers import GuestSpec, LaunchRefused, Reason
from apps.sandbox.launchers.capabilities import capabilities_report
from apps.sandbox.launchers.local import LocalLauncher

log = logging.getLogger("sandboxd")

_RECONCILE_SECONDS = 5.0
_KEEP_ENDED_SECONDS = 24 * 3600.0
# Waiting for a guest holds a thread, and must not keep others from launching.
_MOST_REQUESTS = 256
_LOCK_SECONDS = 5.0
_WAIT_STEP_SECONDS = 0.005


class Daemon:
    """Answers requests on a Unix socket and keeps the truth about guests up to date."""

    def __init__(self, home: Path, socket_path: Path, *, allowed: list[Path], clients: list[int]) -> None:
        self.launcher = LocalLauncher(home, allowed=allowed)
        self.socket_path = socket_path
        self.clients = {os.getuid(), 0, *clients}
        self.ending = threading.Event()
        self.report: dict[str, Any] = {"ok": False, "walls": {}, "missing": ["the walls are still being tried"]}

    def run(self) -> None:
        """Serve until a signal says to end."""
        lock = self.lock_home()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.ending.set())
        self.launcher.tidy()
        self.report = capabilities_report(self.launcher)
        for sentence in self.report["missing"]:
            log.warning("%s", sentence)
        listener = self.listen()
        threading.Thread(target=self.serve, args=(listener,), daemon=True).start()
        log.info("ready on %s, walls %s", self.socket_path, "stand" if self.report["ok"] else "do not stand")
        while not self.ending.wait(_RECONCILE_SECONDS):
            try:
                self.launcher.sweep(_KEEP_ENDED_SECONDS)
            except Exception:
                log.exception("could not look after the guests; trying again")
        self.socket_path.unlink(missing_ok=True)
        self.stop_all()
        self.launcher.tidy()
        os.close(lock)

    def lock_home(self) -> int:
        """Hold the home's lock, so that two daemons never look after the same guests."""
        lock = os.open(self.launcher.folder / ".daemon.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        for _ in range(int(_LOCK_SECONDS / 0.1)):
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return lock
            time.sleep(0.1)
        raise SystemExit(f"another sandbox daemon looks after {self.launcher.folder}")

    def listen(self) -> socket.socket:
        """The daemon's socket, for its own user and the clients named at the start."""
        self.socket_path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        previous = os.umask(0o177)
        listener.bind(str(self.socket_path))
        os.umask(previous)
        others = self.clients - {os.getuid(), 0}
        if others:
            # Who connects is checked by the kernel's word on their user, not by the mode.
            os.chmod(self.socket_path, 0o666)
        listener.listen(128)
        return listener

    def serve(self, listener: socket.socket) -> None:
        """Accept and answer, each request in a thread of a small pool."""
        with ThreadPoolExecutor(_MOST_REQUESTS) as pool:
            while True:
                peer, _ = listener.accept()
                pool.submit(self.answer, peer)

    def answer(self, peer: socket.socket) -> None:
        """Answer the one request of a connection."""
        with contextlib.closing(peer), contextlib.suppress(OSError):
            peer.settimeout(30)
            credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
            _, uid, _ = struct.unpack("3i", credentials)
            if uid not in self.clients:
                wire.send(peer, {"error": "refused", "message": f"user {uid} may not start guests here"})
                return
            request, _, _ = wire.receive(peer)
            payload, fds = b"", list[int]()
            answer: dict[str, Any] = {"value": None}
            try:
                value = getattr(self, f"do_{request.pop('verb')}")(**request)
                if isinstance(value, bytes):
                    payload = value
                elif isinstance(value, Descriptor):
                    fds.append(value.fd)
                else:
                    answer = {"value": value}
            except LaunchRefused as refusal:
                answer = {"error": "refused", "message": str(refusal)}
            except (FileNotFoundError, NotADirectoryError) as failure:
                answer = {"error": "missing", "message": str(failure)}
            except Exception as failure:
                log.exception("request failed")
                answer = {"error": "failed", "message": f"{type(failure).__name__}: {failure}"}
            try:
                wire.send(peer, answer, payload, tuple(fds))
            finally:
                for fd in fds:
                    os.close(fd)

    def do_launch(self, spec: dict[str, Any]) -> dict[str, Any]:
        """Start a guest, unless the walls do not stand here."""
        if self.ending.is_set():
            raise LaunchRefused("this sandbox daemon is ending")
        if not self.report["ok"]:
            raise LaunchRefused("guests do not start on this machine: " + "; ".join(self.report["missing"]))
        return self.launcher.launch(GuestSpec.from_dict(spec)).to_dict()

    def do_check(self, id: str) -> dict[str, Any] | None:
        """The state of a guest."""
        state = self.launcher.check(uuid.UUID(id))
        return state.to_dict() if state else None

    def do_wait(self, id: str, seconds: float) -> dict[str, Any] | None:
        """The state of a guest when it is final, or after a time."""
        until = time.monotonic() + seconds
        pause = _WAIT_STEP_SECONDS
        while True:
            state = self.launcher.check(uuid.UUID(id))
            if state is None or state.is_final or time.monotonic() >= until:
                return state.to_dict() if state else None
            time.sleep(pause)
            # Who has waited long can wait a little longer.
            pause = min(pause * 1.2, 0.2)

    def do_stop(self, id: str, grace_seconds: float, reason: Reason) -> dict[str, Any]:
        """Stop a guest."""
        return self.launcher.stop(uuid.UUID(id), grace_seconds=grace_seconds, reason=reason).to_dict()

    def do_list(self) -> list[dict[str, Any]]:
        """All guests."""
        return [state.to_dict() for state in self.launcher.list_guests()]

    def do_read_output(self, id: str, offset: int, size: int) -> bytes:
        """A piece of a guest's output."""
        return self.launcher.read_output(uuid.UUID(id), offset, min(size, 16 << 20))

    def do_open_file(self, id: str, path: str) -> Descriptor:
        """A file that a guest left, as a descriptor."""
        return Descriptor(self.launcher.open_file(uuid.UUID(id), path))

    def do_remove(self, id: str) -> None:
        """Forget a guest."""
        self.launcher.remove(uuid.UUID(id))

    def do_report(self) -> dict[str, Any]:
        """What this machine gives guests."""
        return self.report

    def stop_all(self) -> None:
        """End every guest, side by side."""
        running = [state.id for state in self.launcher.list_guests() if not state.is_final]
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda guest_id: self.launcher.stop(guest_id, grace_seconds=3, reason="shutdown"), running))
        if running:
            log.info("stopped %d guests", len(running))


class Descriptor:
    """A file descriptor to hand to the client."""

    def __init__(self, fd: int) -> None:
        self.fd = fd


def main() -> None:
    """Run the daemon of the command line's home."""
    parser = argparse.ArgumentParser(prog="sandboxd")
    parser.add_argument("--home", type=Path, required=True, help="BOATHOUSE_HOME of the installation")
    parser.add_argument("--socket", type=Path, required=True, help="where to listen, a path of at most 107 bytes")
    parser.add_argument("--allow", type=Path, action="append", default=[], help="more folders that guests may be shown")
    parser.add_argument("--client-uid", type=int, action="append", default=[], help="users that may ask, besides ours")
    parser.add_argument("--report", action="store_true", help="print what this machine gives guests, and end")
    wish = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s sandboxd %(levelname)s %(message)s")
    if wish.report:
        report = capabilities_report(LocalLauncher(wish.home, allowed=wish.allow))
        print(json.dumps(report, indent=2))
        sys.exit(0 if report["ok"] else 1)
    Daemon(wish.home, wish.socket, allowed=wish.allow, clients=wish.client_uid).run()


if __name__ == "__main__":
    main()
