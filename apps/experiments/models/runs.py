"""Runs: one try of something, inside an experiment."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.db import models

from apps.access.scope import WorkspaceModel
from apps.experiments.models.experiments import Experiment
from apps.foundation.clock import now


class RunStatus(models.TextChoices):
    """What a client says of its run."""

    RUNNING = "RUNNING"
    SCHEDULED = "SCHEDULED"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"


class Run(WorkspaceModel):
    """One run. Small number inside, 32 hex digits outside; `claimed_user` is what the client says, `created_by` who it was.

    `activity` (`job_run:<id>`) and `receipt` (commit, environment, ...) are there when a run key made it.
    """

    resource_path = "experiment"
    Status = RunStatus

    id = models.BigAutoField(primary_key=True)
    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="runs")
    experiment_number = models.BigIntegerField()
    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    name = models.TextField()
    claimed_user = models.TextField(blank=True)
    status = models.CharField(max_length=16, choices=RunStatus.choices, default=RunStatus.RUNNING)
    start_time = models.BigIntegerField()
    end_time = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(default=now)
    created_by = models.ForeignKey(
        "access.User", null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    deleted_at = models.DateTimeField(null=True)
    activity = models.CharField(max_length=100, blank=True)
    receipt = models.JSONField(null=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["workspace", "uuid"], name="experiments_run_uuid"),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(
                fields=["workspace", "experiment_number", "-start_time", "uuid"],
                include=["id"],
                name="experiments_run_order",
            ),
            models.Index(
                fields=["workspace", "experiment_number", "id"],
                condition=models.Q(deleted_at__isnull=False),
                name="experiments_run_trash",
            ),
            models.Index(
                fields=["workspace", "activity"], condition=~models.Q(activity=""), name="experiments_run_activity"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def hex(self) -> str:
        """The id that clients know: 32 hex digits."""
        return self.uuid.hex

    @property
    def artifact_uri(self) -> str:
        """Where clients find its files."""
        return f"{self.experiment.artifact_root}/{self.hex}/artifacts"
