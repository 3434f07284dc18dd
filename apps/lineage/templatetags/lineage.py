"""`{% load lineage %}`: the mini map of the rail, what was made from something, links into the list."""

from __future__ import annotations

from typing import Any

from django import template
from django.template import Context
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from apps.foundation.errors import NotFound
from apps.foundation.templatetags.marks import tile
from apps.lineage import queries
from apps.lineage.nodes import address_of, tile_of, word
from apps.lineage.rail import lineage_address

register = template.Library()


@register.simple_tag(takes_context=True)
def lineage_url(context: Context, kind: str, key: Any, version: Any = "") -> str:
    """`{% lineage_url "table_version" table.pk 17 as href %}`."""
    return lineage_address(context["request"], kind, str(key), str(version))


@register.inclusion_tag("lineage/_reads_and_writes.html", takes_context=True)
def reads_and_writes(context: Context, kind: str, key: Any, version: Any = "") -> dict[str, Any]:
    """A card of what an activity read and what it made, with what is known of each; nothing when nothing was recorded."""
    request = context["request"]
    try:
        focus = queries.find_node(request.actor, kind, str(key), str(version))
    except NotFound:
        return {}
    graph = queries.around(request.actor, focus, up=1, down=1)
    known = {(source, target): facts for source, target, facts in graph.edges}
    sides: dict[str, list[tuple[Any, str, dict[str, Any]]]] = {"read": [], "made": []}
    for node in graph.nodes:
        if node.id == graph.focus:
            continue
        edge = (node.id, graph.focus) if node.depth < 0 else (graph.focus, node.id)
        url = (
            ""
            if node.redacted
            else address_of(request.actor.workspace.name, node.kind, node.key, node.version, node.resource_id)
        )
        sides["read" if node.depth < 0 else "made"].append((node, url, known.get(edge, {})))
    if not sides["read"] and not sides["made"]:
        return {}
    return {
        "sides": [("Read", sides["read"]), ("Made", sides["made"])],
        "href": lineage_address(request, kind, str(key), str(version)),
    }


@register.inclusion_tag("lineage/_made.html", takes_context=True)
def made_from(context: Context, kind: str, key: Any, version: Any = "", depth: int = 2) -> dict[str, Any]:
    """A line of what was made from something, activities left out: for a commit or a job run."""
    request = context["request"]
    try:
        focus = queries.find_node(request.actor, kind, str(key), str(version))
    except NotFound:
        return {}
    graph = queries.around(request.actor, focus, up=0, down=depth)
    nodes = [node for node in graph.nodes if node.depth > 0]
    rows = [
        (node, address_of(request.actor.workspace.name, node.kind, node.key, node.version, node.resource_id))
        for node in nodes
        if not node.redacted
    ]
    return {"rows": rows[:8], "more": max(0, len(rows) - 8), "hidden": sum(node.redacted for node in nodes)}


@register.simple_tag(takes_context=True)
def kept_fields(context: Context, names: str) -> SafeString:
    """Hidden fields that keep the address's query in a form, but for the form's own fields."""
    own = {*names.split(), "download"}
    pairs = [(name, value) for name, values in context["request"].GET.lists() if name not in own for value in values]
    return format_html_join("", '<input type="hidden" name="{}" value="{}">', pairs)


@register.simple_tag
def node_tile(kind: str, size: str = "") -> Any:
    """The tile of a kind of node."""
    return tile(tile_of(kind), size)


@register.filter
def node_word(kind: str) -> str:
    """What a kind of node is called."""
    return word(kind)


@register.filter
def facts(values: dict[str, Any]) -> str:
    """What is known of an edge, in one line: `rows 190,133, mode append`."""
    parts = []
    for name, value in list((values or {}).items())[:5]:
        words = name.replace("_", " ")
        if isinstance(value, bool):
            parts.append(words if value else f"no {words}")
        elif isinstance(value, int):
            parts.append(f"{words} {value:,}")
        elif isinstance(value, list):
            parts.append(f"{len(value)} {words}")
        elif value not in (None, ""):
            parts.append(f"{words} {str(value)[:60]}")
    return ", ".join(parts)
