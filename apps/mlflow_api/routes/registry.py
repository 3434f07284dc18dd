"""Endpoints of the groups `registry-models` and `registry-versions`."""

from __future__ import annotations

from typing import Any

from apps.access.actor import Actor
from apps.foundation.errors import Invalid, NotFound
from apps.mlflow_api.filters import MODELS, VERSIONS, parse_filter, parse_order
from apps.mlflow_api.messages import registry as asked
from apps.mlflow_api.routing import Route
from apps.mlflow_api.translate.registry import (
    download_uri,
    model_shape,
    model_shapes,
    present,
    version_shape,
    version_shapes,
)
from apps.registry import operations, queries, stages
from apps.registry.names import check_model_name
from apps.registry.search import RegistrySearch, find_models, find_versions

Answer = dict[str, Any]
MODELS_MAX, MODELS_DEFAULT = 1_000, 100
VERSIONS_MAX, VERSIONS_DEFAULT = 200_000, 10_000


def create_model(actor: Actor, message: asked.CreateRegisteredModel) -> Answer:
    home = queries.home_of(actor, check_model_name(message.name))
    tags = {tag.key: tag.value for tag in message.tags}
    made = operations.create_model(
        actor=actor, home=home, name=message.name, description=message.description, tags=tags
    )
    return {"registered_model": model_shape(made)}


def get_model(actor: Actor, message: asked.ModelName) -> Answer:
    return {"registered_model": model_shape(queries.get_model(actor, message.name))}


def rename_model(actor: Actor, message: asked.RenameModel) -> Answer:
    model = queries.get_model(actor, message.name)
    return {"registered_model": model_shape(operations.rename_model(actor=actor, model=model, name=message.new_name))}


def update_model(actor: Actor, message: asked.UpdateModel) -> Answer:
    model = queries.get_model(actor, message.name)
    if message.description is not None:
        model = operations.update_model(actor=actor, model=model, description=message.description)
    return {"registered_model": model_shape(model)}


def delete_model(actor: Actor, message: asked.ModelName) -> None:
    operations.delete_model(actor=actor, model=queries.get_model(actor, message.name))


def get_latest_versions(actor: Actor, message: asked.GetLatestVersions) -> Answer:
    wanted = [stages.canonical(stage) for stage in message.stages] or list(stages.STAGES)
    model = queries.get_model(actor, message.name)
    found = queries.with_latest([model])[model.pk]
    return present({"model_versions": [version_shape(version) for version in found if version.stage in wanted]})


def search_models(actor: Actor, message: asked.Search) -> Answer:
    found = find_models(actor, _search(message, MODELS, MODELS_MAX, MODELS_DEFAULT), MODELS_MAX)
    return present({"registered_models": model_shapes(found.items), "next_page_token": found.next_token})


def set_model_tag(actor: Actor, message: asked.ModelTag) -> None:
    model = queries.get_model(actor, message.name)
    operations.set_model_tag(actor=actor, model=model, key=message.key, value=message.value)


def delete_model_tag(actor: Actor, message: asked.ModelTag) -> None:
    operations.delete_model_tag(actor=actor, model=queries.get_model(actor, message.name), key=message.key)


def set_alias(actor: Actor, message: asked.SetAlias) -> None:
    version = queries.get_version(actor, message.name, message.version)
    operations.set_alias(actor=actor, model=version.model, alias=message.alias, version=version)


def delete_alias(actor: Actor, message: asked.ModelAlias) -> None:
    operations.delete_alias(actor=actor, model=queries.get_model(actor, message.name), alias=message.alias)


def get_by_alias(actor: Actor, message: asked.ModelAlias) -> Answer:
    model = queries.get_model(actor, message.name)
    try:
        return {"model_version": version_shape(queries.resolve_version(model, alias=message.alias))}
    except NotFound as absent:
        # MLflow answers an absent alias of a model that is there as a bad value, and clients tell the two apart.
        raise Invalid(absent.message) from None


def create_version(actor: Actor, message: asked.CreateVersion) -> Answer:
    made = operations.create_version(
        actor=actor,
        model=queries.get_model(actor, message.name),
        source=message.source,
        run_id=message.run_id,
        model_id=message.model_id,
        run_link=message.run_link,
        description=message.description,
        tags={tag.key: tag.value for tag in message.tags},
    )
    return {"model_version": version_shape(made)}


