"""What people and their programs do with logged models: create, finalize, params, tags, outputs of runs, delete."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection

from apps.access import audit
from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.operation import operation
from apps.access.policy import fetch
from apps.experiments.ingest import refresh_links
from apps.experiments.limits import check_key
from apps.experiments.models import Experiment, LoggedModel, ModelMetric, Run, RunModel
from apps.foundation.clock import now
from apps.foundation.errors import Conflict, Invalid, NotFound
from apps.foundation.ids import parse_id
from apps.lineage.recorder import Node, activity_node, observe_read, observe_write

NAME_MAX = 500
PARAMS_MAX, TAGS_MAX = 1_000, 1_000
PARAM_VALUE_MAX, TAG_VALUE_MAX = 6_000, 8_000
_NOT_IN_NAMES = "/:.%\"'"
_WORDS = ("copper", "amber", "tidal", "quiet", "brisk", "solar", "clear", "north")


@dataclass(frozen=True)
class Measured:
    """One metric of a logged model: its newest value on a data set, by a run."""

    key: str
    value: float
    timestamp: int
    step: int
    run: str
    dataset_name: str
    dataset_digest: str


def get_logged_model(actor: Actor, model_id: str, needs: Level = Level.VIEW) -> LoggedModel:
    """The logged model that clients know by this id. Raises NotFound, Forbidden."""
    key = parse_id(model_id[2:]) if model_id.startswith("m-") and len(model_id) == 34 else None
    try:
        if key is None:
            raise NotFound
        model = fetch(LoggedModel, key, actor=actor, needs=needs, by="uuid", trashed=None)
        if model.deleted_at is not None:
            raise NotFound
    except NotFound as absent:
        absent.message = f"Logged model with ID '{model_id[:60]}' not found."
        raise
    return model


def of_run(run: Run) -> list[LoggedModel]:
    """The logged models that a run made."""
    return list(LoggedModel.objects.filter(source_run=run, deleted_at__isnull=True).order_by("created_at")[:100])


def node_of(model: LoggedModel) -> Node:
    """A logged model in the lineage graph."""
    return Node("logged_model", model.hex, name=model.name, resource=model.experiment.resource)


def run_node(run: Run) -> Node:
    """A run in the lineage graph."""
    return Node("run", run.hex, name=run.name, resource=run.experiment.resource)


@operation(needs=Level.EDIT, on="experiment")
def create_logged_model(
    *,
    actor: Actor,
    experiment: Experiment,
    name: str = "",
    model_type: str = "",
    source_run: Run | None = None,
    params: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
) -> LoggedModel:
    """Open a logged model; its files are put below its artifact address, then it is finalized."""
    if experiment.is_trashed:
        raise Invalid(f"The experiment {experiment.number} must be in the 'active' state.")
    if source_run is not None and source_run.experiment_id != experiment.pk:
        raise Invalid("The source run is not one of this experiment.")
    model = LoggedModel(
        experiment=experiment,
        source_run=source_run,
        name=_check_name(name) if name else f"{secrets.choice(_WORDS)}-model-{secrets.randbelow(1000)}",
        model_type=model_type[:500],
        params=_params({}, params or {}),
        tags=_tags({}, tags or {}),
        created_by=actor.user,
    )
    model.save(force_insert=True)
    if source_run is not None:
        observe_write(run_node(source_run), node_of(model))
    elif activity := activity_node(actor.activity):
        observe_write(activity, node_of(model))
    audit.record(actor, "experiments.create_logged_model", model, after={"name": model.name})
    return model


@operation(needs=Level.EDIT, on="model")
def finalize_logged_model(*, actor: Actor, model: LoggedModel, status: str) -> LoggedModel:
    """Say that a logged model's files are all there, or that their upload failed."""
    if status not in (LoggedModel.Status.READY, LoggedModel.Status.UPLOAD_FAILED):
        raise Invalid(f"Invalid model status: {status}. Expected READY or UPLOAD_FAILED.")
    before = model.status
    model.status = status
    _save(model, "status")
    audit.record(actor, "experiments.finalize_logged_model", model, before={"status": before}, after={"status": status})
    return model


@operation(needs=Level.EDIT, on="model")
def log_model_params(*, actor: Actor, model: LoggedModel, params: Mapping[str, str]) -> LoggedModel:
    """Note what a logged model was made with. Written once."""
    model.params = _params(model.params, params)
    _save(model, "params")
    audit.record(actor, "experiments.log_model_params", model, after={"params": sorted(params)})
    return model


@operation(needs=Level.EDIT, on="model")
def set_model_tags(*, actor: Actor, model: LoggedModel, tags: Mapping[str, str]) -> LoggedModel:
    """Note something about a logged model."""
    model.tags = _tags(model.tags, tags)
    _save(model, "tags")
    audit.record(actor, "experiments.set_model_tags", model, after={"tags": sorted(tags)})
    return model


