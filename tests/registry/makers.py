"""Models, logged models and files, made through the real operations."""

from __future__ import annotations

import uuid

from apps.access.actor import Actor
from apps.access.resources import root_resource
from apps.experiments import artifacts, ingest, logged_models
from apps.experiments import operations as experiments
from apps.experiments.models import Experiment, LoggedModel, Run
from apps.registry import operations, queries
from apps.registry.models import ModelVersion, RegisteredModel
from apps.registry.names import locate
from tests.builders import Side

MLMODEL = """\
artifact_path: model
flavors:
  python_function:
    env: {conda: conda.yaml, virtualenv: python_env.yaml}
    loader_module: mlflow.sklearn
    model_path: model.skops
    predict_fn: predict
    python_version: 3.11.7
  sklearn:
    sklearn_version: 1.9.1
mlflow_version: 3.17.2
model_size_bytes: 512
signature:
  inputs: '[{"type": "double", "name": "distance", "required": true}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}}]'
  params: null
"""
FILES = {"MLmodel": MLMODEL, "model.skops": "weights", "requirements.txt": "scikit-learn==1.9.1\n"}


def an_experiment(actor: Actor, name: str = "arrivals") -> Experiment:
    """An experiment at the top."""
    return experiments.create_experiment(actor=actor, parent=root_resource(), name=name)


def a_run(actor: Actor, experiment: Experiment) -> Run:
    """A run with a param, a metric and a tag."""
    key = uuid.uuid4()
    wish = {"number": experiment.number, "run": key, "name": "brisk-otter-1", "user": "ada", "start": 1}
    ingest.run_as(actor, ingest.create_run(**wish, tags={"team": "ops"}))
    ingest.run_as(actor, ingest.log(key, ingest.Points(["rmse"], [0.5], [1], [0]), {"alpha": "1"}))
    return Run.objects.select_related("experiment__resource").get(uuid=key)


def a_logged_model(actor: Actor, experiment: Experiment | None = None, files: dict[str, str] = FILES) -> LoggedModel:
    """A logged model of a new run, with files."""
    experiment = experiment or an_experiment(actor)
    model = logged_models.create_logged_model(
        actor=actor, experiment=experiment, name="model", source_run=a_run(actor, experiment)
    )
    for name, text in files.items():
        artifacts.save(artifacts.model_place(model, name), text.encode())
    return logged_models.finalize_logged_model(actor=actor, model=model, status="LOGGED_MODEL_READY")


def a_model(actor: Actor, name: str = "churn") -> RegisteredModel:
    """A registered model."""
    return operations.create_model(actor=actor, home=queries.home_of(actor, locate(name)), name=name)


def a_version(actor: Actor, model: RegisteredModel | None = None, logged: LoggedModel | None = None) -> ModelVersion:
    """A version with files."""
    logged = logged or a_logged_model(actor, an_experiment(actor, uuid.uuid4().hex))
    return operations.create_version(actor=actor, model=model or a_model(actor), source=f"models:/{logged.hex}")


def in_side(side: Side) -> ModelVersion:
    """A version of `churn`, for either side of the world."""
    return a_version(side.admin)
