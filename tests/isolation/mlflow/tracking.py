"""Experiments, runs, what is measured in them."""

from __future__ import annotations

from typing import Any

from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.policy import fetch
from apps.experiments.models import Experiment
from apps.experiments.operations import delete_experiment
from tests.isolation.mlflow.kit import DoorExample, Things

VIEW, EDIT, MANAGE = Level.VIEW, Level.EDIT, Level.MANAGE
MLFLOW = "2.0/mlflow"
POINT = {"key": "rmse", "value": 0.25, "timestamp": 2, "step": 1}
DATASET = {"name": "flights", "digest": "d1", "source_type": "local", "source": "{}"}


def trash(actor: Actor, things: Things) -> None:
    experiment = fetch(Experiment, int(things.experiment), actor=actor, by="number")
    delete_experiment(actor=actor, experiment=experiment)


def experiment(method: str, path: str, needs: Level, before: Any = None, **more: Any) -> DoorExample:
    address = f"{MLFLOW}/experiments/{path}"
    return DoorExample(method, address, lambda t: {"experiment_id": t.experiment, **more}, needs, before=before)


def run(method: str, path: str, needs: Level, **more: Any) -> DoorExample:
    return DoorExample(method, f"{MLFLOW}/{path}", lambda t: {"run_id": t.run, **more}, needs)


EXAMPLES = [
    DoorExample("POST", f"{MLFLOW}/experiments/create", lambda t: {"name": "made by the walk"}),
    experiment("GET", "get", VIEW),
    DoorExample("GET", f"{MLFLOW}/experiments/get-by-name", lambda t: {"experiment_name": t.experiment_name}, VIEW),
    experiment("POST", "update", EDIT, new_name="another"),
    experiment("POST", "delete", MANAGE),
    experiment("POST", "restore", MANAGE, before=trash),
    experiment("POST", "set-experiment-tag", EDIT, key="k", value="v"),
    experiment("POST", "delete-experiment-tag", EDIT, key="team"),
    DoorExample("POST", f"{MLFLOW}/experiments/search", lambda t: {"max_results": 100}),
    DoorExample("GET", f"{MLFLOW}/experiments/search", lambda t: {"max_results": 100}),
    DoorExample("POST", f"{MLFLOW}/runs/create", lambda t: {"experiment_id": t.experiment, "start_time": 1}, EDIT),
    run("GET", "runs/get", VIEW),
    run("POST", "runs/update", EDIT, status="FINISHED", end_time=9),
    run("POST", "runs/delete", EDIT),
    run("POST", "runs/restore", EDIT),
    DoorExample("POST", f"{MLFLOW}/runs/search", lambda t: {"experiment_ids": [t.experiment]}),
    run("POST", "runs/log-metric", EDIT, **POINT),
    run("POST", "runs/log-parameter", EDIT, key="beta", value="2"),
    run("POST", "runs/log-batch", EDIT, metrics=[POINT], params=[{"key": "gamma", "value": "3"}]),
    run("POST", "runs/set-tag", EDIT, key="k", value="v"),
    run("POST", "runs/delete-tag", EDIT, key="team"),
    run("POST", "runs/log-inputs", EDIT, datasets=[{"dataset": DATASET, "tags": []}]),
    run(
        "POST",
        "runs/log-model",
        EDIT,
        model_json='{"run_id": "x", "artifact_path": "m", "utc_time_created": "", "flavors": {}}',
    ),
    run("GET", "metrics/get-history", VIEW, metric_key="rmse"),
    DoorExample(
        "GET", f"{MLFLOW}/metrics/get-history-bulk-interval", lambda t: {"run_ids": [t.run], "metric_key": "rmse"}, VIEW
    ),
    DoorExample("GET", f"{MLFLOW}/metrics/get-history-bulk", lambda t: {"run_id": [t.run], "metric_key": "rmse"}, VIEW),
]
