"""Stages and their gates: which there are, how they are spelled, and the level that moving in or out of one needs."""

from __future__ import annotations

from apps.access.levels import Level
from apps.foundation.errors import Invalid

NONE, STAGING, PRODUCTION, ARCHIVED = "None", "Staging", "Production", "Archived"
STAGES = (NONE, STAGING, PRODUCTION, ARCHIVED)
SERVING = (STAGING, PRODUCTION)
DEFAULT_GATES = {STAGING: Level.EDIT.word, PRODUCTION: Level.MANAGE.word}
GATE_LEVELS = (Level.EDIT, Level.MANAGE)


def canonical(stage: str) -> str:
    """The stage as it is spelled, whatever the case of `stage`. Raises Invalid for none of ours."""
    for known in STAGES:
        if known.lower() == stage.strip().lower():
            return known
    raise Invalid(fields={"stage": f"“{stage[:60]}” is no stage; use one of {', '.join(STAGES)}."})


def check_gate(stage: str, level: str) -> tuple[str, str]:
    """The stage and the level word of a gate, as they are kept. Raises Invalid."""
    name = canonical(stage)
    if name not in DEFAULT_GATES:
        raise Invalid(fields={"stage": f"{name} has no gate: whoever may edit the model moves versions there."})
    if level not in {one.word for one in GATE_LEVELS}:
        raise Invalid(fields={"level": f"The gate of {name} is edit or manage."})
    return name, level


def gates_passed(before: str, after: str) -> tuple[str, ...]:
    """The stages whose gates a move passes. Taking a version out of Production is passing its gate too."""
    return tuple(stage for stage in SERVING if stage in (before, after))


def check_move(before: str, after: str, *, archive_existing: bool) -> None:
    """Raises Invalid for a move that makes no sense."""
    if archive_existing and after not in SERVING:
        raise Invalid(fields={"archive_existing": f"Only a move to {' or '.join(SERVING)} can archive what is there."})
