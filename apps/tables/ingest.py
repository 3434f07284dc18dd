"""Rows that pour in from our own workers: predictions, measurements. Checked, appended as versions, not audited one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.policy import authorise
from apps.foundation.errors import NotFound
from apps.foundation.ids import new_id
from apps.tables import commits, delta, operations, places, queries
from apps.tables.arrow import pa, pq
from apps.tables.models import Table, TableVersion
from apps.tables.parquet import inspect
from apps.tables.types import canonical_schema, describe

ROWS_PER_GROUP = 131_072


def append_rows(
    actor: Actor,
    table: Table,
    rows: pa.Table,
    *,
    once: delta.Once | None = None,
    note: str = "",
    doing: Sequence[str] = (),
) -> TableVersion:
    """The version that holds `rows` as well, cast to the table's columns. The same `once` again adds nothing.

    `once` is a name and a number that grows under it, such as a replica's log and an offset in it. Raises Invalid for rows
    that do not fit, NotFound and Forbidden below edit.
    """
    authorise(actor, Level.EDIT, table)
    table.refresh_from_db(from_queryset=Table.objects.select_for_update(of=("self",), no_key=True))
    commits.catch_up(table)
    fitting = delta.fit(rows, delta.snapshot(table.root, table.version).schema)
    name = f"{new_id()}.parquet"

    def write(facts: dict[str, object], once: delta.Once | None) -> delta.Commit:
        pq.write_table(
            fitting, table.root / name, compression="zstd", row_group_size=ROWS_PER_GROUP, store_schema=False
        )
        commits.sync(table.root / name, table.root)
        files = [delta.NewFile(name, inspect(table.root / name))]
        made = delta.append(table.root, files, facts=facts | commits.added(files), once=once)
        if not made.applied:
            (table.root / name).unlink()
        return made

    return commits.commit(actor, table, TableVersion.Kind.APPEND, write, once=once, note=note, doing=doing)


def make_inference_table(actor: Actor, name: str, schema: pa.Schema, *, description: str = "") -> Resource:
    """A new, empty inference table with these columns at a full name. Raises Invalid, NotFound, Forbidden, AlreadyExists."""
    catalog, inside, own = places.split_name(name)
    place = queries.get_schema_to_make_in(f"{catalog}.{inside}")
    columns = describe(canonical_schema(schema))
    version = operations.create_table(
        actor=actor, schema=place, name=own, columns=columns, description=description, purpose=Table.Purpose.INFERENCE
    )
    return version.table.resource


def has_schema(resource: Resource, schema: pa.Schema) -> bool:
    """Whether the table has exactly these columns."""
    table = Table.objects.filter(resource=resource).first()
    return table is not None and table.columns == describe(canonical_schema(schema))


def lock_table(table_id: UUID) -> Table:
    """The table, its row held until the transaction ends: reading a number and appending by it must not overlap."""
    rows = Table.objects.select_for_update(of=("self",), no_key=True).select_related("resource")
    table = rows.filter(pk=table_id).first()
    if table is None:
        raise NotFound
    return table


def written_number(table: Table, name: str) -> int:
    """The number that the commits under a once-name have reached, by the table's own log; -1 for none."""
    return delta.once_number(table.root, name)


def newest_rows(actor: Actor, resource: Resource, limit: int, *, order: str) -> list[dict[str, Any]]:
    """Up to `limit` of the rows written last, the greatest `order` first. Raises NotFound, Forbidden."""
    table = Table.objects.select_related("resource").get(resource=resource)
    authorise(actor, Level.VIEW, table)
    found = delta.preview(table.root, delta.snapshot(table.root), limit).to_pylist()
    return sorted(found, key=lambda row: row[order], reverse=True)
