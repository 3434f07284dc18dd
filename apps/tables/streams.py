"""The two routes that stream: files of a read ticket out, parts of a write in. They stand in front of Django and check alone."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import orjson
from asgiref.sync import sync_to_async
from django.db import InterfaceError, OperationalError, connection

from apps.access.middleware import token_of
from apps.access.scope import workspace_scope
from apps.access.tokens import resolve
from apps.foundation.errors import BoathouseError, Invalid, NotFound, TooLarge, Unauthenticated
from apps.foundation.http import headers_of, problem, to_meaning
from apps.tables import queries, staging, tickets

T = TypeVar("T")
CHUNK = 512 * 1024
_WRITE = re.compile(rf"{staging.PREFIX}([0-9a-f-]{{36}})/(?:parts/(\d{{1,5}})|(file))")
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


async def table_files(scope: dict[str, Any], receive: Any, send: Any) -> bool:
    """GET of one file of a ticket, whole or a range."""
    if scope["type"] != "http":
        return False
    try:
        if scope["method"] not in ("GET", "HEAD"):
            raise Invalid("Files of a ticket are read with GET.", code="method_not_allowed")
        path = await _in_thread(lambda: tickets.redeem(scope["path"].removeprefix(tickets.PREFIX)))
        await _send_file(scope, send, path)
    except BoathouseError as error:
        await _send_error(send, error)
    return True


async def table_writes(scope: dict[str, Any], receive: Any, send: Any) -> bool:
    """PUT of a part or file of a write; everything else of writes is Django's."""
    match = _WRITE.fullmatch(scope["path"]) if scope["type"] == "http" and scope["method"] == "PUT" else None
    if match is None:
        return False
    write_id, number = match[1], None if match[3] else int(match[2])
    try:
        target = await _in_thread(lambda: _target(_header(scope, b"authorization"), write_id, number))
        limit = staging.MAX_FILE_BYTES if number is None else staging.MAX_PART_BYTES
        size, digest = await _store(scope, receive, target, limit)
        # The check again, after what may have been a long time: the write may be committed, the right to it gone.
        await _in_thread(lambda: _keep(_header(scope, b"authorization"), write_id, number, target))
        await _send_json(send, 200, {"part": number, "bytes": size, "sha256": digest})
    except BoathouseError as error:
        await _send_error(send, error)
    except ConnectionResetError:
        return True
    return True


def _target(authorization: str, write_id: str, number: int | None) -> Path:
    """Where the bytes go first: a name of its own beside the real one. Raises what the caller is told."""
    final = _checked(authorization, write_id, number)
    final.parent.mkdir(parents=True, exist_ok=True)
    return final.with_name(f"{final.name}.{secrets.token_hex(8)}.new")


def _keep(authorization: str, write_id: str, number: int | None, fresh: Path) -> None:
    try:
        final = _checked(authorization, write_id, number)
        os.rename(fresh, final)
    finally:
        fresh.unlink(missing_ok=True)
    descriptor = os.open(final.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _checked(authorization: str, write_id: str, number: int | None) -> Path:
    actor = resolve(token_of(authorization) or "")
    if actor is None:
        raise Unauthenticated("Send a token that is valid.")
    with workspace_scope(actor.workspace):
        write = queries.get_write(actor, write_id)
        return staging.upload_path(write) if number is None else staging.part_path(write, number)


async def _store(scope: dict[str, Any], receive: Any, target: Path, limit: int) -> tuple[int, str]:
    """Body to disk, counted and hashed, on disk for sure when this returns. A broken upload leaves nothing."""
    announced = int(_header(scope, b"content-length") or 0)
    if announced > limit:
        raise TooLarge(f"At most {limit} bytes in one part.")
    digest, size = hashlib.sha256(), 0
    file = await asyncio.to_thread(target.open, "xb")
    try:
        buffered: list[bytes] = []
        waiting = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ConnectionResetError
            if body := message.get("body"):
                size += len(body)
                if size > limit:
                    raise TooLarge(f"At most {limit} bytes in one part.")
                buffered.append(body)
                waiting += len(body)
            more = message.get("more_body", False)
            if buffered and (waiting >= CHUNK or not more):
                await asyncio.to_thread(_write, file, digest, buffered)
                buffered, waiting = [], 0
            if not more:
                break
        if announced and size != announced:
            raise Invalid("The body is shorter than it said.")
        await asyncio.to_thread(_flush, file)
    except BaseException:
        file.close()
        target.unlink(missing_ok=True)
        raise
    file.close()
    return size, digest.hexdigest()


def _write(file: BinaryIO, digest: Any, pieces: list[bytes]) -> None:
    for piece in pieces:
        file.write(piece)
        digest.update(piece)


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


async def _send_file(scope: dict[str, Any], send: Any, path: Path) -> None:
    try:
        file = await asyncio.to_thread(path.open, "rb")
    except FileNotFoundError:
        raise NotFound from None
    try:
        size = os.fstat(file.fileno()).st_size
        start, end, status = _range(_header(scope, b"range"), size)
        headers = [
            (b"content-type", b"application/vnd.apache.parquet"),
            (b"content-length", str(end - start).encode()),
            (b"accept-ranges", b"bytes"),
            (b"content-disposition", b"attachment"),
            (b"x-content-type-options", b"nosniff"),
            (b"cache-control", b"private, no-store"),
        ]
        if status == 206:
            headers.append((b"content-range", f"bytes {start}-{end - 1}/{size}".encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        file.seek(start)
        left = end - start if scope["method"] == "GET" else 0
        while left > 0:
            piece = await asyncio.to_thread(file.read, min(CHUNK, left))
            if not piece:
                break
            left -= len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": left > 0})
        if left or scope["method"] == "HEAD" or start == end:
            await send({"type": "http.response.body", "body": b""})
    finally:
        file.close()


def _range(header: str, size: int) -> tuple[int, int, int]:
    """Start, end and status of an answer. Several ranges or other units get the whole file, as RFC 9110 allows."""
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or not (match[1] or match[2]):
        return 0, size, 200
    if not match[1]:
        return max(0, size - int(match[2])), size, 206
    start = int(match[1])
    end = min(size, int(match[2]) + 1) if match[2] else size
    if start >= size or end <= start:
        error = Invalid(f"The file has {size} bytes.", code="range")
        error.status = 416  # type: ignore[misc]
        raise error
    return start, end, 206


def _header(scope: dict[str, Any], name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


async def _in_thread(call: Callable[[], T]) -> T:
    def run() -> T:
        try:
            return call()
        except (OperationalError, InterfaceError) as error:
            raise to_meaning(error) from error
        finally:
            connection.close()

    return await sync_to_async(run, thread_sensitive=False)()


async def _send_error(send: Any, error: BoathouseError) -> None:
    await _send_json(send, error.status, problem(error), b"application/problem+json", headers_of(error))


async def _send_json(
    send: Any, status: int, body: Any, kind: bytes = b"application/json", more: dict[str, str] | None = None
) -> None:
    content = orjson.dumps(body)
    headers = [
        (b"content-type", kind),
        (b"content-length", str(len(content)).encode()),
        (b"cache-control", b"no-store"),
    ]
    headers += [(name.lower().encode(), value.encode()) for name, value in (more or {}).items()]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
