"""Names of models: plain ones (`churn`) live in `main.default`, three parts (`main.flights.churn`) say where."""

from __future__ import annotations

import re
from dataclasses import dataclass

from apps.foundation.errors import Invalid

PLAIN_HOME = "main.default"
NAME_MAX = 255
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,127}")
_ALIAS = re.compile(r"[\w-]{1,255}", re.ASCII)
_RESERVED_ALIAS = re.compile(r"latest|v\d+", re.IGNORECASE)


@dataclass(frozen=True)
class Address:
    """Where a model of some name lives: the path of its schema, its own name in it, and whether the name was plain."""

    schema: str
    name: str
    plain: bool

    @property
    def path(self) -> str:
        """The path of the model's resource."""
        return f"{self.schema}.{self.name}"


def locate(name: str) -> Address:
    """The address that a name means. Every name means exactly one, whoever asks."""
    if name.startswith(f"{PLAIN_HOME}.") and len(name) > len(PLAIN_HOME) + 1:
        return Address(PLAIN_HOME, name[len(PLAIN_HOME) + 1 :], False)
    parts = name.split(".")
    if len(parts) == 3 and all(_PART.fullmatch(part) for part in parts):
        return Address(f"{parts[0]}.{parts[1]}".lower(), parts[2], False)
    return Address(PLAIN_HOME, name, True)


def shown_name(path: str, name: str, *, plain: bool) -> str:
    """The name that a model answers by: the plain one it was made by while that still leads to it, else its path."""
    return name if plain and locate(name).path == path else path


def check_model_name(name: str) -> Address:
    """The address of a model that can be made by this name. Raises Invalid with the reason."""
    problem = ""
    if not name or not name.strip():
        problem = "Give a name that is not blank."
    elif any(char in name for char in "/:\\\0") or name in (".", ".."):
        problem = "A model's name cannot contain / : or a backslash, nor be a path."
    elif len(name) > NAME_MAX:
        problem = f"At most {NAME_MAX} characters."
    if problem:
        raise Invalid(f"Invalid model name: '{name[:80]}'. {problem}", fields={"name": problem})
    return locate(name)


def check_alias(alias: str) -> str:
    """The alias, when it can be one. Raises Invalid."""
    if not _ALIAS.fullmatch(alias):
        raise Invalid(fields={"alias": "1 to 255 of letters, digits, _ and -."})
    if _RESERVED_ALIAS.fullmatch(alias):
        raise Invalid(fields={"alias": f"“{alias}” is reserved: it always means a version by its number or age."})
    return alias
