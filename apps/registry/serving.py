"""Where versions are served: rooms above register what they know, so that the registry's pages can show it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.access.actor import Actor
from apps.registry.models import ModelVersion, RegisteredModel


@dataclass(frozen=True)
class Serving:
    """That a thing the actor may see serves a version now. `tone` is ok, warn or bad; `note` says how it does, in few words."""

    version_id: str
    kind: str
    name: str
    path: str
    share: float
    tone: str
    note: str
    per_minute: tuple[int, ...] = ()
    since: datetime | None = None


@dataclass(frozen=True)
class Served:
    """That a version came into traffic somewhere, or left it, at a moment."""

    version_id: str
    name: str
    path: str
    at: datetime
    began: bool


@dataclass(frozen=True)
class Source:
    """What a room offers: what serves versions of a model now, and when versions came and went, newest first."""

    now: Callable[[Actor, RegisteredModel], Iterable[Serving]]
    past: Callable[[Actor, RegisteredModel, int], Iterable[Served]]


_sources: list[Source] = []


def register_serving(source: Source) -> None:
    """Tell the registry's pages where versions are served. Call it in apps.py."""
    _sources.append(source)


def serving_now(actor: Actor, model: RegisteredModel) -> dict[str, list[Serving]]:
    """What serves versions of the model now and may be seen by the actor, by the version's id."""
    found: dict[str, list[Serving]] = {}
    for source in _sources:
        for serving in source.now(actor, model):
            found.setdefault(serving.version_id, []).append(serving)
    return found


def served_before(actor: Actor, model: RegisteredModel, most: int) -> list[Served]:
    """The newest moments when versions of the model came into traffic or left it."""
    return [moment for source in _sources for moment in source.past(actor, model, most)]


def of(found: Mapping[str, list[Serving]], version: ModelVersion) -> list[Any]:
    """What serves one version."""
    return found.get(str(version.pk), [])
