"""Lineage as a graph and as a list: what something was made from, and what was made from it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, QueryDict

from apps.access.actor import Actor
from apps.access.export import csv_answer
from apps.foundation.errors import Invalid, NotFound
from apps.foundation.pages import page, page_url
from apps.lineage import folding, queries
from apps.lineage.folding import Card, Drawing
from apps.lineage.nodes import WORDS, address_of, word
from apps.lineage.outline import Row, outline

DEPTHS = (1, 2, 3, 5, 10, 20)
SIDE_MAX = 12
OPENED_MAX = 20
SERVES = ("endpoint", "model_version", "table_version", "logged_model", "run", "job_run", "commit", "person")


@page("lineage/page.html", fragments={"lineage": "lineage/_page.html", "gside": "lineage/_side.html"})
def lineage(request: HttpRequest) -> dict[str, Any] | HttpResponse:
    """Up- and downstream of `kind`, `id` and `version`; without them, what changed lately, to start from."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    wish = request.GET
    kind, key, words = wish.get("kind", ""), wish.get("id", ""), wish.get("q", "").strip()[:200]
    base: dict[str, Any] = {"page_title": "Lineage", "kinds": [(name, words[0]) for name, words in WORDS.items()]}
    if not kind or not key:
        latest = queries.list_recent_nodes(actor, kind=kind, words=words)
        listed = [(node, _address(actor, node)) for node in latest]
        return {**base, "focus": None, "latest": listed, "kind": kind, "words": words}
    focus = queries.find_node(actor, kind, key, wish.get("version", ""))
    up, down, until = _depth(wish.get("up")), _depth(wish.get("down")), _until(wish.get("until", ""))
    opened = wish.getlist("open")[:OPENED_MAX]
    graph = queries.around(actor, focus, up=up, down=down, until=until, opened=opened)
    seen = next((node for node in graph.nodes if node.id == graph.focus), None)
    if seen is None:
        raise NotFound
    # People stand beside the story more often than in it: they are drawn when asked for.
    left_out = wish.getlist("without") if "kinds" in wish else ["person"]
    without = [name for name in left_out if name in WORDS]
    drawing = folding.draw(graph, without=without)
    for card in drawing.cards:
        _address_card(request, card, actor, seen.id)
    large = len(drawing.cards) >= folding.CARDS_MAX or drawing.left_out > 0
    view = wish.get("view") or ("list" if large else "graph")
    sides = [_side(actor, graph.focus, drawing, direction) for direction in ("up", "down")]
    if wish.get("download") == "csv":
        return _download(sides, seen)
    chosen = next((card for card in drawing.cards if card.node.id == wish.get("at")), None)
    chosen = chosen or next(card for card in drawing.cards if card.node.id == graph.focus)
    return {
        **base,
        "page_title": f"Lineage of {seen.name or word(kind)}",
        "focus": seen,
        "focus_card": next(card for card in drawing.cards if card.node.id == graph.focus),
        "drawing": drawing,
        "spec": {"focus": seen.id, "edges": [[*pair] for pair in drawing.edges]},
        "chosen": chosen,
        "impact": _reached(chosen, drawing, "down"),
        "origin": _reached(chosen, drawing, "up"),
        "sides": sides,
        "view": view,
        "up": up,
        "down": down,
        "depths": DEPTHS,
        "without": without,
        "until": wish.get("until", ""),
        "kept": _kept(wish),
    }


def _side(actor: Actor, focus: str, drawing: Drawing, direction: str) -> dict[str, Any]:
    """The list of one direction."""
    rows = outline(focus, drawing, direction)
    return {
        "title": "Comes from" if direction == "up" else "Goes to",
        "direction": direction,
        "rows": rows,
        "hidden": sum(len(row.card.members) for row in rows if row.card.node.redacted and not row.again),
    }


def _reached(chosen: Card, drawing: Drawing, direction: str) -> dict[str, Any]:
    """What is reached from a card, what serves first; and how many that may not be seen."""
    ways: dict[str, list[str]] = {}
    for source, target in drawing.edges:
        near, far = (target, source) if direction == "up" else (source, target)
        ways.setdefault(near, []).append(far)
    met, stack = set(), [chosen.node.id]
    while stack:
        for far in ways.get(stack.pop(), []):
            if far not in met:
                met.add(far)
                stack.append(far)
    cards = [card for card in drawing.cards if card.node.id in met]
    seen = [card for card in cards if not card.node.redacted]
    if direction == "down":
        seen.sort(key=lambda card: (SERVES.index(card.node.kind) if card.node.kind in SERVES else 99, card.label))
    return {
        "cards": seen[:SIDE_MAX],
        "more": max(0, len(seen) - SIDE_MAX),
        "hidden": sum(len(card.members) for card in cards if card.node.redacted),
    }


def _address_card(request: HttpRequest, card: Card, actor: Actor, focus: str) -> None:
    node = card.node
    if node.redacted:
        return
    card.url = _address(actor, node)
    here = page_url(request, "lineage:list")
    card.focus_url = f"{here}?{urlencode({'kind': node.kind, 'id': node.key, 'version': node.version})}"
    if card.more and node.id != focus:
        query = request.GET.copy()
        query.setlist("open", [*query.getlist("open"), node.id][-OPENED_MAX:])
        query.pop("at", None)
        card.open_url = f"{here}?{query.urlencode()}"


def _kept(wish: QueryDict) -> str:
    """The address's query without what a click on a node sets."""
    query = wish.copy()
    query.pop("at", None)
    query.pop("download", None)
    return query.urlencode()


def _depth(text: str | None) -> int:
    return min(int(text), queries.DEPTH_MAX) if text and text.isdecimal() and len(text) < 4 else 3


def _until(text: str) -> datetime | None:
    """The end of a day that was typed, or None. Raises Invalid."""
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC) + timedelta(days=1)
    except (ValueError, OverflowError):
        raise Invalid(fields={"until": "A day such as 2026-03-14."}) from None


def _address(actor: Actor, node: Any) -> str:
    return address_of(actor.workspace.name, node.kind, node.key, node.version, node.resource_id)


def _download(sides: list[dict[str, Any]], focus: Any) -> HttpResponse:
    """Both lists as a file."""
    heads = ["direction", "step", "kind", "name", "version", "count", "first_seen", "facts"]
    lines = (
        [side["direction"], row.depth + 1, *map(_plain, _columns(row))]
        for side in sides
        for row in side["rows"]
        if not row.again
    )
    return csv_answer(f"lineage-{focus.kind}", heads, lines)


def _columns(row: Row) -> list[Any]:
    node, count = row.card.node, len(row.card.members)
    version = row.card.versions or node.version
    return [node.kind, node.name, version, count, node.created_at or "", json.dumps(row.facts) if row.facts else ""]


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
