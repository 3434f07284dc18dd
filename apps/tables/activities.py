"""On behalf of what somebody reads or writes: the job run of their key, the MLflow run they say is active, else the person."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from apps.access.actor import Actor
from apps.foundation.errors import Forbidden, Invalid, NotFound
from apps.lineage.recorder import Node

Check = Callable[[Actor, str], None]
Find = Callable[[str], Node | None]
_kinds: dict[str, tuple[Check, Find]] = {}
RUN_HEADER = "X-Boathouse-Run"
_RUN_ID = re.compile(r"[0-9a-zA-Z_-]{1,64}")


def register_activity(kind: str, *, check: Check, node: Find) -> None:
    """Make a kind of activity known: `check(actor, id)` raises unless the actor may act for it, `node(id)` names it in lineage."""
    _kinds[kind] = (check, node)


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
    made: list[Node] = []
    for activity in activities:
        kind, _, key = activity.partition(":")
        known = _kinds[kind][1](key) if kind in _kinds else None
        if known or key:
            made.append(known or Node(kind, key, name=label if kind == "person" else ""))
    return made


def _check_run(actor: Actor, run_id: str) -> None:
    try:
        if "run" not in _kinds:
            raise NotFound
        _kinds["run"][0](actor, run_id)
    except (NotFound, Forbidden):
        raise Invalid(f"There is no run {run_id} that you could read or write for.") from None
