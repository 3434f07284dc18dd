"""Tables of the registry: models, versions, the periods they spend in stages and under aliases."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any, ClassVar

from django.db import models

from apps.access.models import Resource
from apps.access.scope import ScopedManager, WorkspaceModel
from apps.access.storage import location
from apps.foundation.clock import now
from apps.foundation.ids import new_id
from apps.registry import stages
from apps.registry.names import shown_name

PROMPT_TAG = "mlflow.prompt.is_prompt"


class RegisteredModel(WorkspaceModel):
    """A named line of versions. `plain`: it was made by a plain name. `next_version` only grows, so no number comes twice."""

    resource = models.OneToOneField(Resource, primary_key=True, on_delete=models.CASCADE, related_name="+")
    plain = models.BooleanField(default=False)
    next_version = models.PositiveIntegerField(default=1)
    tags = models.JSONField(default=dict, blank=True)

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

    @property
    def seconds(self) -> float:
        """How long it lasted, until now while it does."""
        return ((self.valid_to or now()) - self.valid_from).total_seconds()


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


class StageGate(WorkspaceModel):
    """Who may move versions into and out of a stage, from a moment to another: everybody with `level`, and the gatekeepers.

    `two_people`: a move needs a request that somebody else approves. A stage without a row has the gate of `stages.DEFAULT_GATES`.
    """

    resource_path = "model"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    model = models.ForeignKey(RegisteredModel, on_delete=models.CASCADE, related_name="stage_gates", db_index=False)
    stage = models.CharField(max_length=16)
    level = models.CharField(max_length=8)
    two_people = models.BooleanField(default=False)
    valid_from = models.DateTimeField(default=now)
    valid_to = models.DateTimeField(null=True)
    actor_label = models.CharField(max_length=254)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["model", "stage"], condition=models.Q(valid_to__isnull=True), name="registry_one_gate_now"
            ),
        ]
        indexes: ClassVar[list[Any]] = [models.Index(fields=["model", "-valid_from"], name="registry_gate_history")]


class Gatekeeper(WorkspaceModel):
    """That a person or a group who may edit a model also passed the gate of a stage, from a moment to another."""

    resource_path = "model"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    model = models.ForeignKey(RegisteredModel, on_delete=models.CASCADE, related_name="gatekeepers", db_index=False)
    stage = models.CharField(max_length=16)
    user = models.ForeignKey("access.User", null=True, on_delete=models.CASCADE, related_name="+")
    group = models.ForeignKey("access.Group", null=True, on_delete=models.CASCADE, related_name="+")
    valid_from = models.DateTimeField(default=now)
    valid_to = models.DateTimeField(null=True)
    actor_label = models.CharField(max_length=254)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(
                condition=models.Q(user__isnull=True) ^ models.Q(group__isnull=True), name="registry_keeper_is_one"
            ),
        ]
        indexes: ClassVar[list[Any]] = [models.Index(fields=["model", "stage"], name="registry_keepers_of")]

    @property
    def grantee(self) -> Any:
        """The person or the group."""
        return self.user or self.group


class TransitionRequest(WorkspaceModel):
    """That somebody asked to move a version to a stage, and what was answered by whom. One waits per version, stage and author."""

    resource_path = "version.model"

    class State(models.TextChoices):
        WAITING = "waiting"
        APPROVED = "approved"
        REJECTED = "rejected"
        CANCELLED = "cancelled"
        # the version came to the stage, or went, in another way
        SETTLED = "settled"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="requests", db_index=False)
    stage = models.CharField(max_length=16)
    from_stage = models.CharField(max_length=16)
    archive_existing = models.BooleanField(default=True)
    state = models.CharField(max_length=12, choices=State.choices, default=State.WAITING)
    comment = models.TextField(blank=True)
    author = models.ForeignKey("access.User", null=True, on_delete=models.SET_NULL, related_name="+")
    author_label = models.CharField(max_length=254)
    created_at = models.DateTimeField(default=now)
    answer_label = models.CharField(max_length=254, blank=True)
    answer_comment = models.TextField(blank=True)
    answered_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["version", "stage", "author"],
                condition=models.Q(state="waiting"),
                name="registry_one_request_waits",
            ),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["version", "-created_at"], name="registry_request_history"),
            models.Index(
                fields=["workspace", "-created_at"], condition=models.Q(state="waiting"), name="registry_request_waits"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.version} to {self.stage}"

    @property
    def waits(self) -> bool:
        """Whether nobody has answered yet."""
        return self.state == self.State.WAITING

    def close(self, state: str, label: str, comment: str = "") -> None:
        """Note the answer."""
        self.state, self.answer_label, self.answer_comment, self.answered_at = state, label, comment, now()
        self.save(update_fields=["state", "answer_label", "answer_comment", "answered_at"])


def hex_of(value: uuid.UUID | None) -> str:
    """32 hex digits, or the empty text."""
    return value.hex if value else ""
