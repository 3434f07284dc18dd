"""The kinds of resource: rooms register theirs in apps.py, so that access knows them without importing anybody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.apps import apps as django_apps


@dataclass(frozen=True)
class Kind:
    """One kind of shareable thing. `containers` are the kinds it may lie in; `separator` joins its path to its parent's."""

    name: str
    model: str
    containers: frozenset[str]
    label: str
    plural: str
    icon: str
    tile: str
    separator: str
    page: Callable[[Any], str] | None
    clean: Callable[[str], str]

    @property
    def model_class(self) -> Any:
        """The Django model that holds this kind's own columns."""
        return django_apps.get_model(self.model)


_kinds: dict[str, Kind] = {}


def register_kind(
    name: str,
    *,
    model: str,
    containers: set[str],
    label: str = "",
    plural: str = "",
    icon: str = "box",
    tile: str = "",
    separator: str = "/",
    page: Callable[[Any], str] | None = None,
    clean: Callable[[str], str] = str,
) -> None:
    """Make a kind known. `model` is `app.Model`; `page` gives the address of a Resource's page below `/w/<workspace>/`.

    `clean` gives a name as it is kept, or raises Invalid for one that this kind cannot have.
    """
    label = label or name.replace("_", " ")
    _kinds[name] = Kind(
        name, model, frozenset(containers), label, plural or label + "s", icon, tile or name, separator, page, clean
    )


def get_kind(name: str) -> Kind:
    """The kind called `name`. Raises KeyError."""
    return _kinds[name]


def list_kinds() -> list[Kind]:
    """All kinds, by name."""
    return sorted(_kinds.values(), key=lambda kind: kind.name)
