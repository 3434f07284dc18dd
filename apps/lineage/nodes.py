"""Where the nodes of the graph have their pages: rooms say so in apps.py, since lineage knows nobody above it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# kind: (word, plural, what its tile looks like)
WORDS = {
    "commit": ("commit", "commits", "commit"),
    "job_run": ("job run", "job runs", "job_run"),
    "table_version": ("table version", "table versions", "table"),
    "run": ("run", "runs", "run"),
    "logged_model": ("logged model", "logged models", "logged_model"),
    "model_version": ("model version", "model versions", "version"),
    "endpoint": ("endpoint", "endpoints", "endpoint"),
    "person": ("person", "people", "person"),
}


@dataclass(frozen=True)
class Place:
    """What an address is made from: the node's kind, key, version and the id of its resource."""

    key: str
    version: str
    resource_id: Any


_pages: dict[str, Callable[[Place], str]] = {}


def register_node_page(kind: str, page: Callable[[Place], str]) -> None:
    """Say where nodes of a kind have their page: an address below `/w/<workspace>/`."""
    _pages[kind] = page


def address_of(workspace: str, kind: str, key: str, version: str, resource_id: Any) -> str:
    """The address of a node's page, or the empty text for a kind that has none."""
    page = _pages.get(kind)
    return f"/w/{workspace}/{page(Place(key, version, resource_id))}" if page else ""


def word(kind: str, count: int = 1) -> str:
    """What a kind is called in a sentence."""
    one, many, _ = WORDS.get(kind, (kind.replace("_", " "), kind.replace("_", " ") + "s", kind))
    return one if count == 1 else many


def tile_of(kind: str) -> str:
    """The tile of a kind."""
    return WORDS.get(kind, ("", "", kind))[2]
