"""Lineage as a list: what something was made from, and what was made from it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from apps.foundation.errors import NotFound
from apps.foundation.pages import page
from apps.lineage import queries
from apps.lineage.nodes import WORDS, address_of, word
from apps.lineage.outline import outline

DEPTHS = (1, 2, 3, 5, 10, 20)


@page("lineage/list.html")
def lineage(request: HttpRequest) -> dict[str, Any]:
    """Up- and downstream of `kind`, `id` and `version`; without them, what changed lately, to start from."""
    actor, wish = request.actor, request.GET  # type: ignore[attr-defined]
    kind, key, version = wish.get("kind", ""), wish.get("id", ""), wish.get("version", "")
    base: dict[str, Any] = {"page_title": "Lineage", "kinds": [(name, words[0]) for name, words in WORDS.items()]}
    if not kind or not key:
        latest = queries.list_recent_nodes(actor, kind=kind, limit=60)
        return {**base, "focus": None, "latest": _with_addresses(request, latest), "kind": kind}
    up, down = _depth(wish.get("up")), _depth(wish.get("down"))
    focus = queries.find_node(actor, kind, key, version)
    graph = queries.around(actor, focus, up=up, down=down)
    seen = next((node for node in graph.nodes if node.id == graph.focus), None)
    if seen is None:
        raise NotFound
    sides = []
    for title, direction in (("Made from", "up"), ("Made into", "down")):
        rows = outline(graph, direction)
        for row in rows:
            row.url = _address(request, row.node)  # type: ignore[attr-defined]
        hidden = sum(row.node.redacted for row in rows)
        sides.append({"title": title, "direction": direction, "rows": rows, "hidden": hidden})
    return {
        **base,
        "page_title": f"Lineage of {seen.name or word(kind)}",
        "focus": seen,
        "focus_url": _address(request, seen),
        "sides": sides,
        "up": up,
        "down": down,
        "depths": DEPTHS,
        "truncated": graph.truncated,
    }


def _depth(text: str | None) -> int:
    return min(int(text), queries.DEPTH_MAX) if text and text.isdecimal() else 5


def _address(request: HttpRequest, node: Any) -> str:
    if getattr(node, "redacted", False):
        return ""
    return address_of(request.actor.workspace.name, node.kind, node.key, node.version, node.resource_id)  # type: ignore[attr-defined]


def _with_addresses(request: HttpRequest, nodes: list[Any]) -> list[tuple[Any, str]]:
    return [(node, _address(request, node)) for node in nodes]
