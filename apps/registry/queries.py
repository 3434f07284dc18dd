"""Reads of the registry: models and versions by name, who was in which stage when, and what deployments need of a version."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db.models import QuerySet

from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.policy import fetch, fetch_path, level_of
from apps.access.resources import find_resource
from apps.experiments.artifacts import Place, split_path
from apps.foundation.errors import AlreadyExists, Invalid, NotFound
from apps.lineage.recorder import Node, activity_node, observe_read
from apps.registry import stages
from apps.registry.models import Alias, ModelVersion, RegisteredModel, StagePeriod
from apps.registry.names import Address, locate

KIND = "registered_model"
LATEST = "latest"
_URI = re.compile(r"(?P<name>.+?)(?:@(?P<alias>[\w-]+)|/(?P<place>[^/@]+))")


@dataclass(frozen=True)
class VersionFiles:
    """A version's frozen files. `facts` are what its MLmodel says: flavors, loader_module, python_version, signature, and the
    names of its environment files (requirements, conda, python_env) and input example, relative to `folder`."""

    folder: Path
    bytes: int
    facts: dict[str, Any]


def get_model(actor: Actor, name: str, needs: Level = Level.VIEW) -> RegisteredModel:
    """The model that answers to a name: plain, or with three parts. Raises NotFound, Forbidden."""
    try:
        return fetch_path(RegisteredModel, KIND, locate(name).path, actor=actor, needs=needs)
    except NotFound as absent:
        absent.message = f"Registered Model with name={name[:300]} not found"
        raise


def get_version(actor: Actor, name: str, version: str | int, needs: Level = Level.VIEW) -> ModelVersion:
    """A version by its model's name and its number. Raises NotFound, Forbidden, Invalid for what is no number."""
    number = parse_number(version)
    try:
        model = get_model(actor, name, needs)
        return numbered(model, number)
    except NotFound as absent:
        absent.message = f"Model Version (name={name[:300]}, version={number}) not found"
        raise


def get_version_by_id(actor: Actor, id: object, needs: Level = Level.VIEW) -> ModelVersion:
    """A version by its own id. Raises NotFound, Forbidden."""
    version = fetch(ModelVersion, id, actor=actor, needs=needs)
    if version.deleted_at is not None:
        raise NotFound
    return version


def get_version_by_uri(actor: Actor, text: str) -> ModelVersion:
    """The version that `<name>/<version or stage or latest>` or `<name>@<alias>` means. Raises Invalid, NotFound, Forbidden."""
    match = _URI.fullmatch(text)
    if match is None:
        raise Invalid(
            f"“models:/{text[:200]}” names no version; write models:/name/version, /name/stage or /name@alias."
        )
    model = get_model(actor, match["name"])
    if match["alias"]:
        return resolve_version(model, alias=match["alias"])
    place = match["place"]
    if place.isdecimal() or place == LATEST:
        return resolve_version(model, version=place)
    return resolve_version(model, stage=place)


def resolve_version(
    model: RegisteredModel, *, stage: str = "", alias: str = "", version: str | int = ""
) -> ModelVersion:
    """The version that is meant right now: by number (or `latest`), by alias, or the newest in a stage. Raises NotFound, Invalid.

    No check: the caller has the model.
    """
    if alias:
        period = Alias.objects.filter(model=model, name=alias, valid_to__isnull=True).select_related("version").first()
        if period is None:
            raise NotFound(f"Registered model alias {alias} not found.", code="no_alias")
        return _of(model, period.version)
    if version and str(version) != LATEST:
        return numbered(model, parse_number(version))
    rows = ModelVersion.objects.live().filter(model=model)
    if stage:
        rows = rows.filter(stage=stages.canonical(stage))
    found = rows.order_by("-version").first()
    if found is None:
        raise NotFound(f"{model.name} has no version" + (f" in {stages.canonical(stage)}." if stage else "."))
    return _of(model, found)


def files_of(version: ModelVersion) -> VersionFiles:
    """Where a version's files lie and what they are, without loading any of them. Raises Invalid when it has none."""
    if version.files_at is None:
        raise Invalid(f"{version} has no files here: its source is {version.source[:300] or 'empty'}.")
    return VersionFiles(version.folder, version.bytes, version.facts)


def numbered(model: RegisteredModel, number: int) -> ModelVersion:
    """The version of this number. Raises NotFound."""
    found = ModelVersion.objects.live().filter(model=model, version=number).first()
    if found is None:
        raise NotFound(f"{model.name} has no version {number}.")
    return _of(model, found)


def parse_number(version: str | int) -> int:
    """The number of a version. Raises Invalid."""
    text = str(version)
    if not text.isascii() or not text.isdecimal() or not 0 < int(text[:20]) < 2**31:
        raise Invalid(f"Model version must be a positive whole number, not '{text[:40]}'.")
    return int(text)


