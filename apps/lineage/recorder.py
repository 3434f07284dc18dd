"""The two calls that record lineage. The data doors make them; product code never does by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import connection

from apps.access.audit import plain
from apps.access.models import Resource
from apps.access.scope import current_workspace
from apps.foundation.ids import new_id
from apps.lineage.models import LineageEdge, LineageNode

KINDS = ("commit", "job_run", "table_version", "run", "logged_model", "model_version", "endpoint", "person")


@dataclass(frozen=True)
class Node:
    """A thing at a version, or an activity, as the room that owns it names it.

    kind: one of KINDS; id: stable within the kind; resource: what one must be able to discover to see the node (None: everybody).
    """

    kind: str
    id: str
    version: str = ""
    name: str = ""
    resource: Resource | None = None


def observe_read(activity: Node, thing: Node, **facts: Any) -> None:
    """Note that `activity` read `thing`. Idempotent; the first facts stay."""
    _connect(thing, activity, facts)


def observe_write(activity: Node, thing: Node, **facts: Any) -> None:
    """Note that `activity` wrote `thing`. Idempotent; the first facts stay."""
    _connect(activity, thing, facts)


def activity_node(activity: str) -> Node | None:
    """The node of a run key's activity (`job_run:<id>`), or None for none."""
    kind, _, key = activity.partition(":")
    return Node(kind, key) if key else None


def _connect(source: Node, target: Node, facts: dict[str, Any]) -> None:
    ends = [_node_id(source), _node_id(target)]
    edge = LineageEdge(source_id=ends[0], target_id=ends[1], facts=plain(facts))
    LineageEdge.objects.bulk_create([edge], ignore_conflicts=True)


def _node_id(node: Node) -> Any:
    if node.kind not in KINDS:
        raise ValueError(f"{node.kind} is no kind of lineage node")
    # One statement, so that two observers of one node never fail; a later name or resource fills in an empty one.
    with connection.cursor() as cursor:
        cursor.execute(
            f"insert into {LineageNode._meta.db_table} as n (id, workspace_id, kind, key, version, name, resource_id, created_at)"
            " values (%s, %s, %s, %s, %s, %s, %s, now()) on conflict (workspace_id, kind, key, version) do update"
            " set name = coalesce(nullif(excluded.name, ''), n.name), resource_id = coalesce(excluded.resource_id, n.resource_id)"
            " returning id",
            [
                new_id(),
                current_workspace().pk,
                node.kind,
                node.id,
                node.version,
                node.name[:500],
                node.resource.pk if node.resource else None,
            ],
        )
        return cursor.fetchone()[0]
