"""Read tickets: short-lived links to exactly the files of one table version. Giving one is what records the reading."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.core import signing
from django.db import connection

from apps.access.actor import Actor
from apps.access.models import Resource
from apps.access.storage import location
from apps.foundation.clock import now
from apps.foundation.errors import Invalid, NotFound
from apps.lineage.recorder import observe_read
from apps.tables import activities, delta, pruning
from apps.tables.commits import version_node
from apps.tables.models import Table
from apps.tables.queries import version_at
from apps.tables.types import ipc

LIFETIME = timedelta(hours=1)
SALT = "boathouse.table-file"
PREFIX = "/api/v1/table-files/"


@dataclass(frozen=True)
class TicketFile:
    """One file of a ticket, behind a link that needs nothing else."""

    url: str
    bytes: int
    rows: int


@dataclass(frozen=True)
class Ticket:
    """Everything that a reader needs: the version, its schema (Arrow IPC, base64) and the files that may hold wanted rows."""

    table: Table
    version: int
    committed_at: datetime
    schema: str
    rows: int
    files_total: int
    files: list[TicketFile]
    expires_at: datetime


def give(
    actor: Actor,
    table: Table,
    *,
    version: int | None = None,
    timestamp: datetime | None = None,
    columns: Sequence[str] | None = None,
    filter: Sequence[Any] | None = None,
    doing: Sequence[str] = (),
) -> Ticket:
    """A ticket for a table on which the actor holds view. Files that the filter rules out by their statistics are left away."""
    at = version_at(table, version, timestamp)
    state = delta.snapshot(table.root, at.version)
    wanted = pruning.parse(filter, state.schema) if filter else []
    if unknown := set(columns or ()) - set(state.schema.names):
        raise Invalid(fields={"columns": f"Version {at.version} has no column {', '.join(sorted(unknown))}."})
    expires = now() + LIFETIME
    base = {
        "w": actor.workspace.pk.hex,
        "t": table.pk.hex,
        "u": actor.user_id.hex if actor.user_id else None,
        "e": int(expires.timestamp()),
    }
    if actor.token_id:
        base["k"] = actor.token_id.hex
    files = [
        TicketFile(PREFIX + signing.dumps({**base, "f": file.path}, salt=SALT), file.bytes, file.rows)
        for file in reversed(state.measured_files if wanted else state.files)
        if pruning.may_match(file, wanted)
    ]
    _count(table)
    for node in activities.nodes(doing or activities.of_actor(actor), actor.label):
        observe_read(node, version_node(table, at.version), columns=list(columns or ()) or "all", filter=_told(filter))
    return Ticket(table, at.version, at.committed_at, ipc(state.schema), at.rows, len(state.files), files, expires)


def _count(table: Table) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into tables_readcount as r (workspace_id, table_id, day, count) values (%s, %s, %s, 1)"
            " on conflict (table_id, day) do update set count = r.count + 1",
            [table.workspace_id, table.pk, now().date()],
        )


def redeem(link: str) -> Path:
    """The file that a link of a ticket names. Raises NotFound when it is forged, too old, or its owner may no longer read."""
    try:
        claim = signing.loads(link, salt=SALT)
    except signing.BadSignature:
        raise NotFound from None
    if claim["e"] < time.time():
        raise NotFound("This link is too old; ask for another ticket.")
    with connection.cursor() as cursor:
        cursor.execute("select tables_may_read(%s, %s, %s, %s)", [claim["w"], claim["t"], claim["u"], claim.get("k")])
        if not cursor.fetchone()[0]:
            raise NotFound
    table = Resource(id=uuid.UUID(claim["t"]), workspace_id=uuid.UUID(claim["w"]), kind="table")
    root = location(table, Table.FOLDER)
    return root / delta.checked_path(str(root.resolve()), claim["f"])


def _told(filter: Sequence[Any] | None) -> Any:
    return list(filter)[:20] if filter else None


def from_text(text: str) -> datetime:
    """The moment that an ISO text names; without a zone it is UTC. Raises Invalid."""
    try:
        moment = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        raise Invalid(
            fields={"timestamp": f"“{text[:40]}” is no moment; write 2013-06-02 or 2013-06-02T11:24:00Z."}
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
