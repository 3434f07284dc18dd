"""Experiments in MLflow's shape."""

from __future__ import annotations

from typing import Any

from apps.experiments.experiment_search import FoundExperiments
from apps.experiments.models import Experiment


def experiment(found: Experiment, workspace: str) -> dict[str, Any]:
    """An experiment. Empty is absent."""
    shown: dict[str, Any] = {
        "experiment_id": str(found.number),
        "name": found.name,
        "artifact_location": found.artifact_root,
        "lifecycle_stage": "deleted" if found.is_trashed else "active",
        "last_update_time": found.changed_millis,
        "creation_time": found.created_millis,
        "workspace": workspace,
    }
    if found.tags:
        shown["tags"] = [{"key": key, "value": value} for key, value in found.tags.items()]
    return shown


def page(found: FoundExperiments) -> bytes:
    """The answer to a search. Empty is absent."""
    parts = [f'"experiments":[{found.items}]'] if found.items else []
    if found.next_token:
        parts.append(f'"next_page_token":"{found.next_token}"')
    return f"{{{','.join(parts)}}}".encode()
