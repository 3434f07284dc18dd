"""Experiments in MLflow's shape."""

from __future__ import annotations

from typing import Any

import orjson

from apps.experiments.experiment_search import ExperimentRow
from apps.experiments.models import Experiment
from apps.experiments.models.experiments import STORE
from apps.foundation.clock import to_millis
from apps.foundation.paging import Page


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


def page(found: Page[ExperimentRow]) -> bytes:
    """The answer to a search. Empty is absent."""
    shown = []
    for row in found.items:
        item: dict[str, Any] = {
            "experiment_id": str(row.number),
            "name": row.name,
            "artifact_location": row.artifact_location or f"{STORE}/{row.number}",
            "lifecycle_stage": "deleted" if row.trashed else "active",
            "last_update_time": to_millis(row.changed_at),
            "creation_time": to_millis(row.created_at),
            "workspace": row.workspace,
        }
        tags = orjson.loads(row.tags) if isinstance(row.tags, str) else row.tags
        if tags:
            item["tags"] = [{"key": key, "value": value} for key, value in tags.items()]
        shown.append(item)
    answer: dict[str, Any] = {"experiments": shown} if shown else {}
    if found.next_token:
        answer["next_page_token"] = found.next_token
    return orjson.dumps(answer)
