"""Files on their way into a table: where they wait, which there are, and when they go."""

from __future__ import annotations

import json
import re
import secrets
import shutil
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from apps.access.actor import Actor
from apps.access.tasks import after_commit
from apps.foundation.clock import now
from apps.foundation.errors import Conflict, Invalid, TooLarge, TooMany
from apps.tables import delta
from apps.tables.models import Schema, StagedWrite, Table
from apps.tables.types import ipc

State = StagedWrite.State
LIFETIME = timedelta(days=1)
MAX_PARTS = 10_000
MAX_PART_BYTES = 5 * 1024**3
MAX_FILE_BYTES = 5 * 1024**3
MAX_PERSON_BYTES = 20 * 1024**3
UPLOADS_AT_MOST = 50
PREFIX = "/api/v1/table-writes/"
UPLOADED = "upload"
PARSED = "parsed"
REPORT_BYTES = 8 * 1024**2
_REPORT = ("refused", "format", "rows_read", "rows", "bad_count", "bad_rows", "columns", "parts")
_PART = re.compile(r"part-(\d{5})\.parquet")


def begin(actor: Actor, schema: Schema, name: str, table: Table | None, file_name: str) -> StagedWrite:
    """A new write with an empty folder. Raises TooMany for somebody with too many unfinished uploads."""
    if file_name and _unfinished(actor.user).count() >= UPLOADS_AT_MOST:
        raise TooMany(
            f"You have {UPLOADS_AT_MOST} uploads that are not finished; write or cancel some first.",
            retry_after_seconds=60,
        )
    write = StagedWrite(
        schema=schema, table=table, name=name, user=actor.user, file_name=file_name[:255], expires_at=now() + LIFETIME
    )
    write.save(force_insert=True)
    return write


def told(write: StagedWrite) -> StagedWrite:
    """The write with what an answer about it shows besides its columns."""
    address = f"{PREFIX}{write.pk}"
    write.parts_url, write.file_url = f"{address}/parts", f"{address}/file"  # type: ignore[attr-defined]
    table = None if write.is_settled else write.table
    write.wanted_schema = ipc(delta.snapshot(table.root).schema) if table else None  # type: ignore[attr-defined]
    return write


def part_path(write: StagedWrite, number: int) -> Path:
    """Where part `number` of a write lies. Raises Invalid for a number out of range, Conflict for a write that is settled."""
    must_be_open(write)
    if write.file_name:
        raise Conflict("This write takes one file that is read; begin one without a file_name for Parquet parts.")
    if not 0 <= number < MAX_PARTS:
        raise Invalid(f"Parts are numbered 0 to {MAX_PARTS - 1}.")
    return write.folder / f"part-{number:05}.parquet"


def upload_path(write: StagedWrite) -> Path:
    """Where the file of a write lies that shall be read. Raises Conflict when the write takes none, or not any more."""
    must_be_open(write)
    if not write.file_name:
        raise Conflict("This write takes Parquet parts; begin one with a file_name.")
    if write.state == State.PARSING:
        raise Conflict("The file is being read; wait for its report.")
    kept = sum(_size(other.folder / UPLOADED) for other in _unfinished(write.user) if other.pk != write.pk)
    if kept >= MAX_PERSON_BYTES:
        raise TooLarge(f"Your unfinished uploads hold {kept / 1e9:.1f} GB; write or cancel some first.")
    return write.folder / UPLOADED


def _unfinished(user: Any) -> QuerySet[StagedWrite]:
    """The uploads of somebody that are neither written nor let go of."""
    settled = [State.COMMITTED, State.ABANDONED]
    open_writes = (
        StagedWrite.objects.filter(user=user, expires_at__gt=now()).exclude(file_name="").exclude(state__in=settled)
    )
    return open_writes.select_related("schema__resource")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def receive(write: StagedWrite, pieces: Iterable[bytes]) -> None:
    """Keep the file that shall be read, from a form. Raises Conflict, TooLarge; a broken one leaves nothing."""
    target = upload_path(write)
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh, size = target.with_name(f"{target.name}.{secrets.token_hex(8)}.new"), 0
    try:
        with fresh.open("xb") as file:
            for piece in pieces:
                size += len(piece)
                if size > MAX_FILE_BYTES:
                    raise TooLarge(f"A file has at most {MAX_FILE_BYTES} bytes.")
                file.write(piece)
        fresh.rename(target)
    finally:
        fresh.unlink(missing_ok=True)


