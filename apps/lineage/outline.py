"""The drawing as an indented list, one per direction: what a screen reader, a phone and a large graph need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from apps.lineage.folding import Card, Drawing

ROWS_MAX = 400
Way = tuple[str, dict[str, Any]]


@dataclass
class Row:
    """A card in the list: how deep, how it was made or read, and whether it is opened further up."""

    card: Card
    depth: int
    facts: dict[str, Any]
    again: bool = False


def outline(focus: str, drawing: Drawing, direction: str) -> list[Row]:
    """The cards up- or downstream of the focus, each below the one it was reached from; one met again is not opened twice."""
    cards = {card.node.id: card for card in drawing.cards}
    below: dict[str, list[Way]] = {}
    for (source, target), facts in drawing.edges.items():
        near, far = (target, source) if direction == "up" else (source, target)
        below.setdefault(near, []).append((far, facts))
    rows: list[Row] = []
    met: set[str] = {focus}
    stack = [(far, 0, facts) for far, facts in _ordered(below.get(focus, []), cards)][::-1]
    while stack and len(rows) < ROWS_MAX:
        name, depth, facts = stack.pop()
        if name == focus:
            continue
        rows.append(Row(cards[name], depth, facts, name in met and name in below))
        if name not in met:
            met.add(name)
            stack += [(far, depth + 1, more) for far, more in _ordered(below.get(name, []), cards)][::-1]
    return rows


def _ordered(ways: list[Way], cards: dict[str, Card]) -> list[Way]:
    known = [(far, facts) for far, facts in ways if far in cards]
    return sorted(known, key=lambda way: (cards[way[0]].node.kind, cards[way[0]].label, cards[way[0]].sub))
