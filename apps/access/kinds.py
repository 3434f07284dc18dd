"""The kinds of resource: rooms register theirs in apps.py, so that access knows them without importing anybody."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps as django_apps

from apps.access.levels import Level


@dataclass(frozen=True)
class Kind:
    """One kind of shareable thing. `containers` are the kinds it may lie in; `separator` joins its path to its parent's.

    `parts` gives the address of what lives inside and has a page: `{"version": lambda model, number: f"models/{model.pk}/..."}`.
    """

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
    abilities: tuple[tuple[str, Level], ...]
    parts: Mapping[str, Callable[[Any, str], str]] = field(default_factory=dict)

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
    reads: str = "Read it and its history",
    uses: str = "Use it in code and jobs",
    edits: str = "Change it and what lies inside",
    parts: Mapping[str, Callable[[Any, str], str]] | None = None,
) -> None:
    """Make a kind known. `model` is `app.Model`; `page` gives the address of a Resource's page below `/w/<workspace>/`.

    `clean` gives a name as it is kept, or raises Invalid for one that this kind cannot have. `reads`, `uses` and `edits` say what
    the levels view, use and edit allow with this kind; the other levels allow the same everywhere.
    """
    label = label or name.replace("_", " ")
    abilities = (
        ("Know it exists, ask for access", Level.DISCOVER),
        (reads, Level.VIEW),
        ("Comment, mention, watch", Level.COMMENT),
        (uses, Level.USE),
        (edits, Level.EDIT),
        ("Grant, rename, move, delete", Level.MANAGE),
    )
    _kinds[name] = Kind(
        name, model, frozenset(containers), label, plural or label + "s", icon, tile or name, separator, page, clean,
        abilities, parts or {},
    )  # fmt: skip


def get_kind(name: str) -> Kind:
    """The kind called `name`. Raises KeyError."""
    return _kinds[name]


def list_kinds() -> list[Kind]:
    """All kinds, by name."""
    return sorted(_kinds.values(), key=lambda kind: kind.name)


def page_path(resource: Any, part: str = "") -> str:
    """The address below `/w/<workspace>/` of a resource's page, or of the page of a part of it (`version:3`) that has one."""
    kind = get_kind(resource.kind)
    name, _, rest = part.partition(":")
    if name in kind.parts:
        return kind.parts[name](resource, rest).lstrip("/")
    return kind.page(resource).lstrip("/") if kind.page else f"folders/{resource.pk}"
