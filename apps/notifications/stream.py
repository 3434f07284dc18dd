"""GET /w/<workspace>/events: what changed, as server-sent events, in front of Django so that an open page costs no thread.

An event names a topic that the page follows and says nothing else. Session, membership and level are asked when the stream opens,
again before each event, and with each heartbeat: who was shut out hears nothing from that moment.
"""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from urllib.parse import parse_qs

import orjson
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.core.handlers.asgi import ASGIRequest
from django.db import connection

from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.middleware import identify
from apps.access.models import Resource
from apps.access.policy import visible
from apps.access.scope import workspace_scope
from apps.foundation.errors import BoathouseError, Forbidden, Invalid, Unauthenticated
from apps.foundation.http import headers_of, problem, to_meaning
from apps.foundation.ids import parse_id
from apps.notifications.hub import ALL, Stream, hub

TOPICS_MAX = 30
# Topics that are the person's own; all others are `<name>:<resource id>`.
OWN = frozenset({"inbox"})
BEAT_SECONDS = 20.0
LIFE_SECONDS = 3600.0
SEND_SECONDS = 20.0
# So many changes in so short a time are one piece of news.
GATHER_SECONDS = 0.15
_PATH = re.compile(r"/w/[^/]+/events")
_TOPIC = re.compile(r"[a-z_]{1,30}:[0-9a-f-]{36}")
# Streams share few connections to the database with the requests of this process.
_asking = asyncio.Semaphore(4)


@dataclass(frozen=True)
class Granted:
    """Who follows, and which of the topics they may know of now."""

    actor: Actor
    topics: frozenset[str]


async def app(scope: dict[str, Any], receive: Any, send: Any) -> bool:
    """GET of a workspace's events; every other address is Django's."""
    if scope["type"] != "http" or scope["method"] != "GET" or not _PATH.fullmatch(scope["path"]):
        return False
    stream: Stream | None = None
    try:
        granted = await _ask(scope, _wanted(scope))
        stream = Stream(str(granted.actor.workspace.pk), str(granted.actor.user_id), granted.topics)
        hub.open(stream)
    except Exception as raised:
        await _refuse(send, to_meaning(raised))
        return True
    gone = asyncio.create_task(_disconnected(receive))
    gone.add_done_callback(lambda _: stream.woken.set())
    try:
        await _follow(scope, send, stream, gone)
    except (TimeoutError, OSError):
        # A reader that takes nothing for so long is gone; the client comes back by itself.
        return True
    finally:
        gone.cancel()
        hub.close(stream)
    return True


async def _follow(scope: dict[str, Any], send: Any, stream: Stream, gone: asyncio.Task[None]) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + LIFE_SECONDS
    await _send(send, {"type": "http.response.start", "status": 200, "headers": _HEADERS})
    # The topics that lie open, so that the page knows what it follows; then what is news.
    await _write(send, b"retry: 2000\nevent: open\ndata: " + orjson.dumps(sorted(stream.topics)) + b"\n\n")
    while not (gone.done() or stream.is_over) and loop.time() < end:
        try:
            async with asyncio.timeout(BEAT_SECONDS):
                await stream.woken.wait()
            await asyncio.sleep(GATHER_SECONDS)
        except TimeoutError:
            stream.woken.clear()
        if gone.done() or stream.is_over:
            break
        stream.woken.clear()
        news, stream.news = stream.news, set()
        try:
            granted = await _ask(scope, news)
        except Exception as raised:
            # Signed out, shut out, or the database is away: the client asks again and is told which.
            to_meaning(raised)
            break
        if ALL in news:
            await _write(send, b"event: all\ndata: {}\n\n")
            continue
        told = b"".join(b"data: " + orjson.dumps({"topic": topic}) + b"\n\n" for topic in sorted(news & granted.topics))
        await _write(send, told or b": beat\n\n")
    await _send(send, {"type": "http.response.body", "body": b"", "more_body": False})


def _wanted(scope: dict[str, Any]) -> frozenset[str]:
    topics = parse_qs(scope["query_string"].decode("latin-1")).get("topic", [])
    if len(topics) > TOPICS_MAX or any(topic not in OWN and not _TOPIC.fullmatch(topic) for topic in topics):
        raise Invalid(f"Follow topics by topic=inbox or topic=<name>:<resource id>, at most {TOPICS_MAX}.")
    return frozenset(topics)


async def _ask(scope: dict[str, Any], topics: Iterable[str]) -> Granted:
    """Who asks, and which topics they may know of, right now. Raises what the edge raises."""

    def run() -> Granted:
        try:
            request = ASGIRequest(scope, io.BytesIO())
            request.get_host()
            store = import_module(settings.SESSION_ENGINE).SessionStore
            request.session = store(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
            actor = identify(request)
            if actor is None:
                raise Unauthenticated
            if not actor.allows("notifications", writing=False):
                raise Forbidden("The scopes of this token do not cover notifications.", code="scope")
            with workspace_scope(actor.workspace):
                return Granted(actor, _open_to(actor, frozenset(topics)))
        except SuspiciousOperation as error:
            raise to_meaning(error) from None
        finally:
            connection.close()

    async with _asking:
        return await sync_to_async(run, thread_sensitive=False)()


def _open_to(actor: Actor, topics: frozenset[str]) -> frozenset[str]:
    """The topics whose resource the actor may view now, and their own. The others are left out, existing or not."""
    by_resource = {topic: parse_id(topic.partition(":")[2]) for topic in topics - OWN - {ALL}}
    ids = {key for key in by_resource.values() if key}
    seen = set(visible(Resource, actor, Level.VIEW).filter(pk__in=ids).values_list("pk", flat=True)) if ids else set()
    return (topics & OWN) | frozenset(topic for topic, key in by_resource.items() if key in seen)


async def _disconnected(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue


_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-accel-buffering", b"no"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


async def _write(send: Any, body: bytes) -> None:
    await _send(send, {"type": "http.response.body", "body": body, "more_body": True})


async def _send(send: Any, message: dict[str, Any]) -> None:
    async with asyncio.timeout(SEND_SECONDS):
        await send(message)


async def _refuse(send: Any, error: BoathouseError) -> None:
    body = orjson.dumps(problem(error))
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        *((name.lower().encode(), value.encode()) for name, value in headers_of(error).items()),
    ]
    await _send(send, {"type": "http.response.start", "status": error.status, "headers": headers})
    await _send(send, {"type": "http.response.body", "body": body})


def end_streams() -> None:
    """End every open stream: the web process is about to stop and waits for what it is answering."""
    hub.end()
