"""Measurements arrive here, and runs are read: one statement per request that checks token, scopes and level and does the work.

Statements are values (`Statement`); `run_as` executes one for an actor on Django's connection, `Pool` for a token on its own
connections, without Django around it. Budget: 4 CPU-ms for a single log request, 23 for a batch of 1,000 metrics, database included.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from django.conf import settings
from django.db import connection
from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from apps.access.actor import Actor
from apps.experiments.arrays import pack, register
from apps.experiments.sets import Opened
from apps.foundation.errors import Unauthenticated, Unavailable

_TYPES = {
    "experiments_log": "uuid text[] float8[] bigint[] bigint[] text[] text[] text[] text[] uuid[] text[] text[]",
    "experiments_log_links": "uuid jsonb uuid[] uuid[] bigint[]",
    "experiments_create_run": "bigint uuid text text bigint text[] text[] text jsonb",
    "experiments_start_run": "bigint uuid text text bigint text[] text[]",
    "experiments_update_run": "uuid text bigint text",
    "experiments_delete_tag": "uuid text",
    "experiments_read_run": "uuid",
    "experiments_history": "uuid text bigint bigint bigint float8",
    "experiments_sample": "uuid text int bigint bigint",
    "experiments_open": "bigint[]",
    "experiments_list": "boolean bigint bigint bigint",
}


@dataclass(frozen=True)
class Statement:
    """A call of one of the room's SQL functions, for whoever asks."""

    function: str
    arguments: tuple[Any, ...]

    @property
    def who(self) -> str:
        """What of a token `t` it asks for first."""
        activity = ", t.activity" if self.function == "experiments_start_run" else ""
        return f"t.workspace_id, t.user_id, t.scopes{activity}"

    @property
    def packed(self) -> list[Any]:
        """Its arguments, lists as the bytes of arrays."""
        return [pack(kind, value) for kind, value in zip(_TYPES[self.function].split(), self.arguments, strict=True)]

    @property
    def slots(self) -> str:
        """The placeholders of its arguments, with their types."""
        return ", ".join(f"%s::{kind}" for kind in _TYPES[self.function].split())


@dataclass(frozen=True)
class Points:
    """Metrics of one request, column by column; `models` only when one of them was logged for a model."""

    keys: list[str]
    values: list[float]
    times: list[int]
    steps: list[int]
    models: list[uuid.UUID | None] | None = None
    dataset_names: list[str] | None = None
    dataset_digests: list[str] | None = None

    def once(self) -> Points:
        """These without repetitions: a point is its key, timestamp, step and value."""
        if len(set(zip(self.keys, self.times, self.steps, strict=True))) == len(self.keys):
            return self
        points = list(zip(self.keys, self.times, self.steps, map(_comparable, self.values), strict=True))
        kept = sorted(dict(zip(reversed(points), reversed(range(len(points))), strict=True)).values())
        shared: Any = (
            self.keys,
            self.values,
            self.times,
            self.steps,
            self.models,
            self.dataset_names,
            self.dataset_digests,
        )
        return Points(*(column and [column[index] for index in kept] for column in shared))


def _comparable(value: float) -> float | None:
    return value if value == value else None


NO_POINTS = Points([], [], [], [])


def log(
    run: uuid.UUID, points: Points = NO_POINTS, params: dict[str, str] | None = None, tags: dict[str, str] | None = None
) -> Statement:
    """Metrics, params and tags of one run, all or nothing."""
    params, tags = params or {}, tags or {}
    points = points if points.models else points.once()  # several models may be measured alike
    return Statement(
        "experiments_log",
        (
            run,
            points.keys,
            points.values,
            points.times,
            points.steps,
            list(params),
            list(params.values()),
            list(tags),
            list(tags.values()),
            points.models,
            points.dataset_names,
            points.dataset_digests,
        ),
    )


def create_run(
    *,
    number: int,
    run: uuid.UUID,
    name: str,
    user: str,
    start: int,
    tags: dict[str, str],
    activity: str = "",
    receipt: dict[str, Any] | None = None,
) -> Statement:
    """A new run."""
    told = None if receipt is None else orjson.dumps(receipt, default=str).decode()
    return Statement(
        "experiments_create_run", (number, run, name, user, start, list(tags), list(tags.values()), activity, told)
    )


def start_run(*, number: int, run: uuid.UUID, name: str, user: str, start: int, tags: dict[str, str]) -> Statement:
    """A new run, for a token that belongs to no activity; for one that does, nothing but the code `activity`."""
    return Statement("experiments_start_run", (number, run, name, user, start, list(tags), list(tags.values())))


def update_run(run: uuid.UUID, *, status: str | None = None, end: int | None = None, name: str = "") -> Statement:
    """Another status, end or name of a run."""
    return Statement("experiments_update_run", (run, status, end, name))


def delete_tag(run: uuid.UUID, key: str) -> Statement:
    """A tag taken off a run."""
    return Statement("experiments_delete_tag", (run, key))


def read_run(run: uuid.UUID) -> Statement:
    """A run with its summary."""
    return Statement("experiments_read_run", (run,))


def history(run: uuid.UUID, key: str, size: int, after: tuple[int, int, float] | None = None) -> Statement:
    """A page of a metric's points."""
    return Statement("experiments_history", (run, key, size, *(after or (None, None, None))))