def must_be_open(write: StagedWrite) -> None:
    """Conflict unless files may still come to this write."""
    if write.is_settled or write.expires_at < now():
        raise Conflict(f"This write is {write.get_state_display().lower()}; begin another one.")


def parts(write: StagedWrite) -> list[Path]:
    """The Parquet files of a write, in order, without a gap. Raises Conflict when it is not ready."""
    must_be_open(write)
    if write.file_name:
        if write.state == State.REFUSED:
            raise Invalid(str(write.report.get("refused")))
        if write.state != State.PARSED:
            raise Conflict("The file has not been read yet; ask for that, and wait for its report.")
        if not write.report.get("parts"):
            raise Invalid(_bad_rows(write.report))
        folder = write.folder / PARSED
        return [folder / part["name"] for part in write.report["parts"]]
    found = sorted(path for path in write.folder.glob("part-*.parquet") if _PART.fullmatch(path.name))
    if [path.name for path in found] != [f"part-{number:05}.parquet" for number in range(len(found))]:
        raise Invalid("A part is missing: upload parts 0, 1, 2 and so on, then commit.")
    return found


def _bad_rows(report: dict[str, Any]) -> str:
    """What is wrong with a file, in words: the first bad rows by line."""
    told = []
    for row in report.get("bad_rows", ())[:5]:
        place = f"line {row.get('line')}" + (f", {row['column']}" if row.get("column") else "")
        told.append(
            f"{place}: “{row.get('found')}” {row.get('why')}" if row.get("column") else f"{place}: {row.get('why')}"
        )
    count = report.get("bad_count", 0)
    return (
        f"{count} of {report.get('rows_read', count)} rows do not fit, so nothing was written: {'; '.join(told)}. "
        "Correct the file, choose other types, or read it again with on_bad_rows=skip to leave them out."
    )


def settle(write: StagedWrite, table: Table, version: int) -> None:
    """Mark a write as committed; its folder goes once that is for sure."""
    StagedWrite.objects.filter(pk=write.pk).update(state=State.COMMITTED, table=table, version=version)
    write.refresh_from_db()
    remove_after_commit(write.folder)


def abandon(write: StagedWrite) -> None:
    """Mark a write as given up and remove its files."""
    if write.state == State.COMMITTED:
        raise Conflict("This write is committed already; restore the version before it instead.")
    was_read = write.state == State.PARSING and write.guest_id
    StagedWrite.objects.filter(pk=write.pk).update(state=State.ABANDONED)
    write.refresh_from_db()
    remove_after_commit(write.folder)
    if was_read:
        from apps.tables.tasks import stop_reading

        after_commit(stop_reading, write.workspace_id, write.guest_id)


def checked_report(content: bytes) -> dict[str, Any]:
    """The report of a guest, with nothing in it that we would not have asked for."""
    try:
        said = json.loads(content)
        if not isinstance(said, dict) or not {"refused", "columns"} & set(said):
            raise ValueError
        report = {name: said[name] for name in _REPORT if name in said}
        names = [str(part["name"]) for part in report.get("parts", ())]
    except (ValueError, TypeError, KeyError):
        return {"refused": "The file could not be read: its reader's report makes no sense."}
    if not all(_PART.fullmatch(name) for name in names):
        return {"refused": "The file could not be read: its reader names files that are none."}
    return report


def note_report(write: StagedWrite, report: dict[str, Any]) -> None:
    """Keep what was found in the file; the write can be committed if it has parts."""
    state = State.REFUSED if "refused" in report else State.PARSED
    StagedWrite.objects.filter(pk=write.pk).update(state=state, report=report)
    write.refresh_from_db()


def remove_after_commit(*folders: Path) -> None:
    """Remove folders once the transaction is there: until then a repeated attempt needs them."""
    transaction.on_commit(lambda: _remove(folders))


def _remove(folders: Sequence[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def sweep() -> int:
    """Abandon writes of the current workspace that nobody finished in time; how many."""
    overdue = StagedWrite.objects.filter(expires_at__lt=now()).exclude(state__in=[State.COMMITTED, State.ABANDONED])
    folders = [write.folder for write in overdue.select_related("schema__resource")]
    count = overdue.update(state=State.ABANDONED)
    remove_after_commit(*folders)
    return count
