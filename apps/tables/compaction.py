"""Joining the many small files that measurements leave behind: same rows, newest first, one more version, none taken away."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.access.actor import Actor
from apps.foundation.errors import Conflict
from apps.foundation.ids import new_id
from apps.tables import commits, delta
from apps.tables.arrow import pa, pq
from apps.tables.models import Table, TableVersion
from apps.tables.parquet import inspect, open_file

# The newest files stay as they are: they are what the tail of an endpoint reads, and more come right behind them.
KEPT = 8
FILES_AT_LEAST = 32
SMALL_BYTES = 32 * 1024**2
JOINED_BYTES = 256 * 1024**2
ROWS_PER_GROUP = 131_072


@dataclass(frozen=True)
class Joining:
    """Files to join, newest first, the schema they are written in, and the age of the newest of their rows (milliseconds)."""

    root: Path
    version: int
    files: list[str]
    schema: pa.Schema
    written_at: int


def plan(table: Table) -> Joining | None:
    """What to join in a table; None when that is not worth it."""
    state = delta.snapshot(table.root)
    chosen: list[int] = []
    size = 0
    for place, file in enumerate(state.files[KEPT:], KEPT):
        # A file that is large already, or too much at once, ends it: what lies behind was joined before.
        if file.bytes >= SMALL_BYTES or size + file.bytes > JOINED_BYTES:
            break
        chosen.append(place)
        size += file.bytes
    if len(chosen) < FILES_AT_LEAST:
        return None
    moments = state.actions["modification_time"].to_pylist()
    newest = max(moments[state.places[place]] for place in chosen)
    return Joining(table.root, state.version, [state.files[place].path for place in chosen], state.schema, int(newest))


def join(joining: Joining) -> delta.NewFile:
    """The joined file, written and on disk; a few row groups in memory at a time."""
    target = joining.root / f"{new_id()}.parquet"
    try:
        with pq.ParquetWriter(target, joining.schema, compression="zstd", store_schema=False) as writer:
            waiting: list[pa.Table] = []
            for path in joining.files:
                with open_file(joining.root / path) as file:
                    for group in range(file.num_row_groups):
                        waiting.append(delta.fit(file.read_row_group(group), joining.schema))
                        if sum(part.num_rows for part in waiting) >= ROWS_PER_GROUP:
                            writer.write_table(pa.concat_tables(waiting), row_group_size=ROWS_PER_GROUP)
                            waiting = []
            if waiting:
                writer.write_table(pa.concat_tables(waiting), row_group_size=ROWS_PER_GROUP)
        commits.sync(target, joining.root)
        return delta.NewFile(target.name, inspect(target))
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def commit(actor: Actor, table: Table, joining: Joining, joined: delta.NewFile) -> TableVersion | None:
    """The version made of it, or None when the files changed meanwhile; then nothing of it stays."""

    def write(facts: dict[str, object], once: delta.Once | None) -> delta.Commit:
        return delta.replace_files(table.root, joined, joining.files, joining.written_at, facts=facts)

    details: dict[str, Any] = {"files_joined": len(joining.files)}
    note = f"{len(joining.files)} files into 1, same rows"
    try:
        return commits.commit(actor, table, TableVersion.Kind.COMPACT, write, note=note, **details)
    except Conflict:
        (table.root / joined.name).unlink(missing_ok=True)
        return None
