"""What a code of the room's SQL functions means: one error each, with the sentence that its reader needs."""

from __future__ import annotations

from apps.access.levels import Level
from apps.foundation.errors import BoathouseError, Forbidden, Invalid, NotFound

SEPARATOR = "\x1f"


def require_done(code: str | None, detail: str | None, *, thing: str) -> None:
    """Raises the error of a code, unless it is empty: done. `thing` is the id that the caller gave."""
    if code:
        raise _error(code, detail or "", thing)


def _error(code: str, detail: str, thing: str) -> BoathouseError:
    if code == "not_found":
        return NotFound(f"Run with id={thing} not found")
    if code == "no_experiment":
        return NotFound(f"No Experiment with id={thing} exists")
    if code == "forbidden":
        level = f"yours is {Level(int(detail)).word}" if detail.isdigit() else "yours is lower"
        return Forbidden(f"This needs the level edit on the experiment; {level}.", needs=Level.EDIT.word)
    if code == "scope":
        return Forbidden("The scopes of this token do not cover this.", code="scope")
    if code == "not_active":
        return Invalid(f"The run {thing} must be in the 'active' state. Current state is deleted.")
    if code == "experiment_not_active":
        return Invalid(f"The experiment {thing} must be in the 'active' state. Current state is deleted.")
    if code == "param_changed":
        key, old, new = detail.split(SEPARATOR)
        return Invalid(
            f"Changing param values is not allowed. Param with key='{key}' was already logged with value='{old[:250]}' for run"
            f" ID='{thing}'. Attempted logging new value '{new[:250]}'."
        )
    if code == "no_tag":
        return NotFound(f"No tag with name: {detail} in run with id {thing}")
    if code == "model_not_found":
        return NotFound(f"Logged model with ID 'm-{detail.replace('-', '')}' not found.")
    raise ValueError(f"the SQL functions have no code {code}")
