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


def check_gates(gates: dict[str, str]) -> dict[str, str]:
    """Gates as they are kept: a level word for Staging and for Production. Raises Invalid."""
    kept = dict(DEFAULT_GATES)
    for stage, word in gates.items():
        name = canonical(stage)
        if name not in kept:
            raise Invalid(fields={"gates": f"{name} has no gate: whoever may edit the model moves versions there."})
        if word not in {level.word for level in GATE_LEVELS}:
            raise Invalid(fields={"gates": f"The gate of {name} is edit or manage."})
        kept[name] = word
    return kept


def level_needed(gates: dict[str, str], before: str, after: str) -> Level:
    """What a move needs: the higher of the gates that it passes. Taking a version out of Production is passing its gate too."""
    words = [gates.get(stage, DEFAULT_GATES.get(stage, Level.EDIT.word)) for stage in (before, after)]
    return max(Level.parse(word) for word in words)


def check_move(before: str, after: str, *, archive_existing: bool) -> None:
    """Raises Invalid for a move that makes no sense."""
    if archive_existing and after not in SERVING:
        raise Invalid(fields={"archive_existing": f"Only a move to {' or '.join(SERVING)} can archive what is there."})
