"""Where a new version comes from: a logged model, a run's folder, another version, or a place that is none of ours."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from apps.access.actor import Actor
from apps.access.policy import fetch
from apps.experiments import artifacts, logged_models
from apps.experiments.models import LoggedModel, Run
from apps.foundation.errors import Invalid, NotFound
from apps.foundation.ids import parse_id
from apps.registry import queries
from apps.registry.models import ModelVersion

SOURCE_MAX = 2_000
STORE = "mlflow-artifacts"
VERSIONS_ROOT = "versions"
_OUTSIDE = re.compile(r"(?:s3|gs|r2|abfss?|wasbs?|hdfs|viewfs|oci|dbfs|b2|https?|ftp|hf|databricks)://?[^\s]+")
_RUN = re.compile(r"runs:/+([0-9a-f]{32})(?:/(.*))?")
_MODEL = re.compile(r"models:/+(.+?)/*")


@dataclass(frozen=True)
class Source:
    """What a source was found to mean. `folder` is None when there are no files of ours to freeze."""

    folder: Path | None = None
    run: uuid.UUID | None = None
    logged_model: LoggedModel | None = None
    version: ModelVersion | None = None


def resolve(actor: Actor, source: str, *, run_id: str = "", model_id: str = "") -> Source:
    """What a source means, for somebody who may read it. Raises Invalid for places that nobody may name, NotFound for absent ones."""
    if len(source) > SOURCE_MAX:
        raise Invalid(f"Invalid model version source: it is longer than {SOURCE_MAX} characters.")
    run = get_run(actor, run_id) if run_id else None
    found = _find(actor, source)
    if model_id:
        model = logged_models.get_logged_model(actor, model_id)
        if found.logged_model not in (None, model):
            raise _refuse(source, "it is not in the folder of the logged model that model_id names")
        found = Source(found.folder or _folder_of(model), found.run or _run_of(model), model)
    if run is not None:
        if found.folder is not None and found.version is None and found.run not in (None, run.uuid):
            raise _refuse(source, "it is not in the artifact folder of the run that run_id names")
        found = Source(found.folder, run.uuid, found.logged_model, found.version)
    return found


def _find(actor: Actor, source: str) -> Source:
    if not source or _relative(source):
        raise _refuse(source, "give runs:/, models:/ or the artifact address of a run or a logged model")
    if match := _RUN.fullmatch(source):
        run = get_run(actor, match[1])
        return _of_run(actor, run, match[2] or "")
    if match := _MODEL.fullmatch(source):
        return _model(actor, match[1])
    parts = urlsplit(source)
    if parts.scheme == STORE:
        return _stored(actor, parts.path.strip("/"), source)
    if _OUTSIDE.fullmatch(source):
        return Source()
    raise _refuse(source, "a local path cannot be read by the server; log the model to a run and name that")


def _of_run(actor: Actor, run: Run, path: str) -> Source:
    """A folder of the run; else the newest logged model of that name that the run made, as clients understand it."""
    folder = _existing(artifacts.run_place(actor, run, path))
    if folder is None and path:
        made = LoggedModel.objects.filter(source_run=run, name=path, deleted_at__isnull=True).order_by("-created_at")
        if model := made.select_related("experiment__resource").first():
            return Source(_folder_of(model), run.uuid, model)
    return Source(folder, run.uuid)


def _stored(actor: Actor, path: str, source: str) -> Source:
    if path.startswith(f"{VERSIONS_ROOT}/"):
        version = queries.get_version_by_id(actor, path.split("/")[1])
        return _version(version)
    try:
        place = artifacts.find_place(actor, path)
    except NotFound:
        raise _refuse(source, "there is no such run or logged model, or it is not shared with you") from None
    model = place.logged_model
    if place.run is None and model is None:
        raise _refuse(source, "it is in no run's and no logged model's folder")
    run = place.run.uuid if place.run else _run_of(model) if model else None
    return Source(_existing(place), run, model)


def _model(actor: Actor, name: str) -> Source:
    if "/" not in name and "@" not in name:
        model = logged_models.get_logged_model(actor, name)
        return Source(_folder_of(model), _run_of(model), model)
    return _version(queries.get_version_by_uri(actor, name))


def _version(version: ModelVersion) -> Source:
    model = LoggedModel.objects.filter(uuid=version.logged_model).first() if version.logged_model else None
    return Source(version.folder if version.files_at else None, version.run, model, version)


def get_run(actor: Actor, run_id: str) -> Run:
    """The run that clients know by this id. Raises NotFound, Invalid."""
    key = parse_id(run_id)
    if key is None:
        raise Invalid(f"Invalid run id '{run_id[:60]}': 32 hex digits.")
    try:
        return fetch(Run, key, actor=actor, by="uuid")
    except NotFound:
        raise NotFound(f"Run with id={run_id} not found") from None


def _run_of(model: LoggedModel) -> uuid.UUID | None:
    return model.source_run.uuid if model.source_run else None


def _folder_of(model: LoggedModel) -> Path | None:
    return _existing(artifacts.model_place(model))


def _existing(place: artifacts.Place) -> Path | None:
    path = place.path
    return path if path.is_dir() and not path.is_symlink() else None


def _relative(source: str) -> bool:
    return ".." in re.split(r"[/\\]", artifacts.decoded(source)) or "\\" in source or "\0" in source


def _refuse(source: str, why: str) -> Invalid:
    return Invalid(f"Invalid model version source: '{source[:200]}': {why}.")