def get_version(actor: Actor, message: asked.VersionName) -> Answer:
    return {"model_version": version_shape(queries.get_version(actor, message.name, message.version))}


def get_download_uri(actor: Actor, message: asked.VersionName) -> Answer:
    return {"artifact_uri": download_uri(queries.get_version(actor, message.name, message.version))}


def update_version(actor: Actor, message: asked.UpdateVersion) -> Answer:
    version = queries.get_version(actor, message.name, message.version)
    if message.description is not None:
        version = operations.update_version(
            actor=actor, model=version.model, version=version, description=message.description
        )
    return {"model_version": version_shape(version)}


def delete_version(actor: Actor, message: asked.VersionName) -> None:
    version = queries.get_version(actor, message.name, message.version)
    operations.delete_version(actor=actor, model=version.model, version=version)


def transition_stage(actor: Actor, message: asked.TransitionStage) -> Answer:
    version = queries.get_version(actor, message.name, message.version)
    moved = operations.move_to_stage(
        actor=actor,
        model=version.model,
        version=version,
        stage=message.stage,
        archive_existing=message.archive_existing_versions,
    )
    return {"model_version": version_shape(moved)}


def search_versions(actor: Actor, message: asked.Search) -> Answer:
    found = find_versions(actor, _search(message, VERSIONS, VERSIONS_MAX, VERSIONS_DEFAULT), VERSIONS_MAX)
    return present({"model_versions": version_shapes(found.items), "next_page_token": found.next_token})


def set_version_tag(actor: Actor, message: asked.VersionTag) -> None:
    version = queries.get_version(actor, message.name, message.version)
    operations.set_version_tag(actor=actor, model=version.model, version=version, key=message.key, value=message.value)


def delete_version_tag(actor: Actor, message: asked.VersionTag) -> None:
    version = queries.get_version(actor, message.name, message.version)
    operations.delete_version_tag(actor=actor, model=version.model, version=version, key=message.key)


def _search(message: asked.Search, grammar: Any, most: int, usual: int) -> RegistrySearch:
    size = usual if message.max_results is None else message.max_results
    if not 0 < size <= most:
        raise Invalid(f"Invalid value {size} for parameter 'max_results' supplied: It must be between 1 and {most}.")
    where, order = parse_filter(message.filter, grammar), parse_order(message.order_by, grammar)
    return RegistrySearch(where, order, size, message.page_token)


_M, _V = "2.0/mlflow/registered-models", "2.0/mlflow/model-versions"
ROUTES = [
    Route("POST", f"{_M}/create", asked.CreateRegisteredModel, create_model),
    Route("GET", f"{_M}/get", asked.ModelName, get_model),
    Route("POST", f"{_M}/rename", asked.RenameModel, rename_model),
    Route("PATCH", f"{_M}/update", asked.UpdateModel, update_model),
    Route("DELETE", f"{_M}/delete", asked.ModelName, delete_model),
    Route("GET", f"{_M}/get-latest-versions", asked.GetLatestVersions, get_latest_versions),
    Route("POST", f"{_M}/get-latest-versions", asked.GetLatestVersions, get_latest_versions),
    Route("GET", f"{_M}/search", asked.Search, search_models),
    Route("POST", f"{_M}/set-tag", asked.ModelTag, set_model_tag),
    Route("DELETE", f"{_M}/delete-tag", asked.ModelTag, delete_model_tag),
    Route("POST", f"{_M}/alias", asked.SetAlias, set_alias),
    Route("DELETE", f"{_M}/alias", asked.ModelAlias, delete_alias),
    Route("GET", f"{_M}/alias", asked.ModelAlias, get_by_alias),
    Route("POST", f"{_V}/create", asked.CreateVersion, create_version),
    Route("GET", f"{_V}/get", asked.VersionName, get_version),
    Route("GET", f"{_V}/get-download-uri", asked.VersionName, get_download_uri),
    Route("PATCH", f"{_V}/update", asked.UpdateVersion, update_version),
    Route("DELETE", f"{_V}/delete", asked.VersionName, delete_version),
    Route("POST", f"{_V}/transition-stage", asked.TransitionStage, transition_stage),
    Route("GET", f"{_V}/search", asked.Search, search_versions),
    Route("POST", f"{_V}/set-tag", asked.VersionTag, set_version_tag),
    Route("DELETE", f"{_V}/delete-tag", asked.VersionTag, delete_version_tag),
]
