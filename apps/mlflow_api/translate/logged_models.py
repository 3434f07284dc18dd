"""Logged models in MLflow's shape."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from apps.experiments.logged_models import Measured, metrics_of
from apps.experiments.models import LoggedModel
from apps.foundation.clock import to_millis
from apps.mlflow_api.messages.logged_models import STATUSES
from apps.mlflow_api.translate.registry import Shape, labels, present


def logged_model_shapes(models: Iterable[LoggedModel]) -> list[Shape]:
    """Several logged models; their metrics come by one query."""
    rows = list(models)
    metrics = metrics_of(rows)
    return [_shape(model, metrics[model.uuid]) for model in rows]


def logged_model_shape(model: LoggedModel) -> Shape:
    """One logged model."""
    return logged_model_shapes([model])[0]


def _shape(model: LoggedModel, metrics: list[Measured]) -> Shape:
    facts = {
        "model_id": model.hex,
        "experiment_id": str(model.experiment.number),
        "name": model.name,
        "creation_timestamp_ms": to_millis(model.created_at),
        "last_updated_timestamp_ms": to_millis(model.updated_at),
        "artifact_uri": model.artifact_uri,
        "status": STATUSES[STATUSES.index(model.status)],
        "model_type": model.model_type or None,
        "source_run_id": model.source_run.hex if model.source_run else None,
        "tags": labels(model.tags),
    }
    values = {"params": labels(model.params), "metrics": [_metric(model, metric) for metric in metrics]}
    return present({"info": present(facts), "data": present(values)})


def _metric(model: LoggedModel, metric: Measured) -> Shape:
    return present(
        {
            "key": metric.key,
            "value": _number(metric.value),
            "timestamp": metric.timestamp,
            "step": metric.step,
            "run_id": metric.run,
            "model_id": model.hex,
            "dataset_name": metric.dataset_name or None,
            "dataset_digest": metric.dataset_digest or None,
        }
    )


def _number(value: float) -> Any:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
