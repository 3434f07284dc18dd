"""Background work of tables: reading uploaded files, letting go of writes that nobody finished."""

from __future__ import annotations

from apps.access.actor import Actor
from apps.access.tasks import workspace_task
from apps.tables import staging
from apps.tables.models import StagedWrite


@workspace_task(queue="control")
def sweep_writes(actor: Actor) -> int:
    """Abandon overdue writes of one workspace; how many."""
    return staging.sweep()


@workspace_task(queue="control")
def parse_upload(actor: Actor, write_id: str) -> None:
    """Read one uploaded file in a guest and keep its report."""
    write = StagedWrite.objects.select_related("schema__resource", "table__resource").filter(pk=write_id).first()
    if write is None or write.state != StagedWrite.State.PARSING:
        return
    from apps.tables import parsing

    parsing.read_in_guest(write)
