"""Asking for access: who wants which level on what, and what whoever manages it answered."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from apps.access.models.resources import Resource
from apps.access.scope import WorkspaceModel
from apps.foundation.clock import now
from apps.foundation.ids import new_id


class AccessRequest(WorkspaceModel):
    """One person's wish for a level on one resource; at most one of theirs waits for each resource."""

    class State(models.TextChoices):
        WAITING = "waiting"
        GRANTED = "granted"
        DECLINED = "declined"
        WITHDRAWN = "withdrawn"

    resource_path = "resource"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    resource = models.ForeignKey(Resource, on_delete=models.CASCADE, related_name="access_requests")
    user = models.ForeignKey("access.User", on_delete=models.CASCADE, related_name="access_requests")
    level = models.PositiveSmallIntegerField()
    days = models.PositiveSmallIntegerField(null=True, blank=True)
    reason = models.TextField(blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    created_at = models.DateTimeField(default=now)
    answered_at = models.DateTimeField(null=True, blank=True)
    answered_by = models.ForeignKey("access.User", null=True, on_delete=models.SET_NULL, related_name="+")
    answer = models.TextField(blank=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["resource", "user"], condition=models.Q(state="waiting"), name="access_request_waiting_once"
            )
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["workspace", "state", "-created_at"], name="access_request_waiting")
        ]

    def __str__(self) -> str:
        return self.resource.path
