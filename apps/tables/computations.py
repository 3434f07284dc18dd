"""Work on a table's files that takes longer than a page may: asked for once, done by a worker, kept as a row.

A page asks (`ask`) and shows what is there; while it waits it asks again, which also brings back what a killed worker left.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db.models import Q

from apps.access.tasks import after_commit
from apps.foundation.clock import now
from apps.foundation.errors import NotFound, TooMany
from apps.foundation.ids import new_id
from apps.tables import delta, sql
from apps.tables.arrow import pa
from apps.tables.models import Computation, Table, TableVersion
from apps.tables.types import name_of

Kind, State = Computation.Kind, Computation.State
LOST_AFTER = timedelta(seconds=30)
KEPT_FOR = timedelta(days=30)
OPEN_AT_MOST = 100
_DUCK = {
    "string": "VARCHAR", "long": "BIGINT", "integer": "INTEGER", "short": "SMALLINT", "byte": "TINYINT", "double": "DOUBLE",
    "float": "FLOAT", "boolean": "BOOLEAN", "binary": "BLOB", "date": "DATE", "timestamp": "TIMESTAMP WITH TIME ZONE",
    "timestamp_ntz": "TIMESTAMP",
}  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What the process shall do, and how its answers become the result."""

    views: Sequence[sql.View]
    statements: Sequence[sql.Statement]
    read: Callable[[list[list[list[Any]]]], dict[str, Any]]


Planner = Callable[[Computation], Plan]
_planners: dict[str, Planner] = {}


def plans(kind: Computation.Kind) -> Callable[[Planner], Planner]:
    """Say how a kind of computation is done."""

    def note(planner: Planner) -> Planner:
        _planners[kind] = planner
        return planner

    return note


def ask(table: Table, kind: Computation.Kind, wish: dict[str, Any]) -> Computation:
    """The computation of this wish: there already, under way, or begun now. Raises TooMany when the queue is full."""
    digest = hashlib.sha256(json.dumps(wish, sort_keys=True).encode()).hexdigest()
    found = table.computations.filter(kind=kind, digest=digest).first()
    if found is None:
        if Computation.objects.filter(state__in=[State.WAITING, State.RUNNING]).count() >= OPEN_AT_MOST:
            raise TooMany(
                "Too much is being worked out in this workspace; try again in a minute.", retry_after_seconds=60
            )
        _forget_old(table)
        found, made = Computation.objects.get_or_create(table=table, kind=kind, digest=digest, defaults={"wish": wish})
        if made:
            _queue(found)
    elif found.is_open and found.stepped_at < now() - LOST_AFTER:
        Computation.objects.filter(pk=found.pk).update(stepped_at=now())
        _queue(found)
    found.table = table
    return found


def begin_again(found: Computation) -> None:
    """Do one anew that failed or was canceled."""
    fresh = {"state": State.WAITING, "attempt": None, "done": 0, "total": 0, "error": "", "stepped_at": now()}
    if Computation.objects.filter(pk=found.pk, state__in=[State.FAILED, State.CANCELED]).update(**fresh):
        _queue(found)


def cancel(found: Computation) -> None:
    """End one that is waited for; its process is killed within a second."""
    ended = {"state": State.CANCELED, "attempt": None, "finished_at": now(), "error": "It was canceled."}
    Computation.objects.filter(pk=found.pk, state__in=[State.WAITING, State.RUNNING]).update(**ended)


# What the worker does, in short transactions: claim, go on while wanted, end.


def claim(pk: str) -> tuple[Computation, Plan] | None:
    """The computation and its plan, now this worker's; None when another has it or nobody wants it."""
    free = Q(state=State.WAITING) | Q(state=State.RUNNING, stepped_at__lt=now() - LOST_AFTER)
    fence = new_id()
    if not Computation.objects.filter(free, pk=pk).update(state=State.RUNNING, attempt=fence, stepped_at=now()):
        return None
    mine = Computation.objects.select_related("table__resource").get(pk=pk)
    try:
        plan = _planners[mine.kind](mine)
    except NotFound as error:
        fail(mine, error.message)
        return None
    Computation.objects.filter(pk=pk).update(total=len(plan.statements))
    return mine, plan


def go_on(mine: Computation, done: int) -> bool:
    """Whether it is still this worker's and wanted; notes how far it is."""
    return bool(Computation.objects.filter(pk=mine.pk, attempt=mine.attempt).update(done=done, stepped_at=now()))


def finish(mine: Computation, result: dict[str, Any]) -> None:
    """Keep what was found."""
    _end(mine, state=State.READY, result=_storable(result))


def fail(mine: Computation, why: str) -> None:
    """Keep why nothing was found."""
    _end(mine, state=State.FAILED, error=why)


def _end(mine: Computation, **end: Any) -> None:
    rows = Computation.objects.filter(pk=mine.pk, attempt=mine.attempt)
    rows.update(**end, attempt=None, finished_at=now(), stepped_at=now())


def _storable(value: Any) -> Any:
    """The value as the database keeps it: no number without a place on the line, no text with a NUL."""
    match value:
        case dict():
            return {name: _storable(item) for name, item in value.items()}
        case list() | tuple():
            return [_storable(item) for item in value]
        case float():
            return value if math.isfinite(value) else None
        case str():
            return value.replace("\0", "\ufffd")
    return value


def _queue(found: Computation) -> None:
    from apps.tables.tasks import compute

    after_commit(compute, found.workspace_id, found.pk)


def _forget_old(table: Table) -> None:
    """What nobody looked at for a month goes; it can be worked out again."""
    old = table.computations.filter(stepped_at__lt=now() - KEPT_FOR).exclude(kind=Kind.STATISTICS)
    for one in old.select_related("table__resource")[:100]:
        shutil.rmtree(one.folder, ignore_errors=True)
        one.delete()


# What planners share.


def version_of(table: Table, number: int) -> TableVersion:
    """A version's row. Raises NotFound."""
    found: TableVersion | None = table.versions.filter(version=number).first()
    if found is None:
        raise NotFound(f"{table.name} has no version {number}.")
    return found


def view(
    name: str, root: Path, schema: pa.Schema, files: Sequence[delta.DataFile] | Sequence[str], file_column: str = ""
) -> sql.View:
    """A view over files of a table in the shape of one of its versions."""
    paths = [str(root / (file if isinstance(file, str) else file.path)) for file in files]
    return sql.View(name, [(field.name, duck_type(name_of(field.type))) for field in schema], paths, file_column)


def duck_type(name: str) -> str:
    """The engine's name of a column type; nothing for nested ones, which it takes as they are."""
    return name.upper() if name.startswith("decimal(") else _DUCK.get(name, "")


def is_number(name: str) -> bool:
    """Whether values of a column type can be added up."""
    return name.startswith("decimal(") or name in ("long", "integer", "short", "byte", "double", "float")


def is_plain(name: str) -> bool:
    """Whether values of a column type stand for themselves: no lists, structs, maps."""
    return bool(duck_type(name))


def fresh_folder(mine: Computation) -> Path:
    """An empty folder for what it finds, of this attempt alone."""
    folder = mine.folder / uuid.UUID(str(mine.attempt)).hex
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
