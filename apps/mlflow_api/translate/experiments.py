"""Experiments in MLflow's shape."""

from __future__ import annotations

from typing import Any

from apps.experiments.models import Experiment
from apps.foundation.clock import to_millis


def experiment(found: Experiment, workspace: str) -> dict[str, Any]:
    """An experiment. Empty is absent."""
    shown: dict[str, Any] = {
        "experiment_id": str(found.number),
        "name": found.name,
        "artifact_location": found.artifact_root,
        "lifecycle_stage": "deleted" if found.is_trashed else "active",
        "last_update_time": to_millis(found.changed_at),
        "creation_time": to_millis(found.resource.created_at),
        "workspace": workspace,
    }
    if found.tags:
        shown["tags"] = [{"key": key, "value": value} for key, value in found.tags.items()]
    return shown
