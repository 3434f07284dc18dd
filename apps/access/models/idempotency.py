"""Answers that were given under an Idempotency-Key, so that a repeated request gets the same one and does nothing twice."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from apps.access.scope import WorkspaceModel
from apps.foundation.clock import now


class IdempotentAnswer(WorkspaceModel):
    """One answered key of one account. `request_hash` covers method, path and body."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey("access.User", on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=200)
    request_hash = models.BinaryField(max_length=32)
    status = models.PositiveSmallIntegerField(default=0)
    content_type = models.CharField(max_length=100, blank=True)
    body = models.BinaryField(default=b"")
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["workspace", "user", "key"], name="access_idempotency_once")
        ]
        indexes: ClassVar[list[Any]] = [models.Index(fields=["created_at"])]
