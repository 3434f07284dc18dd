"""Experiments: a resource each, with the number and the plain name that MLflow's clients know it by."""

from __future__ import annotations

import secrets
from typing import Any, ClassVar

from django.db import models
from django.db.models.expressions import F, Func

from apps.access.models import Resource
from apps.access.scope import WorkspaceModel
from apps.foundation.clock import now

DEFAULT_NAME = "Default"
DEFAULT_NUMBER = 0
STORE = "mlflow-artifacts:"


class Millis(Func):
    """Milliseconds since 1970 of a moment, in a form that may be stored: it depends on nobody's time zone."""

    template = "(round(extract(epoch from (%(expressions)s at time zone 'UTC')) * 1000))::bigint"
    output_field = models.BigIntegerField()


def new_number() -> int:
    """An experiment number that says nothing: 18 random digits, so that it meets no other one anywhere."""
    return secrets.randbelow(9 * 10**17) + 10**17


class Experiment(WorkspaceModel):
    """A place for runs. `number` is the id that clients see; 0 is the workspace's `Default`.

    `plain_name` is set when it was made by a plain name (`churn`); otherwise it goes by its path. `shown` is it as JSON for MLflow's
    clients, open at its end for what is the same of all.
    """

    resource = models.OneToOneField(Resource, primary_key=True, on_delete=models.CASCADE)
    number = models.BigIntegerField(default=new_number, editable=False)
    plain_name = models.TextField(null=True, blank=True)
    artifact_location = models.TextField(blank=True)
    tags = models.JSONField(default=dict, blank=True)
    changed_at = models.DateTimeField(default=now)
    # Copied from the resource, by `save` and then by a trigger, so that a list reads one index and one table.
    path = models.TextField(editable=False)
    trashed = models.BooleanField(editable=False, default=False)
    created_at = models.DateTimeField(editable=False)
    created_millis = models.GeneratedField(
        expression=Millis(F("created_at")), output_field=models.BigIntegerField(), db_persist=True
    )
    changed_millis = models.GeneratedField(
        expression=Millis(F("changed_at")), output_field=models.BigIntegerField(), db_persist=True
    )

    shown = models.GeneratedField(
        expression=Func(
            F("number"), F("plain_name"), F("path"), F("artifact_location"), F("tags"), F("trashed"), F("changed_at"),
            F("created_at"), function="experiments_experiment_text",
        ),
        output_field=models.TextField(),
        db_persist=True,
    )  # fmt: skip

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["workspace", "number"], name="experiments_experiment_number"),
            models.UniqueConstraint(fields=["workspace", "plain_name"], name="experiments_experiment_plain_name"),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["workspace", "-created_millis", "number"], name="experiments_experiment_newest"),
            models.Index(fields=["workspace", "-changed_millis", "-number"], name="experiments_experiment_changed"),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, **options: Any) -> None:
        """Store it; what it copies of its resource is set once."""
        if self._state.adding:
            self.path, self.created_at = self.resource.path, self.resource.created_at
        super().save(**options)

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
