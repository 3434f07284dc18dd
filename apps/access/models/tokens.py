"""Tokens: personal access tokens and run keys, hashed, each in exactly one workspace."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from apps.access.scope import WorkspaceModel
from apps.foundation.clock import now
from apps.foundation.ids import new_id


class Token(WorkspaceModel):
    """What a program shows to act as somebody. `hash` is the SHA-256 of the text that was shown once."""

    class Kind(models.TextChoices):
        PERSONAL = "personal"
        RUN = "run"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey("access.User", on_delete=models.CASCADE, related_name="tokens")
    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.PERSONAL)
    name = models.CharField(max_length=200)
    prefix = models.CharField(max_length=12)
    hash = models.BinaryField(max_length=32, unique=True)
    scopes = models.JSONField(default=list)
    activity = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["workspace", "user", "-created_at"], name="access_token_of"),
            models.Index(
                fields=["workspace", "activity"], name="access_token_activity", condition=~models.Q(activity="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.prefix}… ({self.name})"
