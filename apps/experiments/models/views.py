"""Saved views of a run table: a name for a filter, columns and an order."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from apps.access.scope import WorkspaceModel
from apps.experiments.models.experiments import Experiment
from apps.foundation.clock import now
from apps.foundation.ids import new_id


class RunView(WorkspaceModel):
    """One saved view: `address` is the query of the run table's address. Its owner sees it; everybody who sees the experiment, when shared."""

    resource_path = "experiment"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="views", db_index=False)
    owner = models.ForeignKey("access.User", on_delete=models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(max_length=80)
    address = models.TextField(blank=True)
    shared = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["experiment", "owner", "name"], name="experiments_view_once"),
        ]

    def __str__(self) -> str:
        return self.name
