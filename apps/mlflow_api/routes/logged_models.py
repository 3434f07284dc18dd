"""Endpoints of the group `logged-models`, and the models that runs made."""

from __future__ import annotations

from typing import Any

from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.policy import fetch
from apps.experiments import artifacts, logged_models
from apps.experiments.model_search import (
    SIZE_MAX,
    DatasetChoice,
    LoggedModelSearch,
    ModelOrder,
    find_logged_models,
)
from apps.experiments.models import Experiment
from apps.foundation.errors import Invalid, NotFound
from apps.mlflow_api.filters import LOGGED_MODELS, ORDERS_MAX, parse_filter, parse_order
from apps.mlflow_api.messages import logged_models as asked
from apps.mlflow_api.routes.artifacts import entries
from apps.mlflow_api.routing import Route
from apps.mlflow_api.translate.logged_models import logged_model_shape, logged_model_shapes
from apps.mlflow_api.translate.registry import present
from apps.registry.sources import get_run

Answer = dict[str, Any]
DATASETS_MAX = 100


def create(actor: Actor, message: asked.CreateLoggedModel) -> Answer:
    made = logged_models.create_logged_model(
        actor=actor,
        experiment=_experiment(actor, message.experiment_id),
        name=message.name,
        model_type=message.model_type,
        source_run=get_run(actor, message.source_run_id) if message.source_run_id else None,
        params=_pairs(message.params),
        tags=_pairs(message.tags),
    )
    return {"model": logged_model_shape(made)}


def get(actor: Actor, message: asked.ModelId) -> Answer:
    return {"model": logged_model_shape(logged_models.get_logged_model(actor, message.model_id))}


def finalize(actor: Actor, message: asked.FinalizeLoggedModel) -> Answer:
    model = logged_models.get_logged_model(actor, message.model_id)
    if not message.status:
        raise Invalid("Missing value for required parameter 'status'.")
    done = logged_models.finalize_logged_model(actor=actor, model=model, status=message.status)
    return {"model": logged_model_shape(done)}


def delete(actor: Actor, message: asked.ModelId) -> None:
    logged_models.delete_logged_model(actor=actor, model=logged_models.get_logged_model(actor, message.model_id))


def log_params(actor: Actor, message: asked.LogParams) -> None:
    model = logged_models.get_logged_model(actor, message.model_id)
    logged_models.log_model_params(actor=actor, model=model, params=_pairs(message.params))


def set_tags(actor: Actor, message: asked.SetTags) -> Answer:
    model = logged_models.get_logged_model(actor, message.model_id)
    tagged = logged_models.set_model_tags(actor=actor, model=model, tags=_pairs(message.tags))
    return {"model": logged_model_shape(tagged)}


def delete_tag(actor: Actor, message: asked.DeleteTag) -> None:
    model = logged_models.get_logged_model(actor, message.model_id)
    logged_models.delete_model_tag(actor=actor, model=model, key=message.tag_key)


def list_files(actor: Actor, message: asked.ListModelFiles) -> Answer:
    model = logged_models.get_logged_model(actor, message.model_id)
    path = message.artifact_directory_path
    return present({"root_uri": model.artifact_uri, "files": entries(artifacts.model_place(model, path), path)})


def search(actor: Actor, message: asked.SearchLoggedModels) -> Answer:
    if not 0 < message.max_results <= SIZE_MAX:
        raise Invalid(f"Invalid value {message.max_results} for parameter 'max_results': between 1 and {SIZE_MAX}.")
    if len(message.order_by) > ORDERS_MAX or len(message.datasets) > DATASETS_MAX:
        raise Invalid(f"A search takes at most {ORDERS_MAX} order_by fields and {DATASETS_MAX} datasets.")
    found, token = find_logged_models(
        actor,
        LoggedModelSearch(
            experiments=tuple(_number(id) for id in message.experiment_ids),
            where=parse_filter(message.filter, LOGGED_MODELS),
            datasets=tuple(DatasetChoice(one.dataset_name, one.dataset_digest) for one in message.datasets),
            order=tuple(_order(one) for one in message.order_by),
            size=message.max_results,
            token=message.page_token,
        ),
    )
    return present({"models": logged_model_shapes(found), "next_page_token": token or None})


def log_outputs(actor: Actor, message: asked.LogOutputs) -> None:
    run = get_run(actor, message.run_id)
    models = [(logged_models.get_logged_model(actor, one.model_id), one.step) for one in message.models]
    logged_models.log_outputs(actor=actor, run=run, models=models)


def _experiment(actor: Actor, id: str) -> Experiment:
    try:
        return fetch(Experiment, _number(id), actor=actor, by="number", needs=Level.VIEW, trashed=None)
    except NotFound:
        raise NotFound(f"No Experiment with id={id} exists") from None


def _number(id: str) -> int:
    if not id.isascii() or not id.isdecimal() or len(id) > 18:
        raise Invalid(f"Invalid value {id[:40]} for parameter 'experiment_id' supplied.")
    return int(id)


def _pairs(labels: list[asked.Label]) -> dict[str, str]:
    return {label.key: label.value for label in labels}


def _order(one: asked.SearchOrder) -> ModelOrder:
    parsed = parse_order([one.field_name], LOGGED_MODELS)[0]
    dataset = DatasetChoice(one.dataset_name, one.dataset_digest) if one.dataset_name else None
    return ModelOrder(parsed.entity, parsed.key, one.ascending, dataset)


_L = "2.0/mlflow/logged-models"
ROUTES = [
    Route("POST", _L, asked.CreateLoggedModel, create),
    Route("POST", f"{_L}/search", asked.SearchLoggedModels, search),
    Route("GET", f"{_L}/<str:model_id>", asked.ModelId, get),
    Route("PATCH", f"{_L}/<str:model_id>", asked.FinalizeLoggedModel, finalize),
    Route("DELETE", f"{_L}/<str:model_id>", asked.ModelId, delete),
    Route("POST", f"{_L}/<str:model_id>/params", asked.LogParams, log_params),
    Route("PATCH", f"{_L}/<str:model_id>/tags", asked.SetTags, set_tags),
    Route("DELETE", f"{_L}/<str:model_id>/tags/<path:tag_key>", asked.DeleteTag, delete_tag),
    Route("GET", f"{_L}/<str:model_id>/artifacts/directories", asked.ListModelFiles, list_files),
    Route("POST", "2.0/mlflow/runs/outputs", asked.LogOutputs, log_outputs),
]
