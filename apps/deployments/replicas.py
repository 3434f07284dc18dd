"""Connections from a web process to scorers: one per replica, many requests on it at once, each paired with its answer by id."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import socket
from dataclasses import dataclass
from typing import Any

from apps.sandbox.guest.scorer import frames

CONNECT_SECONDS = 5.0
MAX_ANSWER_BYTES = 64 * 1024 * 1024


class ReplicaLost(Exception):
    """The scorer went away. `sent` says whether it may have seen the request."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


@dataclass(frozen=True, slots=True)
class Scored:
    """What a scorer answered."""

    status: int
    content_type: str
    body: bytes


class ReplicaLink(asyncio.Protocol):
    """One connection to one scorer."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.hello: asyncio.Future[dict[str, Any]] = loop.create_future()
        self._loop = loop
        self._ids = itertools.count(1)
        self._reader = frames.FrameReader(MAX_ANSWER_BYTES)
        self._waiting: dict[int, asyncio.Future[Scored]] = {}
        self._transport: asyncio.Transport | None = None
        self._closing = False

    @property
    def load(self) -> int:
        """How many requests wait for an answer here."""
        return len(self._waiting)

    @property
    def usable(self) -> bool:
        """Whether a request may be sent on it."""
        return self._transport is not None and not self._closing and not self._transport.is_closing()

    async def score(self, content_type: str, body: bytes, seconds: float) -> Scored:
        """Return the scorer's answer. Raises ReplicaLost, or TimeoutError when it takes too long."""
        if self._transport is None or not self.usable:
            raise ReplicaLost("the connection is closed", sent=False)
        request_id = next(self._ids)
        future: asyncio.Future[Scored] = self._loop.create_future()
        self._waiting[request_id] = future
        self._transport.write(frames.encode_score(request_id, content_type, body))
        timer = self._loop.call_later(seconds, _expire, future)
        try:
            return await future
        finally:
            timer.cancel()
            self._waiting.pop(request_id, None)
            if self._closing and not self._waiting and self._transport is not None:
                self._transport.close()

    def close_when_idle(self) -> None:
        """Send nothing more; go away when the last answer has come."""
        self._closing = True
        if not self._waiting and self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._reader.feed(data):
                self._take(frame)
        except (frames.BrokenFrame, ValueError, UnicodeDecodeError):
            # what comes from a guest is no more to be trusted than what comes from outside
            if self._transport is not None:
                self._transport.abort()

    def _take(self, frame: frames.Frame) -> None:
        if frame.kind == frames.ANSWER:
            future = self._waiting.pop(frame.request_id, None)
            if future is not None and not future.done():
                future.set_result(Scored(*frames.decode_answer(frame.payload)))
        elif frame.kind == frames.HELLO and not self.hello.done():
            self.hello.set_result(json.loads(frame.payload))

    def connection_lost(self, error: Exception | None) -> None:
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(ReplicaLost("the scorer ended before it answered", sent=True))
        if not self.hello.done():
            self.hello.set_exception(ReplicaLost("the scorer hung up", sent=False))
            self.hello.exception()


def _expire(future: asyncio.Future[Scored]) -> None:
    if not future.done():
        future.set_exception(TimeoutError())


async def connect(path: str) -> ReplicaLink:
    """Return a connection to the scorer that listens at the path, once it has said hello. Raises ReplicaLost."""
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    link.setblocking(False)
    try:
        link.connect(path)
        link.send(b"S")
        _, replica = await asyncio.get_running_loop().create_unix_connection(ReplicaLink, sock=link)
        await asyncio.wait_for(asyncio.shield(replica.hello), CONNECT_SECONDS)
    except (OSError, TimeoutError, ReplicaLost) as error:
        link.close()
        raise ReplicaLost(f"no scorer at {os.path.basename(path)}: {error}", sent=False) from error
    return replica


class Links:
    """The connections of this process, by socket path."""

    def __init__(self) -> None:
        self._links: dict[str, ReplicaLink] = {}
        self._opening: dict[str, asyncio.Task[ReplicaLink]] = {}
        self._turn = itertools.count()

    async def pick(self, paths: list[str], spent: set[str]) -> tuple[str, ReplicaLink]:
        """Return a connection to the least busy replica that is not spent, in turn among equals. Raises ReplicaLost."""
        turn = next(self._turn)
        order = [paths[(turn + place) % len(paths)] for place in range(len(paths))] if paths else []
        order = [path for path in order if path not in spent]
        order.sort(key=self._load)
        for path in order:
            try:
                return path, await self._open(path)
            except ReplicaLost:
                spent.add(path)
        raise ReplicaLost("no replica answers", sent=False)

    def keep_only(self, before: list[str], now: list[str]) -> None:
        """Let go of replicas that an endpoint had before and has no more."""
        for path in set(before) - set(now):
            if (link := self._links.pop(path, None)) is not None:
                link.close_when_idle()

    def _load(self, path: str) -> int:
        link = self._links.get(path)
        return link.load if link is not None else 0

    async def _open(self, path: str) -> ReplicaLink:
        link = self._links.get(path)
        if link is not None and link.usable:
            return link
        task = self._opening.get(path)
        if task is None:
            task = self._opening[path] = asyncio.ensure_future(connect(path))
            task.add_done_callback(lambda done: self._opened(path, done))
        return await asyncio.shield(task)

    def _opened(self, path: str, task: asyncio.Task[ReplicaLink]) -> None:
        del self._opening[path]
        if not task.cancelled() and task.exception() is None:
            self._links[path] = task.result()
