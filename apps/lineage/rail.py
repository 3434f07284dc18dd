"""The mini map in the rail of every object page: one step up, the thing itself, one step down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest

from apps.foundation.errors import NotFound
from apps.foundation.pages import Frame, page_url
from apps.lineage import queries
from apps.lineage.nodes import address_of

SHOWN = 5


def lineage_address(request: Any, kind: str, key: str, version: str = "") -> str:
    """The address of the lineage page around a node."""
    wish = {"kind": kind, "id": key, **({"version": version} if version else {})}
    return f"{page_url(request, 'lineage:list')}?{urlencode(wish)}"


def mini_map(request: HttpRequest, frame: Frame) -> Mapping[str, Any] | None:
    """The neighbours of the frame's node, or None when nothing was recorded."""
    if not frame.node:
        return None
    kind, key, version = (*map(str, frame.node), "")[:3]
    actor = request.actor  # type: ignore[attr-defined]
    try:
        focus = queries.find_node(actor, kind, key, version)
    except NotFound:
        return None
    graph = queries.around(actor, focus, up=1, down=1)
    sides: dict[str, list[tuple[Any, str]]] = {"up": [], "down": []}
    for node in graph.nodes:
        if node.id != graph.focus:
            shown = (
                ""
                if node.redacted
                else address_of(actor.workspace.name, node.kind, node.key, node.version, node.resource_id)
            )
            sides["up" if node.depth < 0 else "down"].append((node, shown))
    if not sides["up"] and not sides["down"]:
        return None
    return {
        "focus": focus,
        "up": sides["up"][:SHOWN],
        "down": sides["down"][:SHOWN],
        "more_up": max(0, len(sides["up"]) - SHOWN),
        "more_down": max(0, len(sides["down"]) - SHOWN),
        "href": lineage_address(request, kind, key, version),
    }
