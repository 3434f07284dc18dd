"""Tables of the registry: models, versions, the periods they spend in stages and under aliases."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any, ClassVar

from django.db import models

from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.scope import ScopedManager, WorkspaceModel
from apps.access.storage import location
from apps.foundation.clock import now
from apps.foundation.ids import new_id
from apps.registry import stages
from apps.registry.names import shown_name

PROMPT_TAG = "mlflow.prompt.is_prompt"


def default_gates() -> dict[str, str]:
    """The gates of a new model."""
    return dict(stages.DEFAULT_GATES)


class RegisteredModel(WorkspaceModel):
    """A named line of versions. `plain`: it was made by a plain name. `next_version` only grows, so no number comes twice."""

    resource = models.OneToOneField(Resource, primary_key=True, on_delete=models.CASCADE, related_name="+")
    plain = models.BooleanField(default=False)
    next_version = models.PositiveIntegerField(default=1)
    tags = models.JSONField(default=dict, blank=True)
    gates = models.JSONField(default=default_gates)

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The name that it answers by: `churn`, `main.flights.arrival_delay`."""
        return shown_name(self.resource.path, self.resource.name, plain=self.plain)

    @property
    def open_to_makers(self) -> bool:
        """Never: versions are made by those who may edit the model."""
        return False

    @property
    def is_prompt(self) -> bool:
        """Whether MLflow keeps a prompt in it."""
        return self.tags.get(PROMPT_TAG, "").lower() == "true"

    def gate(self, before: str, after: str) -> Level:
        """The level that a move needs here."""
        return stages.level_needed(self.gates, before, after)


class VersionQuerySet(models.QuerySet["ModelVersion"]):
    """Versions by state."""

    def live(self) -> VersionQuerySet:
        return self.filter(deleted_at__isnull=True)


class ModelVersion(WorkspaceModel):
    """One version. `files_at` is set when its files were frozen; `facts` are what its MLmodel file says, read without trust."""

    resource_path = "model"

    class Status(models.TextChoices):
        READY = "READY"
        FAILED = "FAILED_REGISTRATION"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    model = models.ForeignKey(RegisteredModel, on_delete=models.CASCADE, related_name="versions", db_index=False)
    version = models.PositiveIntegerField()
    source = models.TextField(blank=True)
    run = models.UUIDField(null=True)
    run_link = models.TextField(blank=True)
    logged_model = models.UUIDField(null=True)
    description = models.TextField(blank=True)
    tags = models.JSONField(default=dict, blank=True)
    stage = models.CharField(max_length=16, default=stages.NONE)
    status = models.CharField(max_length=24, choices=Status.choices, default=Status.READY)
    facts = models.JSONField(default=dict)
    files_at = models.DateTimeField(null=True)
    bytes = models.BigIntegerField(default=0)
    created_by = models.ForeignKey("access.User", null=True, on_delete=models.SET_NULL, related_name="+")
    created_label = models.CharField(max_length=254, blank=True)
    created_at = models.DateTimeField(default=now)
    updated_at = models.DateTimeField(default=now)
    deleted_at = models.DateTimeField(null=True)

    objects: ClassVar[Any] = ScopedManager.from_queryset(VersionQuerySet)()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["model", "version"], name="registry_version_once"),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(
                fields=["model", "stage", "-version"],
                condition=models.Q(deleted_at__isnull=True),
                name="registry_version_stage",
            ),
            models.Index(fields=["workspace", "-updated_at", "-id"], name="registry_version_recent"),
            models.Index(fields=["workspace", "run"], name="registry_version_run"),
            models.Index(fields=["workspace", "logged_model"], name="registry_version_logged"),
        ]

    def __str__(self) -> str:
        return f"{self.model.name} version {self.version}"

    @property
    def folder(self) -> Path:
        """Where its frozen files lie, if it has any."""
        return location(self.model.resource, "versions", str(self.version), "files")

    @property
    def current_aliases(self) -> list[str]:
        """Its aliases, sorted; from what was prefetched, if it was."""
        periods = (
            self._prefetched_aliases
            if hasattr(self, "_prefetched_aliases")
            else self.aliases.filter(valid_to__isnull=True)
        )
        return sorted(period.name for period in periods)


class StagePeriod(WorkspaceModel):
    """That a version was in a stage from a moment to another; `valid_to` is empty while it still is. Never overwritten."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="stage_periods", db_index=False)
    stage = models.CharField(max_length=16)
    valid_from = models.DateTimeField(default=now)
    valid_to = models.DateTimeField(null=True)
    actor_label = models.CharField(max_length=254)
    comment = models.TextField(blank=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["version"], condition=models.Q(valid_to__isnull=True), name="registry_one_stage_now"
            ),
        ]
        indexes: ClassVar[list[Any]] = [models.Index(fields=["version", "-valid_from"], name="registry_stage_history")]


class Alias(WorkspaceModel):
    """That a version had an alias from a moment to another; `valid_to` is empty while it still has."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    model = models.ForeignKey(RegisteredModel, on_delete=models.CASCADE, related_name="alias_periods", db_index=False)
    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="aliases")
    name = models.CharField(max_length=255)
    valid_from = models.DateTimeField(default=now)
    valid_to = models.DateTimeField(null=True)
    actor_label = models.CharField(max_length=254)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["model", "name"], condition=models.Q(valid_to__isnull=True), name="registry_one_alias_now"
            ),
        ]
        indexes: ClassVar[list[Any]] = [models.Index(fields=["model", "-valid_from"], name="registry_alias_history")]

    def __str__(self) -> str:
        return self.name


def hex_of(value: uuid.UUID | None) -> str:
    """32 hex digits, or the empty text."""
    return value.hex if value else ""
