"""What went into a run and came out of it, as its client says: data sets and logged models."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from apps.access.scope import WorkspaceModel
from apps.experiments.models.experiments import Experiment
from apps.experiments.models.runs import Run


class Dataset(WorkspaceModel):
    """A data set as a client describes it; name and digest say which, inside one experiment."""

    id = models.BigAutoField(primary_key=True)
    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="datasets", db_index=False)
    name = models.TextField(db_collation="C")
    digest = models.TextField(db_collation="C")
    source_type = models.TextField()
    source = models.TextField()
    schema = models.TextField(blank=True)
    profile = models.TextField(blank=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["experiment", "name", "digest"], name="experiments_dataset_once"),
        ]


class RunInput(WorkspaceModel):
    """That a run read a data set. `context` (`training`, ...) is the tag that searches ask for."""

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="inputs", db_index=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="readers")
    tags = models.JSONField(default=dict)
    context = models.TextField(blank=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["run", "dataset"], name="experiments_run_input_once"),
        ]


class RunModel(WorkspaceModel):
    """That a run read or made a logged model (`model` is its id), at a step."""

    class Role(models.TextChoices):
        INPUT = "input"
        OUTPUT = "output"

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="models", db_index=False)
    model = models.UUIDField()
    role = models.CharField(max_length=8, choices=Role.choices)
    step = models.BigIntegerField(default=0)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["run", "model", "role"], name="experiments_run_model_once"),
        ]
        indexes: ClassVar[list[Any]] = [models.Index(fields=["workspace", "model"], name="experiments_run_model")]
