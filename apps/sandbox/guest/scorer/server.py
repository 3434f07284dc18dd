"""The scorer's loop: reads every request that waits, answers them together, writes. One thread predicts, so nothing queues twice.

A second thread takes connections. What a connection is for stands in its first byte: S to score, H to ask for health, D to
ask for the end. So a scorer in the middle of a long prediction still says that it lives.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import selectors
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

from . import frames
from .model import Model

READ_BYTES = 1 << 20
MAX_UNSENT_BYTES = 256 << 20
SMALL_BYTES = 32 * 1024
DRAIN_SECONDS = 60.0


class Connection:
    """One web process: what it sent and is incomplete, what it was answered and has not taken yet."""

    def __init__(self, link: socket.socket) -> None:
        self.link = link
        self.reader = frames.FrameReader()
        self.unsent = bytearray()
        self.waits_to_write = False


class Request:
    """One scoring request that waits for its answer."""

    __slots__ = ("body", "connection", "content_type", "request_id")

    def __init__(self, connection: Connection, frame: frames.Frame) -> None:
        self.connection = connection
        self.request_id = frame.request_id
        self.content_type, self.body = frames.decode_score(frame.payload)


class Scorer:
    """Serves one model to the connections that the door hands over, until told to drain."""

    def __init__(self, model: Model, door: Door) -> None:
        self._model = model
        self._door = door
        self._selector = selectors.DefaultSelector()
        self._selector.register(door.bell, selectors.EVENT_READ, None)
        self._inbox: list[Request] = []
        self._connections: set[Connection] = set()
        self._hello = frames.encode(frames.HELLO, 0, json.dumps(model.facts).encode())
        self._drain_by: float | None = None

    def run(self) -> None:
        """Serve until drained: no new connection then, and an end when those there are have gone, or after a minute."""
        while True:
            if self._door.draining and self._drain_by is None:
                self._drain_by = time.monotonic() + DRAIN_SECONDS
            if self._drain_by is not None and (not self._connections or time.monotonic() > self._drain_by):
                return
            self._read(timeout=0 if self._inbox else 0.5)
            if self._inbox:
                self._answer()

    def _read(self, timeout: float) -> None:
        for key, events in self._selector.select(timeout):
            if key.data is None:
                self._welcome()
                continue
            if events & selectors.EVENT_WRITE:
                self._flush(key.data)
            if events & selectors.EVENT_READ:
                self._receive(key.data)

    def _welcome(self) -> None:
        for link in self._door.visitors():
            link.setblocking(False)
            connection = Connection(link)
            self._connections.add(connection)
            self._selector.register(link, selectors.EVENT_READ, connection)
            self._send(connection, self._hello)

    def _receive(self, connection: Connection) -> None:
        try:
            chunk = connection.link.recv(READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            chunk = b""
        if not chunk:
            self._close(connection)
            return
        try:
            for frame in connection.reader.feed(chunk):
                if frame.kind == frames.SCORE:
                    self._inbox.append(Request(connection, frame))
        except frames.BrokenFrame as error:
            print(f"closing a connection: {error}", file=sys.stderr, flush=True)
            self._close(connection)

    def _answer(self) -> None:
        """Answer the small requests together, or else one large one: so the large ones hold up nobody for long."""
        inbox = self._inbox
        small = [request for request in inbox if len(request.body) <= SMALL_BYTES]
        batch = small or inbox[:1]
        self._inbox = [request for request in inbox if len(request.body) > SMALL_BYTES] if small else inbox[1:]
        with self._door.busy():
            answers = self._model.answer_all([(request.content_type, request.body) for request in batch])
        sending: dict[Connection, bytearray] = {}
        for request, answer in zip(batch, answers, strict=True):
            self._door.count(answer.status)
            frame = frames.encode_answer(request.request_id, answer.status, answer.content_type, answer.body)
            sending.setdefault(request.connection, bytearray()).extend(frame)
        for connection, data in sending.items():
            self._send(connection, data)

    def _send(self, connection: Connection, data: bytes | bytearray) -> None:
        if connection not in self._connections:
            return
        connection.unsent += data
        self._flush(connection)

    def _flush(self, connection: Connection) -> None:
        try:
            while connection.unsent:
                sent = connection.link.send(connection.unsent)
                del connection.unsent[:sent]
        except (BlockingIOError, InterruptedError):
            # whoever does not take its answers must not fill our memory with them
            if len(connection.unsent) > MAX_UNSENT_BYTES:
                self._close(connection)
                return
        except OSError:
            self._close(connection)
            return
        if connection.waits_to_write != bool(connection.unsent):
            connection.waits_to_write = bool(connection.unsent)
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.unsent else 0)
            self._selector.modify(connection.link, wanted, connection)

    def _close(self, connection: Connection) -> None:
        if connection in self._connections:
            self._connections.discard(connection)
            self._selector.unregister(connection.link)
            connection.link.close()
            self._inbox = [request for request in self._inbox if request.connection is not connection]


class Door:
    """Takes connections in a thread of its own, answers about health there, and hands the others to the scorer."""

    def __init__(self, listener: socket.socket) -> None:
        self.draining = False
        self.bell, self._ring = socket.socketpair()
        self._listener = listener
        self._facts: dict[str, Any] = {}
        self._state = "loading"
        self._answered = 0
        self._failed = 0
        self._busy_since: float | None = None
        self._visitors: queue.SimpleQueue[socket.socket] = queue.SimpleQueue()
        threading.Thread(target=self._serve, name="door", daemon=True).start()

    def open(self, facts: dict[str, Any]) -> None:
        """Say from now on that requests are answered."""
        self._facts = facts
        self._state = "ready"

    def drain(self) -> None:
        """Take nobody in any more."""
        self.draining = True
        self._ring.send(b".")

    def visitors(self) -> list[socket.socket]:
        """Return the connections that came to score since the last call."""
        self.bell.recv(4096)
        found = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self._visitors.get_nowait())
        return found

    def count(self, status: int) -> None:
        """Count one answer."""
        self._answered += 1
        self._failed += status >= 500

    @contextlib.contextmanager
    def busy(self) -> Any:
        """Mark the time inside as spent in the model."""
        self._busy_since = time.monotonic()
        try:
            yield
        finally:
            self._busy_since = None

    def report(self) -> dict[str, Any]:
        """Return the state, the counts, and how long the present prediction has taken."""
        since = self._busy_since
        return {
            **self._facts,
            "state": "draining" if self.draining else self._state,
            "answered": self._answered,
            "failed": self._failed,
            "busy_seconds": round(time.monotonic() - since, 3) if since else 0.0,
            "rss_bytes": _rss_bytes(),
        }

    def _serve(self) -> None:
        while True:
            link, _ = self._listener.accept()
            try:
                self._receive(link)
            except OSError:
                link.close()

    def _receive(self, link: socket.socket) -> None:
        link.settimeout(1)
        wish = link.recv(1)
        if wish == b"S" and self._state == "ready" and not self.draining:
            self._visitors.put(link)
            self._ring.send(b".")
            return
        if wish == b"D":
            self.drain()
        if wish in (b"D", b"H"):
            link.sendall(json.dumps(self.report()).encode() + b"\n")
        link.close()


def _rss_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def serve(model_folder: Path) -> None:
    """Load the model, then serve it on the listening socket that we were started with."""
    door = Door(socket.socket(fileno=int(os.environ["BOATHOUSE_LISTEN_FD"])))
    started = time.monotonic()
    model = Model(model_folder)
    scorer = Scorer(model, door)
    signal.signal(signal.SIGTERM, lambda *_: door.drain())
    facts = {**model.facts, "load_seconds": round(time.monotonic() - started, 3)}
    door.open(facts)
    print(f"ready: {json.dumps(facts)}", flush=True)
    scorer.run()