def home_of(actor: Actor, address: Address) -> Resource:
    """The schema in which a model of this address can be made. Raises NotFound, the same for absent and unseen.

    A model that is there and that the actor may know of comes first (AlreadyExists): the mlflow client asks to make it whenever it
    registers a version, and goes on with that word, whatever the person may do in the schema.
    """
    there = find_resource(KIND, address.path)
    if there is not None and level_of(actor, there):
        raise AlreadyExists(f"There is already a model called “{address.name}” here.")
    home = find_resource("schema", address.schema)
    if home is None or not (home.open_to_makers or level_of(actor, home)):
        raise NotFound("There is no such schema, or it is not shared with you.")
    return home


def with_latest(models: Iterable[RegisteredModel]) -> dict[Any, list[ModelVersion]]:
    """The newest version of each stage, by model (its key): two queries for any number of models."""
    by_model = {model.pk: model for model in models}
    found: dict[Any, list[ModelVersion]] = defaultdict(list)
    rows = ModelVersion.objects.live().filter(model__in=list(by_model))
    for version in rows.order_by("model", "stage", "-version").distinct("model", "stage"):
        found[version.model_id].append(_of(by_model[version.model_id], version))
    attach_aliases([version for versions in found.values() for version in versions])
    return found


def aliases_of(models: Iterable[RegisteredModel]) -> dict[Any, list[tuple[str, int]]]:
    """The aliases of each model (by its key) with the versions that have them, sorted."""
    found: dict[Any, list[tuple[str, int]]] = defaultdict(list)
    rows = Alias.objects.filter(model__in=[model.pk for model in models], valid_to__isnull=True)
    for model_id, name, number in rows.order_by("name").values_list("model_id", "name", "version__version"):
        found[model_id].append((name, number))
    return found


def attach_aliases(versions: Iterable[ModelVersion]) -> list[ModelVersion]:
    """The same versions, knowing their aliases: one query."""
    rows = list(versions)
    found: dict[Any, list[Alias]] = defaultdict(list)
    for period in Alias.objects.filter(version__in=rows, valid_to__isnull=True):
        found[period.version_id].append(period)
    for version in rows:
        version._prefetched_aliases = found[version.pk]  # type: ignore[attr-defined]
    return rows


def versions_of(model: RegisteredModel) -> QuerySet[ModelVersion]:
    """The live versions of a model that the caller has."""
    return ModelVersion.objects.live().filter(model=model).select_related("model__resource")


def stage_history(model: RegisteredModel) -> QuerySet[StagePeriod]:
    """Who was in which stage when, deleted versions included."""
    return StagePeriod.objects.filter(version__model=model).select_related("version")


def alias_history(model: RegisteredModel) -> QuerySet[Alias]:
    """Who had which alias when."""
    return Alias.objects.filter(model=model).select_related("version")


def in_production(model: RegisteredModel) -> QuerySet[ModelVersion]:
    """The live versions in Production, the one that serves first."""
    return versions_of(model).filter(stage=stages.PRODUCTION).order_by("-version")


def find_rollback(model: RegisteredModel) -> ModelVersion | None:
    """The version that was in Production before those that are, or None: the live one whose period there ended last."""
    ended = StagePeriod.objects.filter(version__model=model, stage=stages.PRODUCTION, valid_to__isnull=False)
    ended = ended.filter(version__deleted_at__isnull=True).exclude(version__stage=stages.PRODUCTION)
    last = ended.select_related("version").order_by("-valid_to", "-id").first()
    return _of(model, last.version) if last else None


def node_of(version: ModelVersion) -> Node:
    """A version in the lineage graph."""
    model = version.model
    return Node("model_version", str(model.pk), str(version.version), name=model.name, resource=model.resource)


def note_read(actor: Actor, version: ModelVersion) -> None:
    """Record that the actor's activity, if it has one, loads this version."""
    if activity := activity_node(actor.activity):
        observe_read(activity, node_of(version))


def _of(model: RegisteredModel, version: ModelVersion) -> ModelVersion:
    version.model = model
    return version


def version_place(version: ModelVersion, path: str = "") -> Place:
    """A place among the frozen files of a version that the caller has. Raises Invalid for a path that leads elsewhere."""
    return Place(version.model.resource, version.folder, split_path(path))


def find_version_place(actor: Actor, path: str) -> tuple[ModelVersion, Place]:
    """The place that `<id of a version>/...` names, for somebody who may see its model. Raises Invalid, NotFound."""
    id, *steps = split_path(path) or ("",)
    version = get_version_by_id(actor, id if len(id) == 32 else "")
    return version, Place(version.model.resource, version.folder, tuple(steps))


def lane(model: RegisteredModel, stage: str, most: int) -> tuple[list[ModelVersion], int]:
    """The newest versions in a stage, at most so many, and how many there are."""
    rows = ModelVersion.objects.live().filter(model=model, stage=stage)
    return attach_aliases(_of(model, version) for version in rows.order_by("-version")[:most]), rows.count()
