"""Who may score on which endpoint, asked of the database for every request, in one statement for all that wait.

A request only ever joins a statement that has not been sent yet: a token revoked or a level withdrawn before the request
came is always seen.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from django.conf import settings
from psycopg import OperationalError
from psycopg.conninfo import make_conninfo

from apps.deployments import asking

_SQL = "select * from deployments_scoring_gate($1, $2)"
_STATEMENTS_AT_ONCE = 2
_MAX_TOGETHER = 256
_TRIES = 2


class Pass(NamedTuple):
    """What the database says about one token and one endpoint's name, now."""

    workspace_id: str
    user_id: str
    email: str
    user_label: str
    scopes: tuple[str, ...]
    endpoint_id: str | None
    level: int
    state: str
    routing: str


class GateClosed(Exception):
    """The database cannot be asked at the moment."""


def digest(raw_token: str) -> bytes:
    """What the database knows a token by."""
    return hashlib.sha256(raw_token.encode()).digest()


class Gate:
    """Asks the database; requests that come while it answers others are asked about together."""

    def __init__(self) -> None:
        self._idle: list[asking.Asking] = []
        self._waiting: dict[tuple[bytes, str], list[asyncio.Future[Pass | None]]] = {}
        self._running = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, token_hash: bytes, endpoint: str) -> Pass | None:
        """Return what holds for this token and endpoint; None when the token opens nothing. Raises GateClosed."""
        future: asyncio.Future[Pass | None] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault((token_hash, endpoint), [])
        waiting.append(future)
        if len(waiting) == 1 and self._running < _STATEMENTS_AT_ONCE:
            self._running += 1
            task = asyncio.ensure_future(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await future

    def close(self) -> None:
        """Let go of the connections."""
        idle, self._idle = self._idle, []
        for each in idle:
            each.close()

    async def _work(self) -> None:
        try:
            while self._waiting:
                await self._ask_some()
        finally:
            # at once, not when the task is noticed to be done: who comes in between would wait for nobody
            self._running -= 1

    async def _ask_some(self) -> None:
        if len(self._waiting) <= _MAX_TOGETHER:
            batch, self._waiting = self._waiting, {}
        else:
            batch = {key: self._waiting.pop(key) for key in list(self._waiting)[:_MAX_TOGETHER]}
        try:
            found = await self._ask_all(list(batch))
        except (OperationalError, OSError) as error:
            _fail(batch.values(), GateClosed(str(error)))
        except BaseException as error:
            _fail(batch.values(), GateClosed(type(error).__name__))
            raise
        else:
            for place, futures in enumerate(batch.values()):
                for future in futures:
                    if not future.done():
                        future.set_result(found.get(place))

    async def _ask_all(self, keys: list[tuple[bytes, str]]) -> dict[int, Pass]:
        hashes = asking.array(asking.BYTEA, [key[0] for key in keys])
        names = asking.array(asking.TEXT, [key[1].encode() for key in keys])
        for attempt in range(_TRIES):
            try:
                mine = await self._take()
                rows = await mine.ask(hashes, names)
            except OperationalError:
                # a connection may date from before a restart of the database, and so may the others
                self.close()
                if attempt + 1 == _TRIES:
                    raise
            else:
                self._idle.append(mine)
                return dict(map(_pass, rows))
        raise AssertionError("unreachable")

    async def _take(self) -> asking.Asking:
        while self._idle:
            if (mine := self._idle.pop()).is_usable:
                return mine
        return await asking.connect(connection_string(), _SQL, "bytea[], text[]")


def _pass(row: list[bytes | None]) -> tuple[int, Pass]:
    place, workspace_id, user_id, email, label, scopes, endpoint_id, level, state, routing = (
        None if cell is None else cell.decode() for cell in row
    )
    known = Pass(
        workspace_id or "", user_id or "", email or "", label or "", _scopes(scopes or "[]"), endpoint_id,
        int(level or 0), state or "", routing or "",
    )  # fmt: skip
    return int(place or 0) - 1, known


@lru_cache(maxsize=1000)
def _scopes(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


def _fail(waiting: Iterable[list[asyncio.Future[Pass | None]]], error: Exception) -> None:
    for future in (each for futures in waiting for each in futures):
        if not future.done():
            future.set_exception(error)
            future.exception()  # whoever asked may have gone


def connection_string() -> str:
    """The program's database as libpq writes it."""
    entry = settings.DATABASES["default"]
    options = {key: value for key, value in entry.get("OPTIONS", {}).items() if isinstance(value, str)}
    return make_conninfo(
        dbname=entry["NAME"],
        user=entry["USER"] or None,
        password=entry["PASSWORD"] or None,
        host=entry["HOST"] or None,
        port=entry["PORT"] or None,
        **options,
    )
