"""A stand-in for a scorer guest: speaks its frames on a socket and answers as a test says. `python -m` it for one in a process."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from apps.sandbox.guest.scorer import frames

Answer = Callable[[str, bytes], tuple[int, bytes] | None]


def echo(content_type: str, body: bytes) -> tuple[int, bytes]:
    """The request as its own prediction."""
    return 200, json.dumps({"predictions": [body.decode()]}).encode()


class Stand:
    """Serves on a path in a thread of its own; `answer` gives None to hang up instead."""

    def __init__(self, path: Path, answer: Answer = echo) -> None:
        self.path = str(path)
        self.answer = answer
        self.seen: list[bytes] = []
        self._loop = asyncio.new_event_loop()
        self._listener = listen(path)
        self._server = self._loop.run_until_complete(asyncio.start_unix_server(self._serve, sock=self._listener))
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take nobody in any more and hang up on all."""

        def end() -> None:
            self._server.close()
            for task in asyncio.all_tasks(self._loop):
                task.cancel()
            self._loop.call_later(0.05, self._loop.stop)

        self._loop.call_soon_threadsafe(end)
        self._thread.join(5)
        Path(self.path).unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer, self._answer)
        finally:
            writer.close()

    def _answer(self, content_type: str, body: bytes) -> tuple[int, bytes] | None:
        self.seen.append(body)
        return self.answer(content_type, body)


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answer) -> None:
    """Answer one connection until it ends."""
    if await reader.read(1) != b"S":
        return
    writer.write(frames.encode(frames.HELLO, 0, b"{}"))
    found = frames.FrameReader()
    while chunk := await reader.read(1 << 16):
        for frame in found.feed(chunk):
            told = answer(*frames.decode_score(frame.payload))
            if told is None:
                return
            writer.write(frames.encode_answer(frame.request_id, told[0], "application/json", told[1]))


def listen(path: Path) -> socket.socket:
    """A listening socket at the path."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(64)
    return listener


async def main(path: str) -> None:
    """Serve until killed."""
    server = await asyncio.start_unix_server(
        lambda reader, writer: serve(reader, writer, echo), sock=listen(Path(path))
    )
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
