"""Background work of tables: reading uploaded files, letting go of writes that nobody finished."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import connection

from apps.access.actor import Actor
from apps.access.tasks import stepped_task, upkeep_task, workspace_task
from apps.tables import compaction, computations, ingest, parsing, sql, staging
from apps.tables.models import StagedWrite, Table


@workspace_task(queue="control")
def parse_upload(actor: Actor, write_id: str) -> None:
    """One step of reading an uploaded file in a guest; a second one at the same time does nothing."""
    rows = StagedWrite.objects.select_for_update(of=("self",), skip_locked=True)
    write = rows.select_related("schema__resource", "table__resource").filter(pk=write_id).first()
    if write is not None and write.state == StagedWrite.State.PARSING:
        parsing.step(write)


@workspace_task(queue="control")
def stop_reading(actor: Actor, guest_id: str) -> None:
    """End the guest that reads a file which nobody wants any more."""
    parsing.stop(uuid.UUID(guest_id))


@workspace_task(queue="control")
def abandon_overdue(actor: Actor) -> int:
    """Abandon writes of one workspace that nobody finished in time; how many."""
    return staging.sweep()


@stepped_task(queue="sql")
def compute(open_scope: Any, computation_id: str) -> None:
    """Work one thing out from a table's files, in a process of its own; a second one at the same time does nothing."""
    with open_scope():
        claimed = computations.claim(computation_id)
    if claimed is None:
        return
    mine, plan = claimed

    def wanted(done: int) -> bool:
        with open_scope():
            return computations.go_on(mine, done)

    why = "It could not be worked out; this is a fault of ours, and it is in the log."
    try:
        result = plan.read(sql.run(plan.views, plan.statements, wanted=wanted))
        why = ""
    except sql.StatementFailed as failed:
        why = str(failed)
    finally:
        with open_scope():
            if why:
                computations.fail(mine, why)
            else:
                computations.finish(mine, result)


@stepped_task(queue="sql")
def compact(open_scope: Any, table_id: str) -> bool:
    """Join the small files of an inference table, if that is worth it; whether it was."""
    with open_scope():
        table = Table.objects.select_related("resource").filter(pk=table_id, resource__deleted_at=None).first()
        joining = compaction.plan(table) if table else None
    if joining is None:
        return False
    joined = compaction.join(joining)
    with open_scope() as actor:
        return compaction.commit(actor, ingest.lock_table(uuid.UUID(table_id)), joining, joined) is not None


@upkeep_task()
def compact_inference_tables() -> int:
    """Have inference tables of many files compacted; how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select workspace_id, id from tables_of_many_files(%s)", [compaction.KEPT + compaction.FILES_AT_LEAST]
        )
        rows = cursor.fetchall()
    for workspace_id, table_id in rows:
        compact.delay(str(workspace_id), str(table_id))
    return len(rows)


@upkeep_task()
def sweep_writes() -> int:
    """Have writes looked at whose reading lost its message, or whose time is over; how many."""
    with connection.cursor() as cursor:
        cursor.execute("select workspace_id, id, is_overdue from tables_unsettled_writes()")
        rows = cursor.fetchall()
    for workspace_id, write_id, is_overdue in rows:
        if is_overdue:
            abandon_overdue.delay(str(workspace_id))
        else:
            parse_upload.delay(str(workspace_id), str(write_id))
    return len(rows)


UPKEEP = {"tables.sweep_writes": 30, "tables.compact_inference_tables": 600}
