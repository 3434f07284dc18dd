"""`{% load tables %}`: values and effects as the pages of tables write them."""

from __future__ import annotations

from typing import Any

from django import template
from django.http import HttpRequest
from django.template import Context
from django.utils.safestring import SafeString

from apps.foundation.templatetags.figures import cell, number
from apps.foundation.templatetags.marks import chip
from apps.lineage.nodes import address_of, tile_of, word
from apps.lineage.queries import SeenNode
from apps.tables import history
from apps.tables.models import TableVersion

register = template.Library()


@register.filter
def bound(text: str | None, column: history.ColumnRow) -> Any:
    """The smallest or largest value of a column, as a person writes it."""
    if text is None:
        return ""
    if column.family == "number":
        return number(text)
    if column.family == "time":
        return text.removesuffix("+00").removesuffix(" 00:00:00")
    return text


@register.filter
def most_frequent(column: history.ColumnRow) -> str:
    """The three most frequent values."""
    return ", ".join(text for text, _ in column.found.top[:3]) if column.found else ""


@register.filter
def in_column(value: Any, column: history.ColumnRow) -> Any:
    """A plain value of a row as text; a time without what says nothing."""
    if column.family == "time" and isinstance(value, str):
        return value.replace("T", " ").removesuffix("Z").removesuffix(":00")
    return cell(value)


@register.filter
def extent(column: history.ColumnRow) -> str:
    """From the smallest to the largest value; days only where both are on different ones."""
    if column.found is None:
        return ""
    low, high = (str(bound(text, column)) for text in (column.found.low, column.found.high))
    if column.family == "time" and low[:10] != high[:10]:
        low, high = low[:10], high[:10]
    return f"{low}" if low == high else f"{low} to {high}"


@register.filter
def effect(version: TableVersion) -> str:
    """What a version did, in a few words."""
    return history.effect(version)


@register.filter
def when_by(version: TableVersion) -> str:
    """When a version was made and by whom."""
    by = f", {version.actor_label.partition('@')[0]}" if version.actor_label else ""
    return f"{version.committed_at:%-d %b, %H:%M}{by}"


@register.filter
def look(version: TableVersion) -> tuple[str, str, str]:
    """Class of the mark, icon and tone of a version's kind."""
    return history.LOOKS[TableVersion.Kind(version.kind)]


@register.filter
def doing(version: TableVersion | None, request: HttpRequest) -> list[tuple[str, str]]:
    """On behalf of what a version was written, people left out: (word, address or nothing)."""
    pairs = [activity.partition(":") for activity in (version.activities if version else ())]
    workspace = request.actor.workspace.name  # type: ignore[attr-defined]
    return [(word(kind), address_of(workspace, kind, key, "", None)) for kind, _, key in pairs if kind != "person"]


@register.simple_tag(takes_context=True)
def node_chip(context: Context, node: SeenNode, short: bool = False) -> SafeString:
    """A node of the lineage as a link; `short` leaves the catalog and schema of its name out."""
    workspace = context["request"].actor.workspace.name
    name = (node.name.rpartition(".")[2] if short else node.name) or word(node.kind)
    label = f"{name} v{node.version}" if node.version and node.kind != "table_version" else name
    address = address_of(workspace, node.kind, node.key, node.version, node.resource_id)
    return chip(tile_of(node.kind), label, address)


@register.filter
def node_words(kind: str) -> str:
    """What several nodes of a kind are called."""
    return word(kind, 2)


@register.filter
def is_number(value: Any) -> bool:
    """Whether a cell holds a number, which stands at the right."""
    return isinstance(value, int | float) and not isinstance(value, bool)


@register.filter
def join_text(text: str, value: Any) -> str:
    """Text with a value behind it."""
    return f"{text}{value}"


@register.filter
def written_as(format: dict[str, Any]) -> str:
    """How a file is written: `CSV, UTF-8, comma, first line is the head`."""
    parts = [str(format["kind"]).upper(), str(format.get("encoding", "")).upper()]
    if mark := format.get("delimiter"):
        parts.append({",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}.get(mark, f"split at “{mark}”"))
    return ", ".join(filter(None, [*parts, "first line is the head" if format.get("header") else ""]))


@register.filter
def as_key(values: dict[str, str | None]) -> str:
    """The key of a row in words: `origin = JFK, flight = 1141`."""
    return ", ".join(f"{name} = {'null' if value is None else value}" for name, value in values.items())
