"""The graph as an indented list, one per direction: what a screen reader, a phone and a large graph need."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from apps.lineage.queries import Graph, SeenNode

ROWS_MAX = 400


@dataclass
class Row:
    """A node in the list: how deep, and how many more ways lead to it that are not repeated."""

    node: SeenNode
    depth: int
    facts: dict[str, Any]
    again: bool = False
    versions: list[str] = field(default_factory=list)


def outline(graph: Graph, direction: str) -> list[Row]:
    """The nodes up- or downstream of the focus, each below the one it was reached from; a node met again is not opened twice."""
    nodes = {node.id: node for node in graph.nodes}
    below: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for source, target, facts in graph.edges:
        near, far = (target, source) if direction == "up" else (source, target)
        below.setdefault(near, []).append((far, facts))
    rows: list[Row] = []
    met: set[str] = {graph.focus}
    stack = [(far, 0, facts) for far, facts in _ordered(below.get(graph.focus, []), nodes)][::-1]
    while stack and len(rows) < ROWS_MAX:
        name, depth, facts = stack.pop()
        node = nodes.get(name)
        if node is None or name == graph.focus:
            continue
        again = name in met and name in below
        rows.append(Row(node, depth, facts, again))
        if name not in met:
            met.add(name)
            stack += [(far, depth + 1, more) for far, more in _ordered(below.get(name, []), nodes)][::-1]
    return rows


def _ordered(ways: list[tuple[str, dict[str, Any]]], nodes: dict[str, SeenNode]) -> list[tuple[str, dict[str, Any]]]:
    known = [(far, facts) for far, facts in ways if far in nodes]
    return sorted(known, key=lambda way: (nodes[way[0]].kind, nodes[way[0]].name, nodes[way[0]].version))
