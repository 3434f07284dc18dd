"""The registry, logged models and artifacts by the unmodified mlflow client."""

from __future__ import annotations

from apps.access.scope import workspace_scope
from tests.compat.conftest import Client
from tests.registry.live import Live
from tests.registry.makers import an_experiment


def test_models_by_the_mlflow_client(live: Live, run_client: Client) -> None:
    with workspace_scope(live.ours.workspace):
        experiment = an_experiment(live.ours.admin)
    seen = run_client("client_registry.py", EXPERIMENT=str(experiment.number))
    assert seen["models"] == ["attrition", "copied", "main.default.plain_as_path"]


def test_training_by_the_mlflow_client(live: Live, run_client: Client) -> None:
    seen = run_client("client_training.py", BIG_BYTES=str(64 << 20))
    assert seen["models"] == ["arrival_delay", "from_run"]
