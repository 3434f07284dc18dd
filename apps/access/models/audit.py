"""The audit: append-only, in plain values that outlive what they speak of, sealed into a hash chain by a task."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from apps.access.scope import WorkspaceModel
from apps.foundation.clock import now


class AuditEntry(WorkspaceModel):
    """One change, or one refused attempt."""

    class Outcome(models.TextChoices):
        DONE = "done"
        REFUSED = "refused"

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(default=now)
    verb = models.CharField(max_length=100)
    outcome = models.CharField(max_length=8, choices=Outcome.choices, default=Outcome.DONE)
    actor_id = models.UUIDField(null=True)
    actor_label = models.CharField(max_length=254)
    token_id = models.UUIDField(null=True)
    activity = models.CharField(max_length=100, blank=True)
    request_id = models.CharField(max_length=40, blank=True)
    resource_id = models.UUIDField(null=True)
    resource_kind = models.CharField(max_length=32, blank=True)
    thing_id = models.CharField(max_length=100, blank=True)
    thing_label = models.CharField(max_length=1000, blank=True)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    comment = models.TextField(blank=True)
    position = models.BigIntegerField(null=True)
    hash = models.BinaryField(max_length=32, null=True)

    class Meta:
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["workspace", "-id"], name="access_audit_recent"),
            models.Index(fields=["workspace", "resource_id", "-id"], name="access_audit_thing"),
            models.Index(fields=["workspace", "actor_id", "-id"], name="access_audit_actor"),
            models.Index(fields=["workspace", "position"], name="access_audit_chain"),
        ]
