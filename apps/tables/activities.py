"""On behalf of what somebody reads or writes: the job run of their key, the MLflow run they say is active, else the person."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from apps.access.actor import Actor
from apps.foundation.errors import Forbidden, Invalid, NotFound
from apps.lineage.models import LineageNode
from apps.lineage.queries import find_node
from apps.lineage.recorder import Node, activity_node

Check = Callable[[Actor, str], Node]
_checks: dict[str, Check] = {}
RUN_HEADER = "X-Boathouse-Run"
_RUN_ID = re.compile(r"[0-9a-zA-Z_-]{1,64}")


def register_activity(kind: str, check: Check) -> None:
    """Have `check(actor, id)` give the node of an activity that the actor may act for, or raise NotFound or Forbidden."""
    _checks[kind] = check


def of_actor(actor: Actor, run_id: str = "") -> list[str]:
    """The activities, as `kind:id`. Raises Invalid for a run that the actor may not know of."""
    found = [actor.activity] if actor.activity else []
    if run_id:
        if not _RUN_ID.fullmatch(run_id):
            raise Invalid(f"{RUN_HEADER} holds the id of an MLflow run.")
        _check_run(actor, run_id)
        found.append(f"run:{run_id}")
    return found or ([f"person:{actor.user_id}"] if actor.user_id else [])


def nodes(activities: Iterable[str], label: str = "") -> list[Node]:
    """The lineage nodes of activities; `label` names a person."""
    made = [activity_node(activity) for activity in activities]
    return [Node(node.kind, node.id, name=label if node.kind == "person" else "") for node in made if node]


def _check_run(actor: Actor, run_id: str) -> None:
    try:
        if check := _checks.get("run"):
            check(actor, run_id)
        elif LineageNode.objects.filter(kind="run", key=run_id).exists():
            find_node(actor, "run", run_id)
    except (NotFound, Forbidden):
        raise Invalid(f"There is no run {run_id} that you could read or write for.") from None
