"""Tables for tests, made as people make them: begin, put parts, commit."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from apps.access.actor import Actor
from apps.tables import operations, queries, staging
from apps.tables.models import Computation, Table, TableVersion
from apps.tables.tasks import compute

ROWS = pa.table({"n": pa.array([1, 2, 3], pa.int64()), "name": ["a", "b", None]})


def parquet_bytes(rows: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(rows, sink, **options)
    return sink.getvalue()


def numbers(*values: int) -> pa.Table:
    return pa.table({"n": pa.array(values, pa.int64())})


def a_write(actor: Actor, name: str, *parts: pa.Table) -> Any:
    """A begun write with these parts in it."""
    home, table = queries.find_target(actor, name)
    if table:
        write = operations.begin_table_write(actor=actor, table=table)
    else:
        write = operations.begin_write(actor=actor, schema=home, name=name.rpartition(".")[2])
    write.folder.mkdir(parents=True, exist_ok=True)
    for number, rows in enumerate(parts):
        staging.part_path(write, number).write_bytes(parquet_bytes(rows))
    return write


def a_table(actor: Actor, name: str = "main.default.flights", rows: pa.Table = ROWS, **more: Any) -> Table:
    """A table with rows in it."""
    home, _ = queries.find_target(actor, name)
    version = operations.create_table(
        actor=actor, schema=home, name=name.rpartition(".")[2], write=a_write(actor, name, rows), **more
    )
    return version.table


def write(actor: Actor, table: Table, rows: pa.Table, how: Any = operations.append, **more: Any) -> TableVersion:
    """One more version."""
    return how(actor=actor, table=table, write=a_write(actor, table.name, rows), **more)


def worked_out(found: Computation) -> Computation:
    """The computation after a worker did it."""
    compute.run(str(found.workspace_id), str(found.pk))
    found.refresh_from_db()
    return found


async def ask(app: Any, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """One request to a raw ASGI app: status, headers, body."""
    sent: list[dict[str, Any]] = []
    pieces = [body[i : i + 65536] for i in range(0, len(body), 65536)] or [b""]
    messages = [
        {"type": "http.request", "body": piece, "more_body": i < len(pieces) - 1} for i, piece in enumerate(pieces)
    ]

    async def receive() -> dict[str, Any]:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }
    assert await app(scope, receive, send) is True
    got = {key.decode(): value.decode() for key, value in sent[0]["headers"]}
    return sent[0]["status"], got, b"".join(message.get("body", b"") for message in sent[1:])


def asked(app: Any, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """The same, from ordinary code."""
    return asyncio.run(ask(app, method, path, body, **headers))
