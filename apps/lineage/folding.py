"""What of a graph is drawn: many alike become one card, kinds that are left out are bridged, the rest is cut and counted; pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from apps.lineage.nodes import word
from apps.lineage.queries import Graph, SeenNode

VERSIONS_ALIKE = 3
SIBLINGS_ALIKE = 12
BRIDGED_MAX = 400
CARDS_MAX = 300
Edges = dict[tuple[str, str], dict[str, Any]]


@dataclass
class Card:
    """One box of the drawing: a node, or `members` that are alike in all that is drawn. `more` lie beyond it."""

    node: SeenNode
    members: list[SeenNode]
    more: int = 0
    url: str = ""
    focus_url: str = ""
    open_url: str = ""
    label: str = field(init=False)
    sub: str = field(init=False)

    def __post_init__(self) -> None:
        node, count = self.node, len(self.members)
        last = node.name.rpartition(".")[2] if node.kind in ("table_version", "model_version") else node.name
        if node.redacted:
            self.label = "No access" if count == 1 else f"{count} you may not see"
            self.sub = word(node.kind, count)
        elif count == 1:
            self.label = last or node.key
            self.sub = f"v{node.version}" if node.version else word(node.kind)
        elif self.versions:
            self.label, self.sub = last or node.key, self.versions
        else:
            self.label, self.sub = f"{count} {word(node.kind, count)}", f"such as {last or node.key}"

    @property
    def versions(self) -> str:
        """What a card of versions of one thing says of them; the empty text for every other card."""
        if len({member.key for member in self.members}) > 1 or len(self.members) == 1 or self.node.redacted:
            return ""
        numbers = sorted(int(member.version) for member in self.members if member.version.isdecimal())
        if len(numbers) == len(self.members) and numbers[-1] - numbers[0] + 1 == len(numbers):
            return f"versions {numbers[0]:,} to {numbers[-1]:,}"
        return f"{len(self.members):,} versions"

    @property
    def title(self) -> str:
        """The card as it is read out."""
        return f"{word(self.node.kind)} {self.node.name or self.label}, {self.sub}"

    @property
    def what(self) -> str:
        """What it is, and which versions it stands for."""
        kind = word(self.node.kind, len(self.members))
        return f"{kind}, {self.versions}" if self.versions else kind


@dataclass(frozen=True)
class Drawing:
    """The cards and how they hang together; `left_out` nodes found no room, `redacted` may not be seen."""

    cards: list[Card]
    edges: Edges
    left_out: int
    redacted: int
    truncated: bool


def draw(graph: Graph, *, without: Collection[str] = (), cards_max: int = CARDS_MAX) -> Drawing:
    """The drawing of a graph, without the nodes of some kinds."""
    nodes = {node.id: node for node in graph.nodes}
    edges: Edges = {(source, target): facts for source, target, facts in graph.edges}
    gone = {node.id for node in graph.nodes if node.kind in without and node.id != graph.focus}
    edges = _bridged(edges, gone)
    kept = [node for node in graph.nodes if node.id not in gone]
    home, cards = _folded(kept, edges, graph.focus)
    joined: Edges = {}
    for (source, target), facts in edges.items():
        if home[source] != home[target]:
            joined.setdefault((home[source], home[target]), facts)
    order = sorted(
        cards.values(), key=lambda card: (abs(card.node.depth), -len(card.members), card.label, card.node.id)
    )
    shown, cut = order[:cards_max], {card.node.id for card in order[cards_max:]}
    found = {card.node.id: card for card in shown}
    for node_id, count in graph.beyond.items():
        if node_id in home and home[node_id] in found:
            found[home[node_id]].more += count
    for source, target in joined:
        if source in cut and target in found:
            found[target].more += 1
        elif target in cut and source in found:
            found[source].more += 1
    return Drawing(
        cards=shown,
        edges={pair: facts for pair, facts in joined.items() if pair[0] in found and pair[1] in found},
        left_out=sum(len(cards[name].members) for name in cut),
        redacted=sum(node.redacted for node in nodes.values() if node.id not in gone),
        truncated=graph.truncated,
    )


def _bridged(edges: Edges, gone: set[str]) -> Edges:
    """The edges with some nodes taken away: what went in through one comes out behind it."""
    if not gone:
        return edges
    ins: dict[str, set[str]] = defaultdict(set)
    outs: dict[str, set[str]] = defaultdict(set)
    for source, target in edges:
        ins[target].add(source)
        outs[source].add(target)
    for name in sorted(gone):
        before, after = ins.pop(name, set()), outs.pop(name, set())
        for source in before:
            outs[source].discard(name)
        for target in after:
            ins[target].discard(name)
        if len(before) * len(after) <= BRIDGED_MAX:
            for source in before:
                outs[source] |= after - {source}
            for target in after:
                ins[target] |= before - {target}
    return {(source, target): edges.get((source, target), {}) for source in outs for target in sorted(outs[source])}


def _folded(nodes: list[SeenNode], edges: Edges, focus: str) -> tuple[dict[str, str], dict[str, Card]]:
    """Nodes that are alike and hang on the same others become one card: where each node is, and the cards by their first node."""
    ins: dict[str, set[str]] = defaultdict(set)
    outs: dict[str, set[str]] = defaultdict(set)
    for source, target in edges:
        ins[target].add(source)
        outs[source].add(target)
    alike: dict[Any, list[SeenNode]] = defaultdict(list)
    for node in nodes:
        hangs = (node.kind, node.redacted, frozenset(ins[node.id]), frozenset(outs[node.id]))
        alike[node.id if node.id == focus else hangs].append(node)
    home: dict[str, str] = {}
    cards: dict[str, Card] = {}
    for group in alike.values():
        by_key: dict[str, list[SeenNode]] = defaultdict(list)
        for node in group:
            by_key[node.key].append(node)
        sets = [group] if len(group) > SIBLINGS_ALIKE and len(by_key) > 1 else list(by_key.values())
        for members in sets:
            together = len(members) >= (2 if members[0].redacted else VERSIONS_ALIKE)
            for part in [members] if together else [[node] for node in members]:
                newest = max(part, key=lambda node: (node.created_at is not None, node.created_at, node.id))
                cards[newest.id] = Card(newest, part)
                home |= {node.id: newest.id for node in part}
    return home, cards
