"""Walks over the graph: up, down, and the path between two nodes, redacted where the caller may not look."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection

from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.policy import visible
from apps.access.scope import current_workspace
from apps.foundation.errors import NotFound
from apps.foundation.ids import parse_id
from apps.lineage.models import LineageEdge, LineageNode

DEPTH_MAX = 20
NODES_MAX = 2000
EDGES_MAX = 40_000
OPENED_MAX = 200


@dataclass(frozen=True)
class SeenNode:
    """A node as the caller may see it. Redacted ones keep their place and kind, nothing else; `depth` < 0 is upstream."""

    id: str
    kind: str
    key: str
    version: str
    name: str
    depth: int
    redacted: bool
    resource_id: Any = None
    created_at: datetime | None = None


@dataclass(frozen=True)
class Use:
    """A thing or activity that something went into, and which of its versions did."""

    node: SeenNode
    versions: list[str]


@dataclass(frozen=True)
class Graph:
    """What lies around a focus. `truncated` says that there was more than is shown; `beyond` counts what lies further, by node."""

    focus: str
    nodes: list[SeenNode]
    edges: list[tuple[str, str, dict[str, Any]]]
    truncated: bool
    beyond: dict[str, int] = field(default_factory=dict)


def find_node(actor: Actor, kind: str, key: str, version: str = "") -> LineageNode:
    """The node that the caller may see. Without a version: the newest. Raises NotFound."""
    nodes = LineageNode.objects.filter(kind=kind, key=key)
    node = (nodes.filter(version=version) if version else nodes.order_by("-created_at", "-id")).first()
    if node is None or node.pk in _hidden(actor, [node]):
        raise NotFound
    return node


def list_recent_nodes(actor: Actor, *, kind: str = "", words: str = "", limit: int = 60) -> list[LineageNode]:
    """The newest nodes that the caller may see, to start looking from; with some words in their name."""
    nodes = LineageNode.objects.filter(kind=kind) if kind else LineageNode.objects.exclude(kind="person")
    if words:
        nodes = nodes.filter(name__icontains=words)
    found = list(nodes.order_by("-created_at", "-id")[: 3 * limit])
    hidden = _hidden(actor, found)
    return [node for node in found if node.pk not in hidden][:limit]


def around(
    actor: Actor,
    focus: LineageNode,
    *,
    up: int = 5,
    down: int = 5,
    until: datetime | None = None,
    opened: Iterable[str] = (),
    limit: int = NODES_MAX,
) -> Graph:
    """The graph upstream and downstream of a node, to the given depths, as it was `until` then; `opened` nodes show one step more."""
    above, cut_up = _walk([focus.pk], "upstream", min(up, DEPTH_MAX), until, limit)
    below, cut_down = _walk([focus.pk], "downstream", min(down, DEPTH_MAX), until, limit)
    placed = {**below, **{node: -depth for node, depth in above.items()}, focus.pk: 0}
    cut = cut_up or cut_down
    for text in opened:
        start = parse_id(text)
        if start in placed and placed[start]:
            direction, sign = ("upstream", -1) if placed[start] < 0 else ("downstream", 1)
            nearby, more = _walk([start], direction, 1, until, OPENED_MAX)
            cut = cut or more
            for node in nearby:
                placed.setdefault(node, placed[start] + sign)
    return _graph(actor, focus, placed, cut, until)


def uses_of(actor: Actor, kind: str, key: str, *, depth: int = 6) -> list[Use]:
    """What came of a thing in any of its versions, newest first: runs, models, endpoints, tables; redacted ones keep their place."""
    with connection.cursor() as cursor:
        cursor.execute(
            "with recursive start as (select id, version from lineage_lineagenode where workspace_id = %s and kind = %s and key = %s"
            " order by created_at desc limit %s),"
            " walk(origin, id, depth) as (select version, id, 0 from start union select w.origin, e.target_id, w.depth + 1"
            " from walk w join lineage_lineageedge e on e.source_id = w.id join lineage_lineagenode n on n.id = w.id"
            " where w.depth < %s and (w.depth = 0 or n.kind not in ('person', 'table_version')))"
            " select id, min(depth), array_agg(distinct origin) from walk where depth > 0 group by id limit %s",
            [current_workspace().pk, kind, key, NODES_MAX, min(depth, DEPTH_MAX), NODES_MAX],
        )
        reached = {row[0]: (row[1], row[2]) for row in cursor.fetchall()}
    nodes = list(LineageNode.objects.filter(pk__in=reached).order_by("-created_at", "-id"))
    hidden = _hidden(actor, nodes)
    return [
        Use(_seen(node, reached[node.pk][0], node.pk in hidden), sorted(reached[node.pk][1], key=_number)) for node in nodes
        if (node.kind, node.key) != (kind, key)
    ]  # fmt: skip


def _number(version: str) -> tuple[int, str]:
    return (int(version), "") if version.isdecimal() else (0, version)


def _seen(node: LineageNode, depth: int, hidden: bool) -> SeenNode:
    if hidden:
        return SeenNode(str(node.pk), node.kind, "", "", "", depth, True)
    known = (node.key, node.version, node.name, depth, False, node.resource_id, node.created_at)
    return SeenNode(str(node.pk), node.kind, *known)


def path_between(actor: Actor, source: LineageNode, target: LineageNode) -> Graph:
    """The shortest way from one node down to another; no nodes when there is none."""
    parents: dict[Any, Any] = {source.pk: None}
    frontier = [source.pk]
    while frontier and target.pk not in parents and len(parents) < 20 * NODES_MAX:
        edges = (
            LineageEdge.objects.filter(source__in=frontier)
            .exclude(source__kind="person")
            .values_list("source_id", "target_id")
        )
        frontier = []
        for start, end in edges:
            if end not in parents:
                parents[end] = start
                frontier.append(end)
    way: list[Any] = []
    step = target.pk if target.pk in parents else None
    while step is not None:
        way.append(step)
        step = parents[step]
    return _graph(actor, source, {node: depth for depth, node in enumerate(reversed(way))}, False)


def _walk(
    starts: list[Any], direction: str, depth: int, until: datetime | None, limit: int
) -> tuple[dict[Any, int], bool]:
    """Every node within `depth` steps with its least depth, at most `limit`; and whether there were more. A statement a step."""
    near, far = ("target_id", "source_id") if direction == "upstream" else ("source_id", "target_id")
    seen = dict.fromkeys(starts, 0)
    frontier = list(starts)
    with connection.cursor() as cursor:
        for step in range(1, depth + 1):
            # A person ends the walk: that somebody read one thing and wrote another does not make the one come from the other.
            cursor.execute(
                f"select distinct e.{far} from lineage_lineageedge e join lineage_lineagenode n on n.id = e.{near}"
                f" where e.{near} = any(%s) and (n.kind <> 'person' or %s) and e.first_at <= coalesce(%s, 'infinity'::timestamptz) limit %s",
                [frontier, step == 1, until, limit + 1],
            )
            frontier = [row[0] for row in cursor.fetchall() if row[0] not in seen]
            room = limit - len(seen)
            seen |= dict.fromkeys(frontier[:room], step)
            if len(frontier) > room:
                return seen, True
            if not frontier:
                break
    return seen, False


def _graph(
    actor: Actor, focus: LineageNode, placed: dict[Any, int], truncated: bool, until: datetime | None = None
) -> Graph:
    nodes = list(LineageNode.objects.filter(pk__in=placed))
    hidden = _hidden(actor, nodes)
    seen = [_seen(node, placed[node.pk], node.pk in hidden) for node in nodes]
    ids = list(placed)
    with connection.cursor() as cursor:
        cursor.execute(
            "select source_id, target_id, facts from lineage_lineageedge"
            " where source_id = any(%s) and target_id = any(%s) and first_at <= coalesce(%s, 'infinity'::timestamptz) limit %s",
            [ids, ids, until, EDGES_MAX + 1],
        )
        rows = cursor.fetchall()
    # A person stands on one side of the focus: that they also read or wrote what lies on the other side joins nothing.
    people = {node.pk for node in nodes if node.kind == "person"}
    edges = [
        (str(source), str(target), {} if {source, target} & hidden else _facts(facts))
        for source, target, facts in rows[:EDGES_MAX]
        if not {source, target} & people or placed[source] * placed[target] >= 0 and placed[source] < placed[target]
    ]
    return Graph(
        str(focus.pk),
        sorted(seen, key=lambda node: (node.depth, node.kind, node.name)),
        edges,
        truncated or len(rows) > EDGES_MAX,
        _beyond(placed, until),
    )


def _beyond(placed: dict[Any, int], until: datetime | None) -> dict[str, int]:
    """How many more lie one step further, for each of the outermost nodes."""
    found: dict[str, int] = {}
    with connection.cursor() as cursor:
        for near, far, ends in (
            ("target_id", "source_id", [node for node, depth in placed.items() if depth < 0]),
            ("source_id", "target_id", [node for node, depth in placed.items() if depth > 0]),
        ):
            if ends:
                cursor.execute(
                    f"select e.{near}, count(*) from lineage_lineageedge e join lineage_lineagenode n on n.id = e.{near}"
                    f" where e.{near} = any(%s) and not e.{far} = any(%s) and n.kind <> 'person'"
                    f" and e.first_at <= coalesce(%s, 'infinity'::timestamptz) group by 1",
                    [ends, list(placed), until],
                )
                found |= {str(node): count for node, count in cursor.fetchall()}
    return found


def _facts(value: Any) -> dict[str, Any]:
    return json.loads(value) if isinstance(value, str) else value


def _hidden(actor: Actor, nodes: Iterable[LineageNode]) -> set[Any]:
    wanted = {node.resource_id for node in nodes if node.resource_id}
    if not wanted:
        return set()
    open_to = visible(Resource.objects.filter(pk__in=wanted), actor, Level.DISCOVER).values_list("pk", flat=True)
    trashed = visible(Resource.objects.filter(pk__in=wanted), actor, Level.DISCOVER, trashed=True).values_list(
        "pk", flat=True
    )
    known = set(open_to) | set(trashed)
    return {node.pk for node in nodes if node.resource_id and node.resource_id not in known}


def sources_behind(
    actor: Actor, kind: str, keys: Iterable[str], kinds: Sequence[str] = ("table_version", "commit"), steps: int = 3
) -> dict[str, list[SeenNode]]:
    """The table versions and commits that the nodes of these keys came from, by key; redacted where the actor may not look."""
    starts = {node.pk: node.key for node in LineageNode.objects.filter(kind=kind, key__in=list(keys))}
    if not starts:
        return {}
    with connection.cursor() as cursor:
        # what is looked for ends its way: what went into it is another story
        cursor.execute(
            "with recursive walk(start, id, depth) as (select n.id, n.id, 0 from lineage_lineagenode n"
            " where n.id = any(%s::uuid[]) union select w.start, e.source_id, w.depth + 1 from walk w"
            " join lineage_lineageedge e on e.target_id = w.id join lineage_lineagenode n on n.id = w.id"
            " where w.depth < %s and n.kind <> 'person' and n.kind <> all(%s))"
            " select distinct w.start, w.id from walk w join lineage_lineagenode n on n.id = w.id"
            " where n.kind = any(%s) limit %s",
            [list(starts), steps, list(kinds), list(kinds), NODES_MAX],
        )
        pairs = cursor.fetchall()
    nodes = {node.pk: node for node in LineageNode.objects.filter(pk__in=[end for _, end in pairs])}
    hidden = _hidden(actor, nodes.values())
    found: dict[str, list[SeenNode]] = {}
    for start, end in pairs:
        node = nodes[end]
        key, version, name = ("", "", "") if end in hidden else (node.key, node.version, node.name)
        resource_id = None if end in hidden else node.resource_id
        seen = SeenNode(str(end), node.kind, key, version, name, -1, end in hidden, resource_id)
        found.setdefault(starts[start], []).append(seen)
    return {key: sorted(rows, key=lambda row: (row.redacted, row.name, row.version)) for key, rows in found.items()}


@dataclass(frozen=True)
class Reading:
    """What an activity read: a thing at a version, and what is known of the reading. Redacted ones have a kind, nothing else."""

    kind: str
    key: str
    version: str
    name: str
    facts: dict[str, Any]
    redacted: bool = False
    resource_id: Any = None


def readings_of(actor: Actor, activities: Iterable[tuple[str, str]]) -> dict[tuple[str, str], list[Reading]]:
    """What each of these activities (kind, key) read, in one go, for lists."""
    wanted = set(activities)
    found: dict[tuple[str, str], list[Reading]] = {}
    if not wanted:
        return found
    edges = LineageEdge.objects.select_related("source", "target").filter(
        target__kind__in={kind for kind, _ in wanted}, target__key__in={key for _, key in wanted}
    )
    rows = list(edges.exclude(source__kind__in=("person", "commit", "run", "job_run")).order_by("id")[:NODES_MAX])
    hidden = _hidden(actor, [row.source for row in rows])
    for row in rows:
        thing, place = row.source, (row.target.kind, row.target.key)
        if place not in wanted:
            continue
        seen = (
            Reading(thing.kind, "", "", "", {}, True)
            if thing.pk in hidden
            else Reading(thing.kind, thing.key, thing.version, thing.name, row.facts, False, thing.resource_id)
        )
        found.setdefault(place, []).append(seen)
    return found


def has_read(activities: Iterable[tuple[str, str]]) -> bool:
    """Whether one of these activities (kind, key) read anything. Says nothing of what."""
    wanted = list(activities)
    edges = LineageEdge.objects.filter(
        target__kind__in={k for k, _ in wanted}, target__key__in={key for _, key in wanted}
    )
    return edges.exclude(source__kind__in=("person", "commit", "run", "job_run")).exists()
