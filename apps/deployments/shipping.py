"""From the journal to the inference tables: each record in its endpoint's table exactly once.

A table's log knows, per writer, the number of the last record it holds, in the very commit that added it. What is noted
beside the journal only saves reading; when it is lost, nothing is doubled.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from django.db import connection

from apps.access.actor import system_actor
from apps.access.models import Workspace
from apps.access.scope import workspace_scope
from apps.deployments import journal, record
from apps.foundation.errors import BoathouseError
from apps.tables import ingest
from apps.tables.delta import Once

logger = logging.getLogger(__name__)

BATCH_RECORDS = 20_000
BATCH_BYTES = 64 * 1024 * 1024


def ship(root: Path) -> int:
    """Bring everything that is in this machine's journals into the tables; how many records went."""
    count = 0
    with _alone(root) as held:
        if not held:
            return 0
        for reader in journal.readers(root):
            count += _ship_writer(reader)
            reader.remove_if_done()
    return count


def _ship_writer(reader: journal.Reader) -> int:
    count = 0
    after = reader.shipped()
    full = True
    # what comes in meanwhile is for the next time: one version of the table for each, not one for every few rows
    while full and (batch := _batch(reader, after)):
        full = len(batch) >= BATCH_RECORDS or sum(len(item.payload) for item in batch) >= BATCH_BYTES
        by_endpoint: dict[str, list[tuple[journal.Position, record.Served]]] = defaultdict(list)
        for item in batch:
            served = record.decode(item.payload)
            by_endpoint[served.endpoint_id].append((item.position, served))
        places = _tables_of(list(by_endpoint))
        whole = True
        for endpoint_id, records in by_endpoint.items():
            try:
                count += _ship_to(places.get(endpoint_id), reader.name, endpoint_id, records)
            except (BoathouseError, OSError):
                # the others go on; what stays is read again, and the tables know what they have
                logger.exception("the predictions of endpoint %s wait in the journal", endpoint_id)
                whole = False
        if not whole:
            return count
        after = batch[-1].position
        reader.note_shipped(after)
    return count


def _batch(reader: journal.Reader, after: journal.Position) -> list[journal.Record]:
    found: list[journal.Record] = []
    size = 0
    for item in reader.records(after):
        found.append(item)
        size += len(item.payload)
        if len(found) >= BATCH_RECORDS or size >= BATCH_BYTES:
            break
    return found


def _tables_of(endpoint_ids: list[str]) -> dict[str, tuple[UUID, UUID | None]]:
    with connection.cursor() as cursor:
        cursor.execute("select * from deployments_tables_of(%s::uuid[])", [endpoint_ids])
        return {str(endpoint): (workspace, table) for endpoint, workspace, table in cursor.fetchall()}


def _ship_to(
    place: tuple[UUID, UUID | None] | None,
    writer: str,
    endpoint_id: str,
    records: list[tuple[journal.Position, record.Served]],
) -> int:
    """Append what the table does not have yet; how many records that were."""
    workspace = Workspace.objects.filter(pk=place[0]).first() if place else None
    if place is None or place[1] is None or workspace is None:
        logger.warning(
            "endpoint %s or its table is deleted for good; %s predictions with it", endpoint_id, len(records)
        )
        return 0
    with workspace_scope(workspace):
        table = ingest.lock_table(place[1])
        name = f"boathouse:predictions:{writer}"
        known = ingest.written_number(table, name)
        fresh = [(position, served) for position, served in records if position.number > known]
        if not fresh:
            return 0
        ingest.append_rows(
            system_actor(workspace),
            table,
            record.as_table([served for _, served in fresh]),
            once=Once(name, fresh[-1][0].number),
            doing=[f"endpoint:{endpoint_id}"],
        )
    return len(fresh)


@contextmanager
def _alone(root: Path) -> Iterator[bool]:
    """Whether nobody else on this machine ships at the moment; a killed shipper lets go."""
    root.mkdir(parents=True, exist_ok=True)
    held = os.open(root / ".shipping", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(held)
