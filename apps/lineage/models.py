"""The graph: nodes are things at a version and activities, edges say that one went into the other."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from apps.access.scope import WorkspaceModel
from apps.foundation.clock import now
from apps.foundation.ids import new_id


class LineageNode(WorkspaceModel):
    """A thing or an activity. `resource` is what one must be able to discover to see it; the rest is plain and outlives it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=32)
    key = models.CharField(max_length=200)
    version = models.CharField(max_length=64, blank=True)
    name = models.CharField(max_length=500, blank=True)
    resource_id = models.UUIDField(null=True)
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["workspace", "kind", "key", "version"], name="lineage_node_once"),
        ]
        indexes: ClassVar[list[Any]] = [models.Index(fields=["workspace", "resource_id"], name="lineage_node_resource")]

    def __str__(self) -> str:
        return f"{self.name or self.key} {self.version}".strip()


class LineageEdge(WorkspaceModel):
    """`source` went into `target`: read by the activity, or written by it. `facts` are counts and columns, as first seen."""

    id = models.BigAutoField(primary_key=True)
    source = models.ForeignKey(LineageNode, on_delete=models.CASCADE, related_name="downstream", db_index=False)
    target = models.ForeignKey(LineageNode, on_delete=models.CASCADE, related_name="upstream")
    facts = models.JSONField(default=dict)
    first_at = models.DateTimeField(default=now)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["source", "target"], name="lineage_edge_once")
        ]
