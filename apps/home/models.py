"""What a person keeps at hand: stars, and the things that they opened lately."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from apps.access.scope import WorkspaceModel
from apps.foundation.clock import now


class Star(WorkspaceModel):
    """That somebody wants a thing within reach: it stands in their side bar."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey("access.User", on_delete=models.CASCADE, related_name="+", db_index=False)
    resource = models.ForeignKey("access.Resource", on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["user", "resource"], name="home_star_once"),
        ]


class Visit(WorkspaceModel):
    """When somebody last opened the page of a thing, to within some minutes."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey("access.User", on_delete=models.CASCADE, related_name="+", db_index=False)
    resource = models.ForeignKey("access.Resource", on_delete=models.CASCADE, related_name="+")
    seen_at = models.DateTimeField(default=now)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["user", "resource"], name="home_visit_once"),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["workspace", "user", "-seen_at"], name="home_visit_recent"),
        ]
