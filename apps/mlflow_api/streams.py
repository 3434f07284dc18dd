"""Artifact bytes in and out, in front of Django, so that files of any size pass without lying in memory.

Who asks and what they may is checked here with each request, from the path, by the same functions as everywhere.
"""

from __future__ import annotations

import asyncio
import io
import mimetypes
import os
import re
from collections.abc import Callable
from importlib import import_module
from typing import Any, BinaryIO, TypeVar
from urllib.parse import parse_qs, quote

import orjson
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.db import connection

from apps.access import audit
from apps.access.actor import Actor
from apps.access.middleware import identify
from apps.access.scope import workspace_scope
from apps.experiments import artifacts, logged_models
from apps.experiments.artifacts import Place, Upload
from apps.foundation.errors import BoathouseError, Invalid, TooLarge
from apps.foundation.http import to_meaning
from apps.mlflow_api.errors import headers_for, to_mlflow
from apps.mlflow_api.routing import require_actor
from apps.mlflow_api.stores import place_to_read, place_to_write
from apps.registry import queries as registry
from apps.registry.sources import get_run

T = TypeVar("T")
Find = Callable[[Actor, dict[str, str]], Place]
CHUNK = 1024 * 1024
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
# What an upload may say of itself is not believed: these run nothing when shown, everything else is bytes to save.
_HEADERS = [
    (b"accept-ranges", b"bytes"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; sandbox"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"private, no-store"),
]


def _of_run(actor: Actor, query: dict[str, str]) -> Place:
    run_id = query.get("run_id") or query.get("run_uuid") or ""
    if not query.get("path"):
        raise Invalid("Missing value for required parameter 'path'.")
    return artifacts.run_place(actor, get_run(actor, run_id), query["path"])


def _of_version(actor: Actor, query: dict[str, str]) -> Place:
    if not query.get("path"):
        raise Invalid("Missing value for required parameter 'path'.")
    version = registry.get_version(actor, query.get("name", ""), query.get("version", ""))
    return registry.version_place(version, query["path"])


def _of_logged_model(actor: Actor, query: dict[str, str]) -> Place:
    model = logged_models.get_logged_model(actor, query.get("model_id", ""))
    if not query.get("artifact_file_path"):
        raise Invalid("Missing value for required parameter 'artifact_file_path'.")
    return artifacts.model_place(model, query["artifact_file_path"])


_PROXY = re.compile(r"/(?:ajax-)?api/2\.0/mlflow-artifacts/artifacts/(?P<path>.+)", re.DOTALL)
# Address -> how its query names a place. All are read by GET; the proxy itself is written by PUT too.
_READS: list[tuple[re.Pattern[str], Find]] = [
    (_PROXY, lambda actor, query: place_to_read(actor, query["path"])),
    (re.compile(r"/get-artifact"), _of_run),
    (re.compile(r"/model-versions/get-artifact"), _of_version),
    (
        re.compile(r"/ajax-api/2\.0/mlflow/logged-models/(?P<model_id>[^/]+)/artifacts/files"),
        _of_logged_model,
    ),
]


async def app(scope: dict[str, Any], receive: Any, send: Any) -> bool:
    """GET and PUT of files; every other address and method is Django's."""
    if scope["type"] != "http":
        return False
    method = scope["method"]
    for pattern, find in _READS:
        match = pattern.fullmatch(scope["path"])
        if match is None or method not in (("GET", "HEAD", "PUT") if pattern is _PROXY else ("GET", "HEAD")):
            continue
        query = {name: values[-1] for name, values in parse_qs(scope["query_string"].decode("latin-1")).items()}
        query |= match.groupdict()
        try:
            if method == "PUT":
                await _take(scope, receive, query["path"])
                await _answer(send, 200, b"{}")
            else:
                await _give(scope, send, find, query)
        except ConnectionResetError:
            return True
        except Exception as raised:
            await _fail(scope, send, to_meaning(raised))
        return True
    return False


# In


async def _take(scope: dict[str, Any], receive: Any, path: str) -> None:
    """The body into its place, whole or not at all."""
    most = settings.BOATHOUSE_ARTIFACT_MAX_BYTES
    announced = _header(scope, b"content-length")
    if most and announced.isdecimal() and int(announced) > most:
        raise TooLarge(f"An artifact has at most {most} bytes here.")
    upload = await _as_actor(scope, lambda actor: Upload(place_to_write(actor, path)))
    try:
        size, waiting, pieces = 0, 0, []
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ConnectionResetError
            if body := message.get("body"):
                size, waiting = size + len(body), waiting + len(body)
                if most and size > most:
                    raise TooLarge(f"An artifact has at most {most} bytes here.")
                pieces.append(body)
            more = message.get("more_body", False)
            if pieces and (waiting >= CHUNK or not more):
                await asyncio.to_thread(upload.write, b"".join(pieces))
                waiting, pieces = 0, []
            if not more:
                break
        if announced.isdecimal() and int(announced) != size:
            raise Invalid("The body is shorter than it said.")
        # Asked again, after what may have been a long time: the right to write here may be gone.
        await _as_actor(scope, lambda actor: place_to_write(actor, path))
        await asyncio.to_thread(upload.finish)
    finally:
        await asyncio.to_thread(upload.abandon)


# Out


async def _give(scope: dict[str, Any], send: Any, find: Find, query: dict[str, str]) -> None:
    def opened(actor: Actor) -> tuple[BinaryIO, str]:
        place = find(actor, query)
        return artifacts.open_file(place), place.steps[-1]

    file, name = await _as_actor(scope, opened)
    try:
        size = os.fstat(file.fileno()).st_size
        start, end, status = _range(_header(scope, b"range"), size)
        headers = [
            *_HEADERS,
            (b"content-type", (mimetypes.guess_type(name)[0] or "application/octet-stream").encode()),
            (b"content-length", str(end - start).encode()),
            (b"content-disposition", f"attachment; filename*=UTF-8''{quote(name, safe='')}".encode()),
        ]
        if status == 206:
            headers.append((b"content-range", f"bytes {start}-{end - 1}/{size}".encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        left = end - start if scope["method"] == "GET" else 0
        file.seek(start)
        while left > 0:
            piece = await asyncio.to_thread(file.read, min(CHUNK, left))
            if not piece:
                # Shorter than announced: ending here would look whole, so the connection is broken instead.
                raise ConnectionResetError
            left -= len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        file.close()


def _range(header: str, size: int) -> tuple[int, int, int]:
    """Start, end and status. Several ranges or other units get the whole file, as RFC 9110 allows."""
    match = _RANGE.fullmatch(header.strip()) if len(header) < 60 else None
    if match is None or not (match[1] or match[2]) or (not match[1] and not int(match[2])):
        return 0, size, 200
    if not match[1]:
        return max(0, size - int(match[2])), size, 206
    start, end = int(match[1]), min(size, int(match[2]) + 1) if match[2] else size
    if start >= size or end <= start:
        error = Invalid(f"The file has {size} bytes.", code="range")
        error.status = 416  # type: ignore[misc]
        raise error
    return start, end, 206


# Both


async def _as_actor(scope: dict[str, Any], call: Callable[[Actor], T]) -> T:
    """`call` with who asks, in their workspace's scope, on a thread whose connection goes back to the pool."""

    def run() -> T:
        try:
            request = _request(scope)
            actor = require_actor(request, identify(request))
            try:
                with workspace_scope(actor.workspace):
                    return call(actor)
            except BoathouseError as refusal:
                _audit(actor, scope, refusal)
                raise
        finally:
            connection.close()

    return await sync_to_async(run, thread_sensitive=False)()


def _request(scope: dict[str, Any]) -> ASGIRequest:
    request = ASGIRequest(scope, io.BytesIO())
    request.get_host()
    store = import_module(settings.SESSION_ENGINE).SessionStore
    request.session = store(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
    return request


def _audit(actor: Actor, scope: dict[str, Any], refusal: BoathouseError) -> None:
    resource, needs = getattr(refusal, "resource", None), getattr(refusal, "level", None)
    if resource is not None and needs is not None:
        with workspace_scope(actor.workspace):
            audit.record_refusal(actor, f"{scope['method']} {scope['path']}"[:100], resource, needs=needs.word)


async def _fail(scope: dict[str, Any], send: Any, error: BoathouseError) -> None:
    status, body = to_mlflow(error)
    if error.code == "range":
        status = 416
    headers = headers_for(error, _header(scope, b"user-agent"))
    # The rest of a refused body is not read, so the connection ends with the answer.
    if scope["method"] == "PUT":
        headers["Connection"] = "close"
    await _answer(send, status, orjson.dumps(body), headers)


async def _answer(send: Any, status: int, content: bytes, more: dict[str, str] | None = None) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"cache-control", b"no-store"),
        *((name.lower().encode(), value.encode()) for name, value in (more or {}).items()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def _header(scope: dict[str, Any], name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")
