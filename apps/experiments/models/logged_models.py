"""Logged models: what a run made, with params, tags and files of its own, before anybody registers it."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.db import models

from apps.access.scope import WorkspaceModel
from apps.experiments.models.experiments import Experiment
from apps.experiments.models.runs import Run
from apps.foundation.clock import now


class LoggedModel(WorkspaceModel):
    """One logged model. Clients know it as `m-` and 32 hex digits; `claimed_status` is theirs, as a run's is."""

    resource_path = "experiment"

    class Status(models.TextChoices):
        PENDING = "LOGGED_MODEL_PENDING"
        READY = "LOGGED_MODEL_READY"
        UPLOAD_FAILED = "LOGGED_MODEL_UPLOAD_FAILED"

    id = models.BigAutoField(primary_key=True)
    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="logged_models", db_index=False)
    source_run = models.ForeignKey(Run, null=True, on_delete=models.SET_NULL, related_name="logged_models")
    name = models.TextField()
    model_type = models.TextField(blank=True)
    status = models.CharField(max_length=32, choices=Status.choices, default=Status.PENDING)
    params = models.JSONField(default=dict, blank=True)
    tags = models.JSONField(default=dict, blank=True)
    created_by = models.ForeignKey(
        "access.User", null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    created_at = models.DateTimeField(default=now)
    updated_at = models.DateTimeField(default=now)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["workspace", "uuid"], name="experiments_logged_model_uuid"),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["experiment", "-created_at", "uuid"], name="experiments_logged_model_order"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.hex})"

    @property
    def hex(self) -> str:
        """The id that clients know: `m-` and 32 hex digits."""
        return f"m-{self.uuid.hex}"

    @property
    def artifact_uri(self) -> str:
        """Where clients find its files."""
        return f"{self.experiment.artifact_root}/models/{self.hex}/artifacts"
