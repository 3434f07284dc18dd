"""From files to a version: the one way in which a table changes. Rows of `TableVersion` are made from the log, never beside it.

The log is the truth about data. A row is written for each of its entries by `catch_up`, right after a commit, or, when a
process died between the two, before the next one. So a version is never lost, and a repeated key is always recognised.
"""

from __future__ import annotations

import contextlib
import datetime
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from apps.access.actor import Actor
from apps.access.resources import touch
from apps.foundation.clock import now
from apps.foundation.errors import BoathouseError, Conflict
from apps.lineage.recorder import Node, observe_write
from apps.tables import activities, delta, staging
from apps.tables.log import LogEntry, log_entries
from apps.tables.models import StagedWrite, Table, TableVersion
from apps.tables.parquet import inspect
from apps.tables.types import describe

Kind = TableVersion.Kind


def commit(
    actor: Actor,
    table: Table,
    kind: TableVersion.Kind,
    write: Callable[[dict[str, object], delta.Once | None], delta.Commit],
    *,
    staged: StagedWrite | None = None,
    once: delta.Once | None = None,
    key: str = "",
    note: str = "",
    doing: Sequence[str] = (),
    **details: Any,
) -> TableVersion:
    """The version that `write` made, or the one that this key or staged write made before. The caller holds the table's row."""
    catch_up(table)
    if done := _made_before(table, key, staged):
        # The first attempt may have met no table and made it.
        if done.kind not in (kind, Kind.CREATE):
            raise Conflict("This key was used for another kind of write.", code="idempotency_key_reused")
        return done
    facts: dict[str, object] = {
        "kind": kind.value,
        "at": max(now(), table.changed_at + datetime.timedelta(microseconds=1)).isoformat(),
        "actor_id": str(actor.user_id) if actor.user_id else None,
        "actor": actor.label,
        "activities": list(doing) or activities.of_actor(actor),
        "note": note,
        "key": key or None,
        "write": str(staged.pk) if staged else None,
        **details,
    }
    name = key or (str(staged.pk) if staged else "")
    made = write(facts, once or (delta.Once(f"boathouse:{name}") if name else None))
    catch_up(table)
    return table.versions.get(version=made.version)


def _made_before(table: Table, key: str, staged: StagedWrite | None) -> TableVersion | None:
    if key and (done := table.versions.filter(key=key).first()):
        return done
    return table.versions.filter(write_id=staged.pk).first() if staged else None


def catch_up(table: Table) -> None:
    """Brings the table's rows up to its log."""
    before = table.version
    while entries := log_entries(table.root, table.version, limit=100):
        for entry in entries:
            _note(table, entry)
    if table.version > before:
        table.save(update_fields=["version", "columns", "rows", "bytes", "files", "changed_at"])


@contextlib.contextmanager
def laid_files(table: Table, staged: StagedWrite | None) -> Iterator[list[delta.NewFile]]:
    """The staged files, checked and lying in the table's folder under names of ours; taken back when the commit is refused."""
    table.root.mkdir(parents=True, exist_ok=True)
    files: list[delta.NewFile] = []
    placed: list[Path] = []
    try:
        for name, source in (
            [(f"{staged.pk}-{part.stem}.parquet", part) for part in staging.parts(staged)] if staged else ()
        ):
            target = table.root / name
            # What lies there is of an attempt that never reached the log: the log's own attempt would have been recognised.
            target.unlink(missing_ok=True)
            placed.append(target)
            # Linked first, looked at after: what is checked is what gets committed, whatever comes into staging meanwhile.
            os.link(source, target, follow_symlinks=False)
            files.append(delta.NewFile(target.name, inspect(target)))
        sync(table.root)
        yield files
    except BoathouseError:
        for target in placed:
            target.unlink(missing_ok=True)
        raise


def sync(*places: Path) -> None:
    """Makes files, and folders' entries for them, survive a power cut."""
    for place in places:
        descriptor = os.open(place, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def added(files: Sequence[delta.NewFile]) -> dict[str, object]:
    """What files add to a table, as facts of a commit."""
    return {
        "rows_added": sum(file.footer.rows for file in files),
        "bytes_added": sum(file.footer.bytes for file in files),
        "files_added": len(files),
    }


def _note(table: Table, entry: LogEntry) -> None:
    facts = entry.facts
    kind = Kind(str(facts["kind"])) if facts.get("kind") in Kind.values else Kind.OTHER
    if kind is Kind.APPEND and table.version >= 0 and "rows_added" in facts:
        rows, size, files = (int(str(facts[name])) for name in ("rows_added", "bytes_added", "files_added"))
        table.rows, table.bytes, table.files = table.rows + rows, table.bytes + size, table.files + files
    else:
        state = delta.snapshot(table.root, entry.version)
        table.rows, table.bytes, table.files = state.rows, state.bytes, len(state.files)
        table.columns = describe(state.schema)
    table.version = entry.version
    table.changed_at = datetime.datetime.fromisoformat(str(facts["at"])) if facts.get("at") else entry.at
    doing = [str(item) for item in facts.get("activities") or []]
    known = {"kind", "at", "actor_id", "actor", "activities", "note", "key", "write", "rows_added"}
    TableVersion(
        table=table,
        version=entry.version,
        committed_at=table.changed_at,
        kind=kind,
        actor_id=facts.get("actor_id"),
        actor_label=str(facts.get("actor", "")),
        activities=doing,
        note=str(facts.get("note", "")),
        key=facts.get("key"),
        write_id=facts.get("write"),
        rows=table.rows,
        bytes=table.bytes,
        files=table.files,
        rows_added=int(str(facts.get("rows_added", 0))),
        columns=table.columns,
        details={name: value for name, value in facts.items() if name not in known},
    ).save(force_insert=True)
    touch(table.resource)
    for node in activities.nodes(doing, str(facts.get("actor", ""))):
        observe_write(node, version_node(table, entry.version), kind=kind.value, rows=table.rows)


def version_node(table: Table, version: int) -> Node:
    """A table's version as lineage names it."""
    return Node("table_version", str(table.pk), str(version), name=table.name, resource=table.resource)
