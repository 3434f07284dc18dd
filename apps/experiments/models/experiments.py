"""Experiments: a resource each, with the number and the plain name that MLflow's clients know it by."""

from __future__ import annotations

import secrets
from typing import Any, ClassVar

from django.db import models

from apps.access.models import Resource
from apps.access.scope import WorkspaceModel
from apps.foundation.clock import now

DEFAULT_NAME = "Default"
DEFAULT_NUMBER = 0
STORE = "mlflow-artifacts:"


def new_number() -> int:
    """An experiment number that says nothing: 18 random digits, so that it meets no other one anywhere."""
    return secrets.randbelow(9 * 10**17) + 10**17


class Experiment(WorkspaceModel):
    """A place for runs. `number` is the id that clients see; 0 is the workspace's `Default`.

    `plain_name` is set when it was made by a plain name (`churn`); otherwise it goes by its path.
    """

    resource = models.OneToOneField(Resource, primary_key=True, on_delete=models.CASCADE)
    number = models.BigIntegerField(default=new_number, editable=False)
    plain_name = models.TextField(null=True, blank=True)
    artifact_location = models.TextField(blank=True)
    tags = models.JSONField(default=dict, blank=True)
    changed_at = models.DateTimeField(default=now)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["workspace", "number"], name="experiments_experiment_number"),
            models.UniqueConstraint(fields=["workspace", "plain_name"], name="experiments_experiment_plain_name"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The name that it was made by: plain, or its path."""
        return self.plain_name or self.resource.path

    @property
    def artifact_root(self) -> str:
        """Where clients find its files: below our proxy, or the object store that its maker named."""
        return self.artifact_location or f"{STORE}/{self.number}"

    @property
    def is_trashed(self) -> bool:
        """Whether it lies in the trash, and its runs with it."""
        return self.resource.deleted_at is not None
