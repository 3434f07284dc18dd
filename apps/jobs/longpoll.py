"""`?wait=<seconds>` on a run's log, in front of Django: the request waits here, without a thread, until there is something to read.

It only delays. Who may read what is decided by Django afterwards, as always; who may not is handed on at once.
One look a second and workspace serves all that wait in a process.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import re
import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from asgiref.sync import sync_to_async
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.handlers.asgi import ASGIRequest
from django.db import DatabaseError, InterfaceError, connections
from django.http import HttpResponse

from apps.access.middleware import identify
from apps.access.models import Workspace
from apps.access.policy import fetch
from apps.access.scope import workspace_scope
from apps.foundation.errors import BoathouseError
from apps.jobs.lifecycle import FINAL
from apps.jobs.models import Attempt, JobRun

log = logging.getLogger(__name__)

WAIT_MAX = 30
LOOK_SECONDS = 1.0
WAITERS_MAX = 500
PLACES = re.compile(r"(?:/api/v1/job-runs|/w/[^/]+/jobs/runs)/([0-9a-f-]{36})/log")


@dataclass(eq=False)
class Waiter:
    """A request that waits: for what lies beyond `position` (a byte, or a line) in an attempt's log, the newest without a number."""

    workspace: Workspace
    run_id: uuid.UUID
    attempt: int | None
    position: int
    by_line: bool
    ready: asyncio.Event = field(default_factory=asyncio.Event)


_waiting: set[Waiter] = set()
_looking: asyncio.Task[None] | None = None


async def app(scope: dict[str, Any], receive: Any, send: Any) -> bool:
    """Wait when the request asks for it; then, always, hand it on."""
    place = PLACES.fullmatch(scope.get("path", "")) if scope["type"] == "http" and scope["method"] == "GET" else None
    if place is None or b"wait=" not in scope["query_string"] or len(_waiting) >= WAITERS_MAX:
        return False
    query = {name: values[-1] for name, values in parse_qs(scope["query_string"].decode("latin-1")).items()}
    numbers = [query.get(name, "0") for name in ("wait", "offset", "after", "attempt")]
    if not all(text.isdecimal() and len(text) < 16 for text in numbers):
        return False
    seconds, offset, after, attempt = map(int, numbers)
    by_line = "offset" not in query and place[0].startswith("/w/")
    wish = (uuid.UUID(place[1]), attempt or None, after if by_line else offset, by_line)
    waiter = await sync_to_async(_admit, thread_sensitive=False)(scope, *wish) if seconds else None
    if waiter is not None:
        await _wait(waiter, min(seconds, WAIT_MAX))
    return False


def _admit(
    scope: dict[str, Any], run_id: uuid.UUID, attempt: int | None, position: int, by_line: bool
) -> Waiter | None:
    """The waiter, when whoever asks may read this log and has read all of it."""
    request = ASGIRequest(scope, io.BytesIO())
    SessionMiddleware(lambda _: HttpResponse()).process_request(request)
    try:
        actor = identify(request)
        if actor is None:
            return None
        with workspace_scope(actor.workspace):
            fetch(JobRun, run_id, actor=actor)
        waiter = Waiter(actor.workspace, run_id, attempt, position, by_line)
        return None if _news(actor.workspace, [waiter]) else waiter
    except (BoathouseError, DatabaseError, InterfaceError):
        return None
    finally:
        connections.close_all()


async def _wait(waiter: Waiter, seconds: float) -> None:
    global _looking
    _waiting.add(waiter)
    if _looking is None or _looking.done():
        _looking = asyncio.create_task(_look())
    try:
        with contextlib.suppress(TimeoutError):  # nothing new: the answer says so
            async with asyncio.timeout(seconds):
                await waiter.ready.wait()
    finally:
        _waiting.discard(waiter)


async def _look() -> None:
    """Wake whoever has something to read, for as long as somebody waits."""
    while _waiting:
        await asyncio.sleep(LOOK_SECONDS)
        by_workspace: dict[uuid.UUID, list[Waiter]] = defaultdict(list)
        for waiter in _waiting:
            by_workspace[waiter.workspace.pk].append(waiter)
        for waiters in by_workspace.values():
            try:
                woken = await sync_to_async(_looked, thread_sensitive=False)(waiters)
            except (DatabaseError, InterfaceError) as error:
                log.warning("logs that are waited for could not be looked at: %s", error)
                woken = waiters  # Django says to each what is wrong
            for waiter in woken:
                waiter.ready.set()


def _looked(waiters: list[Waiter]) -> list[Waiter]:
    try:
        return _news(waiters[0].workspace, waiters)
    finally:
        connections.close_all()


def _news(workspace: Workspace, waiters: Iterable[Waiter]) -> list[Waiter]:
    """Those for whom there is something new, or never will be."""
    ids = {waiter.run_id for waiter in waiters}
    with workspace_scope(workspace):
        open_runs = set(JobRun.objects.filter(pk__in=ids).exclude(state__in=FINAL).values_list("pk", flat=True))
        attempts: dict[uuid.UUID, dict[int, Attempt]] = defaultdict(dict)
        for attempt in Attempt.objects.filter(run__in=ids).order_by("number"):
            attempts[attempt.run_id][attempt.number] = attempt
    found = []
    for waiter in waiters:
        own = attempts[waiter.run_id]
        attempt = own.get(waiter.attempt or max(own, default=0))
        if attempt is None:
            news = waiter.run_id not in open_runs
        else:
            have = attempt.log_lines if waiter.by_line else attempt.log_bytes
            news = have > waiter.position or attempt.is_final
        if news:
            found.append(waiter)
    return found
