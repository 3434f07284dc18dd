"""What things take on disk, as last measured."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from apps.access.models.resources import Resource
from apps.access.scope import WorkspaceModel
from apps.foundation.clock import now


class StorageUse(WorkspaceModel):
    """The files of one resource: how many bytes they take, how many there are, when that was counted."""

    resource_path = "resource"

    resource = models.OneToOneField(Resource, primary_key=True, on_delete=models.CASCADE, related_name="storage_use")
    bytes = models.BigIntegerField()
    files = models.BigIntegerField()
    measured_at = models.DateTimeField(default=now)

    class Meta:
        indexes: ClassVar[list[Any]] = [models.Index(fields=["workspace", "-bytes"], name="access_storage_use_most")]