@operation(needs=Level.EDIT, on="model")
def delete_model_tag(*, actor: Actor, model: LoggedModel, key: str) -> LoggedModel:
    """Take a tag off a logged model. Raises NotFound when it has none of that key."""
    if key not in model.tags:
        raise NotFound(f"No tag with key {key[:250]!r} found for model with ID {model.hex}.")
    model.tags = {name: value for name, value in model.tags.items() if name != key}
    _save(model, "tags")
    audit.record(actor, "experiments.delete_model_tag", model, before={"tag": key})
    return model


@operation(needs=Level.EDIT, on="model")
def delete_logged_model(*, actor: Actor, model: LoggedModel) -> None:
    """Take a logged model out of all lists. Its files stay: versions that were registered from it have their own."""
    if model.deleted_at is None:
        model.deleted_at = now()
        _save(model, "deleted_at")
    audit.record(actor, "experiments.delete_logged_model", model, before={"name": model.name})


@operation(needs=Level.EDIT, on="run")
def log_outputs(*, actor: Actor, run: Run, models: Iterable[tuple[LoggedModel, int]]) -> None:
    """Note which logged models a run made, and at which step."""
    pairs = list(models)
    if run.deleted_at is not None:
        raise Invalid(f"The run {run.hex} must be in the 'active' state.")
    for model, _ in pairs:
        if model.workspace_id != run.workspace_id:
            raise NotFound
        observe_write(run_node(run), node_of(model))
    rows = [RunModel(run=run, model=model.uuid, role=RunModel.Role.OUTPUT, step=step) for model, step in pairs]
    RunModel.objects.bulk_create(rows, ignore_conflicts=True)
    refresh_links(run.pk)
    audit.record(actor, "experiments.log_outputs", run, after={"models": [model.hex for model, _ in pairs]})


def note_read(actor: Actor, model: LoggedModel) -> None:
    """Record that the actor's activity, if it has one, read this model's files."""
    if activity := activity_node(actor.activity):
        observe_read(activity, node_of(model))


def metrics_of(models: Iterable[LoggedModel]) -> dict[Any, list[Measured]]:
    """The metrics of each model (by its UUID): the newest value per key, data set and run."""
    found: dict[Any, list[Measured]] = {model.uuid: [] for model in models}
    if not found:
        return found
    rows = (
        ModelMetric.objects.filter(model__in=list(found))
        .select_related("run")
        .order_by("model", "key", "dataset_name", "dataset_digest", "run", "-step", "-timestamp", "-value")
        .distinct("model", "key", "dataset_name", "dataset_digest", "run")
    )
    for row in rows:
        found[row.model].append(
            Measured(row.key, row.value, row.timestamp, row.step, row.run.hex, row.dataset_name, row.dataset_digest)
        )
    return found


def add_version_to_tag(model: LoggedModel, name: str, version: str) -> None:
    """Note in the tag `mlflow.modelVersions` that a version was registered from this model, beside those that clients note."""
    with connection.cursor() as cursor:
        cursor.execute(
            "update experiments_loggedmodel set tags = jsonb_set(tags, '{mlflow.modelVersions}', to_jsonb(("
            " coalesce((tags ->> 'mlflow.modelVersions')::jsonb, '[]'::jsonb)"
            " || jsonb_build_array(jsonb_build_object('name', %s::text, 'version', %s::int)))::text))"
            " where id = %s and coalesce(tags ->> 'mlflow.modelVersions', '[]') is json array",
            [name, version, model.pk],
        )


def _save(model: LoggedModel, *fields: str) -> None:
    model.updated_at = now()
    model.save(update_fields=[*fields, "updated_at"])


def _check_name(name: str) -> str:
    if not name.strip() or len(name) > NAME_MAX or any(char in name for char in _NOT_IN_NAMES):
        raise Invalid(
            f"Invalid model name ({name[:80]!r}) provided. Model name must be a non-empty string and cannot contain "
            "the following characters: ('/', ':', '.', '%', '\"', \"'\")"
        )
    return name


def _params(have: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    for key, value in new.items():
        check_key(key, "params.key")
        if len(value) > PARAM_VALUE_MAX:
            raise Invalid(f"Param value for '{key}' is longer than {PARAM_VALUE_MAX} characters.")
        if have.get(key, value) != value:
            raise Conflict(f"The param '{key}' of this model is already logged with another value.")
    return _bounded({**have, **new}, PARAMS_MAX, "params")


def _tags(have: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    for key, value in new.items():
        check_key(key, "tags.key")
        if len(value) > TAG_VALUE_MAX and key != "mlflow.modelVersions":
            raise Invalid(f"Tag value for '{key}' is longer than {TAG_VALUE_MAX} characters.")
    return _bounded({**have, **new}, TAGS_MAX, "tags")


def _bounded(found: dict[str, str], most: int, what: str) -> dict[str, str]:
    if len(found) > most:
        raise Invalid(f"A model has at most {most} {what}.")
    return found
