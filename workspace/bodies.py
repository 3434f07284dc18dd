"""How long a body may be that Django reads: it keeps one whole before it asks who sends it, so the end is set in front of it."""

from __future__ import annotations

import asyncio
import io
import re
from importlib import import_module
from typing import Any

import orjson
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.core.handlers.asgi import ASGIRequest
from django.db import connection

from apps.access.middleware import identify
from apps.foundation.errors import BoathouseError, Invalid, TooLarge
from apps.foundation.http import problem
from apps.tables.staging import MAX_FILE_BYTES

# What a form or a message of ours may have, and a little for what is around it.
MAX_BYTES = settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 64 * 1024
IDLE_SECONDS = 60
_UPLOAD = re.compile(r"/w/[^/]+/tables/upload")


class Body:
    """One request's body on its way to Django: `receive` ends it where it is too long (`is_cut`) or waits too long."""

    def __init__(self, scope: dict[str, Any], receive: Any) -> None:
        self.scope, self._receive = scope, receive
        self.size, self.most = 0, MAX_BYTES
        self.is_cut = self.is_over = self.is_gone = False

    async def fits(self) -> bool:
        """Whether the length that was announced may come."""
        announced = next((value for name, value in self.scope["headers"] if name == b"content-length"), b"0")
        return await self._may_have(int(announced) if announced.isdigit() else 0)

    async def receive(self) -> dict[str, Any]:
        """The next piece; a disconnect instead of the one that is too much, or that does not come."""
        message: dict[str, Any]
        try:
            async with asyncio.timeout(None if self.is_over else IDLE_SECONDS):
                message = await self._receive()
        except TimeoutError:
            return {"type": "http.disconnect"}
        self.is_over = not message.get("more_body")
        self.is_gone = message["type"] == "http.disconnect"
        self.size += len(message.get("body", b""))
        if not await self._may_have(self.size):
            self.is_cut = True
            return {"type": "http.disconnect"}
        return message

    async def _may_have(self, size: int) -> bool:
        if size > self.most == MAX_BYTES and _UPLOAD.fullmatch(self.scope["path"]) and await self._is_member():
            self.most = MAX_FILE_BYTES
        return size <= self.most

    async def _is_member(self) -> bool:
        def ask() -> bool:
            try:
                request = ASGIRequest(self.scope, io.BytesIO())
                store = import_module(settings.SESSION_ENGINE).SessionStore
                request.session = store(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
                return identify(request) is not None
            except (BoathouseError, SuspiciousOperation):
                return False
            finally:
                connection.close()

        return await sync_to_async(ask, thread_sensitive=False)()


async def with_end(application: Any, scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Have Django answer, unless the body is longer than its sender may send."""
    body, started = Body(scope, receive), False

    async def sending(message: dict[str, Any]) -> None:
        nonlocal started
        started = True
        await send(message)

    fits = await body.fits()
    if fits:
        await application(scope, body.receive, sending)
    if started or body.is_gone:
        return
    error: BoathouseError = TooLarge()
    if fits and not body.is_cut:
        error = Invalid("The body did not come; send it again.", code="timeout")
        error.status = 408  # type: ignore[misc]
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"cache-control", b"no-store"),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": orjson.dumps(problem(error))})
