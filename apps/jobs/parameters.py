"""What a job's script can be told: declared names with type and default, filled in by who runs it; pure."""

from __future__ import annotations

import math
import re
from typing import Any

from apps.foundation.errors import Invalid

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
TYPES: dict[str, tuple[type, ...]] = {"text": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,)}
MAX_PARAMETERS = 50
MAX_TEXT = 4000


def check_declared(declared: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The declaration, when it is one: a list of {name, type, default, choices, help}. Raises Invalid."""
    names = [item["name"] for item in declared]
    if len(declared) > MAX_PARAMETERS or len(set(names)) != len(names):
        raise Invalid(fields={"parameters": f"At most {MAX_PARAMETERS} parameters, each name once."})
    for item in declared:
        if not NAME.fullmatch(item["name"]):
            raise Invalid(
                fields={"parameters": f"“{item['name']}” cannot be a name: a letter, then letters, digits, _ and -."}
            )
        for value in [*item.get("choices", []), *([item["default"]] if item.get("default") is not None else [])]:
            _check(item, value, "parameters")
    return declared


def fill(declared: list[dict[str, Any]], given: dict[str, Any]) -> dict[str, Any]:
    """The value of every declared parameter: given, else its default. Raises Invalid with a sentence per wrong one."""
    known = {item["name"]: item for item in declared}
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise Invalid(fields=dict.fromkeys(unknown, "The job has no such parameter."))
    values, missing = {}, {}
    for name, item in known.items():
        value = given.get(name, item.get("default"))
        if value is None:
            missing[name] = "Give a value; there is no default."
        else:
            values[name] = _check(item, value, name)
    if missing:
        raise Invalid(fields=missing)
    return values


def to_arguments(values: dict[str, Any]) -> list[str]:
    """The values as the script's arguments: `--name value`, booleans as true and false."""
    arguments = []
    for name, value in values.items():
        # One word, so that a value that begins with a dash stays a value.
        arguments.append(f"--{name}={to_text(value)}")
    return arguments


def to_text(value: Any) -> str:
    """A value as a form and the script's arguments write it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def from_text(item: dict[str, Any], text: str) -> Any:
    """A value typed into a form, as the parameter's type. Raises Invalid."""
    kind = item["type"]
    try:
        if kind == "integer":
            return int(text)
        if kind == "number":
            return float(text)
    except ValueError:
        raise Invalid(fields={item["name"]: f"Give {_article(kind)}."}) from None
    return text == "true" if kind == "boolean" else text


def _check(item: dict[str, Any], value: Any, field: str) -> Any:
    kind, choices = item["type"], item.get("choices")
    fits = isinstance(value, TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))
    if not fits or (isinstance(value, float) and not math.isfinite(value)):
        raise Invalid(fields={field: f"{item['name']} is {_article(kind)}."})
    if isinstance(value, str) and (len(value) > MAX_TEXT or "\0" in value):
        raise Invalid(fields={field: f"{item['name']}: at most {MAX_TEXT} characters, and no NUL."})
    if choices and value not in choices:
        raise Invalid(fields={field: f"{item['name']} is one of {', '.join(map(str, choices))}."})
    return value


def _article(kind: str) -> str:
    return {"text": "text", "integer": "a whole number", "number": "a number", "boolean": "true or false"}[kind]
