"""Background work: bringing endpoints to what they want, preparing versions, shipping predictions."""

from __future__ import annotations

import logging

from apps.access.models import Workspace
from apps.access.tasks import upkeep_task
from apps.deployments import minutes, preparation, reconciler, shipping
from apps.deployments.scoring import journal_root

logger = logging.getLogger(__name__)

UPKEEP = {
    "deployments.reconcile_all": 2,
    "deployments.ship_predictions": 4,
    "deployments.keep_minutes": 10,
    "deployments.clear_served": 3600,
}


@upkeep_task(queue="score")
def reconcile_all() -> int:
    """Bring every endpoint that is not at rest a step nearer to what it wants; how many there were."""
    found = reconciler.to_reconcile()
    for workspace_id, endpoint_id in found:
        workspace = Workspace.objects.filter(pk=workspace_id).first()
        if workspace is not None:
            try:
                reconciler.reconcile(workspace, endpoint_id)
            except Exception:
                # one endpoint's trouble must not keep the others from their turn
                logger.exception("endpoint %s could not be reconciled", endpoint_id)
    return len(found)


@upkeep_task(queue="score")
def reconcile(workspace_id: str, endpoint_id: str) -> None:
    """Bring one endpoint a step nearer to what it wants."""
    workspace = Workspace.objects.filter(pk=workspace_id).first()
    if workspace is not None:
        reconciler.reconcile(workspace, endpoint_id)


@upkeep_task(queue="train", soft_time_limit=preparation.SECONDS, time_limit=preparation.SECONDS + 30)
def prepare(workspace_id: str, served_id: str) -> None:
    """Copy a version's files and build its environment, unless somebody is at it."""
    workspace = Workspace.objects.filter(pk=workspace_id).first()
    if workspace is None:
        return
    with reconciler.alone(f"deployments:prepare:{served_id}") as held:
        if held:
            preparation.prepare(workspace, served_id)


@upkeep_task(queue="score")
def ship_predictions() -> int:
    """Bring this machine's predictions into the inference tables; how many."""
    return shipping.ship(journal_root())


@upkeep_task(queue="score")
def keep_minutes() -> int:
    """Make rows of what endpoints answered in the last minutes; how many."""
    return minutes.keep()


@upkeep_task(queue="control")
def clear_served() -> int:
    """Remove the files of versions that nobody serves any more; how many folders."""
    return reconciler.clear_files()
