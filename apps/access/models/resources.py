"""Resources: everything that can be shared, in one tree per workspace, with name, owner, place and trash done once."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from apps.access.scope import ScopedManager, WorkspaceModel
from apps.foundation.clock import now
from apps.foundation.ids import new_id


class ResourceQuerySet(models.QuerySet["Resource"]):
    """Resources by kind and state."""

    def of_kind(self, kind: str) -> ResourceQuerySet:
        return self.filter(kind=kind)

    def live(self) -> ResourceQuerySet:
        return self.filter(deleted_at__isnull=True)


class Resource(WorkspaceModel):
    """A shareable thing. Each kind has its own table with `resource = OneToOneField(Resource, primary_key=True)`.

    `path` is unique per kind among what is not in the trash: `/flight-delays/arrival-delay`, `main.flights.flights`.
    `open_to_makers`: any member may create inside without holding a level on it (and so sees nothing of others').
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=32)
    name = models.CharField(max_length=500)
    path = models.TextField()
    parent = models.ForeignKey("self", null=True, on_delete=models.CASCADE, related_name="children")
    owner = models.ForeignKey("access.User", null=True, on_delete=models.SET_NULL, related_name="+")
    description = models.TextField(blank=True)
    labels = models.JSONField(default=dict, blank=True)
    open_to_makers = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=now)
    updated_at = models.DateTimeField(default=now)
    deleted_at = models.DateTimeField(null=True, blank=True)
    deleted_with = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="+")

    objects: ClassVar[Any] = ScopedManager.from_queryset(ResourceQuerySet)()

    class Meta:
        default_permissions: ClassVar[tuple[str, ...]] = ()
        permissions: ClassVar[list[Any]] = [
            (word, f"May {word}") for word in ("discover", "view", "comment", "use", "edit", "manage")
        ]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["workspace", "kind", "path"],
                condition=models.Q(deleted_at__isnull=True),
                name="access_resource_path",
            ),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["workspace", "kind", "-updated_at", "-id"], name="access_resource_recent"),
            models.Index(fields=["owner"], name="access_resource_owner"),
        ]

    def __str__(self) -> str:
        return self.path


class ResourceAncestor(WorkspaceModel):
    """The closure of the tree: each resource with itself (depth 0) and everything above it."""

    id = models.BigAutoField(primary_key=True)
    resource = models.ForeignKey(Resource, on_delete=models.CASCADE, related_name="ancestry")
    ancestor = models.ForeignKey(Resource, on_delete=models.CASCADE, related_name="descendance", db_index=False)
    depth = models.PositiveSmallIntegerField()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["resource", "ancestor"], name="access_ancestor_once")
        ]
        indexes: ClassVar[list[Any]] = [models.Index(fields=["ancestor", "resource"], name="access_ancestor_down")]