def sample(run: uuid.UUID, key: str, size: int, first: int | None = None, last: int | None = None) -> Statement:
    """Points of a metric, thinned evenly."""
    return Statement("experiments_sample", (run, key, size, first, last))


def log_links(
    run: uuid.UUID,
    *,
    datasets: list[dict[str, Any]] | None = None,
    inputs: list[uuid.UUID] | None = None,
    outputs: list[tuple[uuid.UUID, int]] | None = None,
) -> Statement:
    """Data sets and models that a run read, models that it made."""
    made = outputs or []
    told = orjson.dumps(datasets or []).decode()
    return Statement(
        "experiments_log_links", (run, told, inputs or [], [model for model, _ in made], [step for _, step in made])
    )


def list_experiments(
    trashed: bool | None, size: int, created: int | None = None, number: int | None = None
) -> Statement:
    """A page of the experiments that the caller sees, the newest first."""
    return Statement("experiments_list", (trashed, size, created, number))


def open_experiments(numbers: list[int] | None) -> Statement:
    """Which of these experiments (None: of all) the caller sees."""
    return Statement("experiments_open", (numbers,))


def run_as(actor: Actor, statement: Statement) -> list[dict[str, Any]]:
    """The rows of a statement for an actor, in the scope and transaction that are open."""
    scopes = orjson.dumps(list(actor.scopes)).decode()
    with connection.cursor() as cursor:
        cursor.execute(
            f"select * from {statement.function}(%s::uuid, %s::uuid, %s::jsonb, {statement.slots})",
            [actor.workspace.pk, actor.user_id, scopes, *statement.arguments],
        )
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def refresh_links(run: int) -> None:
    """Put what a run read and made into its summary again, after rows of it were added."""
    with connection.cursor() as cursor:
        cursor.execute(
            "update experiments_runsummary set inputs = experiments_inputs_text(run_id), outputs = experiments_outputs_text(run_id)"
            " where run_id = %s",
            [run],
        )


def search_as(actor: Actor, plan: Any, numbers: list[int] | None) -> Any:
    """What a search plan finds for an actor. `plan(opened)` is a generator of statements."""
    rows = run_as(actor, open_experiments(numbers))
    opened = Opened(str(actor.workspace.pk), {row["number"]: (row["trashed"], row["location"]) for row in rows})
    steps: Generator[Any, Any, Any] = plan(opened)
    with connection.cursor() as cursor:
        try:
            step = next(steps)
            while True:
                cursor.execute(step.text, step.params)
                step = steps.send(cursor.fetchall())
        except StopIteration as end:
            return opened, end.value


class Pool:
    """Connections of the ingest path of one web process; opened on first use."""

    def __init__(self) -> None:
        self._pool: AsyncConnectionPool | None = None

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection[Any]]:
        """A connection in autocommit, so that one statement is one transaction."""
        if self._pool is None:
            database = settings.DATABASES["default"]
            names = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
            told = make_conninfo(**{name: database[key] for name, key in names.items() if database.get(key)})
            pool = AsyncConnectionPool(
                told,
                min_size=1,
                max_size=8,
                timeout=5,
                open=False,
                configure=_configure,
                kwargs={"autocommit": True, "prepare_threshold": 2},
            )
            self._pool = pool
            await pool.open()
        try:
            async with self._pool.connection() as taken:
                yield taken
        except PoolTimeout:
            raise Unavailable("The database is busy.") from None

    async def check(self, token: bytes) -> None:
        """Raises Unauthenticated unless the token (its hash) opens something."""
        async with self.connection() as taken:
            cursor = await taken.execute("select 1 from access_resolve_token(%s)", [token])
            if await cursor.fetchone() is None:
                raise Unauthenticated("This token is unknown, expired or revoked.")

    async def run(self, token: bytes, statement: Statement) -> list[Any]:
        """The rows of a statement for the holder of a token (its hash). Raises Unauthenticated."""
        async with self.connection() as taken:
            return await self._run(taken, token, statement)

    async def _run(self, taken: AsyncConnection[Any], token: bytes, statement: Statement) -> list[Any]:
        cursor = await taken.execute(
            f"select t.workspace_id, f.* from access_resolve_token(%s) t left join lateral"
            f" {statement.function}({statement.who}, {statement.slots}) f on true",
            [token, *statement.packed],
            binary=True,
        )
        rows = await cursor.fetchall()
        if not rows:
            raise Unauthenticated("This token is unknown, expired or revoked.")
        return rows

    async def run_all(self, token: bytes, statements: list[Statement]) -> list[list[Any]]:
        """The rows of several statements in one transaction."""
        async with self.connection() as taken, taken.transaction():
            return [await self._run(taken, token, statement) for statement in statements]

    async def search(self, token: bytes, plan: Any, numbers: list[int] | None) -> Any:
        """What a search plan finds for the holder of a token: (opened, found)."""
        async with self.connection() as taken, taken.transaction():
            rows = await self._run(taken, token, open_experiments(numbers))
            opened = Opened(str(rows[0][0]), {row[1]: (row[2], row[3]) for row in rows if row[1] is not None})
            steps = plan(opened)
            try:
                step = next(steps)
                while True:
                    cursor = await taken.execute(step.text, step.params, binary=True)
                    step = steps.send(await cursor.fetchall())
            except StopIteration as end:
                return opened, end.value


async def _configure(made: AsyncConnection[Any]) -> None:
    register(made)


pool = Pool()
