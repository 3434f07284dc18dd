"""Runs as activities: who may read and write tables on behalf of one, and how lineage names it."""

from __future__ import annotations

from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.policy import fetch
from apps.experiments.logged_models import run_node
from apps.experiments.models import Run
from apps.foundation.ids import parse_id
from apps.lineage.recorder import Node


def check_run(actor: Actor, run_id: str) -> None:
    """Raises NotFound or Forbidden unless the actor may log to this run."""
    fetch(Run, parse_id(run_id), actor=actor, needs=Level.EDIT, by="uuid")


def find_run_node(run_id: str) -> Node | None:
    """A run in the lineage graph, without a check, or None."""
    key = parse_id(run_id)
    run = Run.objects.select_related("experiment__resource").filter(uuid=key).first() if key else None
    return run_node(run) if run else None
