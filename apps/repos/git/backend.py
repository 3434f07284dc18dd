"""Talks with `git http-backend` as a CGI program: a request's body in, the answer out piece by piece, never more than is asked for."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from apps.foundation.errors import Unavailable

from .process import arguments, environment

log = logging.getLogger(__name__)

PIECE_BYTES = 1 << 16
HEAD_BYTES = 16 << 10
TRANSFER_SECONDS = 3600
GRACE_SECONDS = 2.0


class ClientGone(Exception):
    """The other side hung up or stopped talking."""


@dataclass(frozen=True)
class Question:
    """One request of the smart protocol, already decided to be allowed; every field is ours or matched a fixed form."""

    method: str
    tail: str
    query: str = ""
    content_type: str = ""
    protocol: str = ""
    pusher_name: str = ""
    pusher_address: str = ""

    def variables(self, repository: Path) -> dict[str, str]:
        """The CGI environment; the length is left out, so git reads to the end of what we let through."""
        return environment(
            repository,
            GIT_PROJECT_ROOT=str(repository.parent),
            GIT_HTTP_EXPORT_ALL="1",
            PATH_INFO=f"/{repository.name}/{self.tail}",
            REQUEST_METHOD=self.method,
            QUERY_STRING=self.query,
            CONTENT_TYPE=self.content_type,
            GIT_PROTOCOL=self.protocol,
            REMOTE_USER=self.pusher_name or "reader",
            GIT_COMMITTER_NAME=self.pusher_name or "reader",
            GIT_COMMITTER_EMAIL=self.pusher_address,
        )


@dataclass
class Answer:
    """git's status and headers, and then its body by iterating."""

    status: int
    headers: list[tuple[bytes, bytes]]
    _first: bytes
    _process: asyncio.subprocess.Process
    _feeding: asyncio.Task[None]
    _stderr: asyncio.Task[bytes]
    said: str = field(default="", init=False)

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body; ends by raising when git failed or the client went away."""
        piece = self._first
        while True:
            if piece:
                yield piece
            piece = await _read(self._process, self._feeding)
            if not piece:
                break
        code = await asyncio.wait_for(self._process.wait(), 60)
        self.said = (await self._stderr).decode(errors="replace")
        if code:
            raise Unavailable(f"git ended with {code}: {self.said[:300]}")


@contextlib.asynccontextmanager
async def ask(
    repository: Path, question: Question, body: AsyncIterator[bytes], gone: Callable[[], Awaitable[None]]
) -> AsyncIterator[Answer]:
    """Start git on a question and give its answer; leaving the block leaves no process behind.

    `gone` waits until the client hangs up and raises ClientGone then.
    """
    async with asyncio.timeout(TRANSFER_SECONDS):
        process = await asyncio.create_subprocess_exec(
            *arguments("http-backend"),
            env=question.variables(repository),
            cwd="/",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=PIECE_BYTES,
            start_new_session=True,
        )
        feeding = asyncio.create_task(_feed(process, body, gone))
        stderr = asyncio.create_task(_listen(process))
        try:
            head = b""
            while b"\r\n\r\n" not in head:
                piece = await _read(process, feeding)
                if not piece or len(head) > HEAD_BYTES:
                    raise Unavailable("git gave no answer; try again.")
                head += piece
            head, _, first = head.partition(b"\r\n\r\n")
            status, headers = _parse_head(head)
            yield Answer(status, headers, first, process, feeding, stderr)
        finally:
            await _end(process, feeding, stderr)


async def _read(process: asyncio.subprocess.Process, feeding: asyncio.Task[None]) -> bytes:
    """The next piece of output, unless feeding the input fails first."""
    assert process.stdout is not None
    reading = asyncio.ensure_future(process.stdout.read(PIECE_BYTES))
    try:
        waiting = {reading} if feeding.done() else {reading, feeding}
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if feeding.done() and (failed := feeding.exception()) is not None:
            raise failed
        return await reading
    finally:
        reading.cancel()


async def _feed(
    process: asyncio.subprocess.Process, body: AsyncIterator[bytes], gone: Callable[[], Awaitable[None]]
) -> None:
    """Give git the body; then watch that the client stays."""
    assert process.stdin is not None
    async for piece in body:
        # git may answer before it has read everything; the rest is taken and dropped, or the client would never listen.
        if process.stdin.is_closing():
            continue
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            process.stdin.write(piece)
            await process.stdin.drain()
    process.stdin.close()
    await gone()


async def _listen(process: asyncio.subprocess.Process) -> bytes:
    assert process.stderr is not None
    kept = b""
    while piece := await process.stderr.read(4096):
        kept = (kept + piece)[:4096]
    return kept


async def _end(process: asyncio.subprocess.Process, *tasks: asyncio.Task) -> None:
    """Stop git with its children, gently first so that it removes its half-written files and locks."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is not None:
            break
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), GRACE_SECONDS)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _parse_head(head: bytes) -> tuple[int, list[tuple[bytes, bytes]]]:
    status, headers = 200, []
    for line in head.split(b"\r\n"):
        name, _, text = line.partition(b":")
        if name.lower() == b"status":
            status = int(text.split()[0])
        elif name:
            headers.append((name.strip().lower(), text.strip()))
    return status, headers
