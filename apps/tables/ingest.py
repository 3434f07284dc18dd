"""Rows that pour in from our own workers: predictions, measurements. Checked, appended as versions, not audited one by one."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.policy import authorise
from apps.foundation.ids import new_id
from apps.tables import commits, delta
from apps.tables.models import Table, TableVersion
from apps.tables.parquet import inspect

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
