"""The registry as deployments see it: which version a configuration means, and its files."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.policy import level_of
from apps.access.scope import current_workspace
from apps.deployments.models import EndpointConfig, ServedVersion
from apps.foundation.errors import Invalid, NotFound
from apps.lineage.recorder import Node
from apps.registry import queries as registry
from apps.registry.models import ModelVersion, RegisteredModel
from apps.registry.names import locate


@dataclass(frozen=True)
class Wanted:
    """The version that a configuration means now."""

    id: str
    model_name: str
    version: str


def resolve(config: EndpointConfig) -> tuple[Wanted | None, str]:
    """The version that the configuration means at this moment; or None and why there is none."""
    if config.model is None or config.model.deleted_at is not None:
        return None, f"The model {config.model_name} is deleted."
    if config.made_by is not None:
        level = level_of(Actor(user=config.made_by, workspace=current_workspace()), config.model)
        if level is None or level < Level.USE:
            return None, f"{config.made_by.label}, who configured this endpoint, may no longer use {config.model_name}."
    model = RegisteredModel.objects.select_related("resource").get(pk=config.model_id)
    version = find(model, config.follows, config.value)
    if version is None:
        what = {"version": "no version", "stage": "no version in stage", "alias": "no version with the alias"}
        return None, f"{config.model_name} has {what[config.follows]} {config.value}."
    if version.files_at is None or version.status != ModelVersion.Status.READY:
        return None, f"{version} has no files to serve."
    return Wanted(str(version.pk), version.model.name, str(version.version)), ""


def find(model: RegisteredModel, follows: str, value: str) -> ModelVersion | None:
    """The live version of a model by its number, the newest in a stage, or the one with an alias."""
    try:
        found = registry.resolve_version(model, **{follows: value})
    except (NotFound, Invalid):
        return None
    return found if found.deleted_at is None else None


def find_model(name: str) -> RegisteredModel | None:
    """The live model that answers by this name."""
    rows = RegisteredModel.objects.select_related("resource").filter(resource__deleted_at__isnull=True)
    return rows.filter(resource__path=locate(name).path).first()


def find_version(served: ServedVersion) -> ModelVersion | None:
    """The version itself, unless it is deleted."""
    rows = ModelVersion.objects.live().select_related("model__resource")
    return rows.filter(pk=served.model_version_id).first()


def files_of(served: ServedVersion) -> Callable[[Path], None]:
    """What copies the version's files into a folder. Raises OSError there when they are gone."""
    version = find_version(served)
    folder = version.folder if version is not None else None

    def copy(target: Path) -> None:
        if folder is None:
            raise FileNotFoundError(f"{served} is deleted")
        shutil.copytree(folder, target, symlinks=True, dirs_exist_ok=True, copy_function=shutil.copyfile)

    return copy


def example_of(served: ServedVersion) -> tuple[list[object], bytes | None]:
    """The inputs of the version's signature as MLflow writes them, and its example request."""
    version = find_version(served)
    signature = version.facts.get("signature") if version is not None else None
    inputs = signature.get("inputs", []) if isinstance(signature, dict) else []
    path = Path(served.folder) / "serving_input_example.json" if served.folder else None
    if path is None or not path.is_file() or path.stat().st_size > 256 * 1024:
        return inputs, None
    return inputs, path.read_bytes()


def node_of(served: ServedVersion) -> Node | None:
    """The model version as lineage names it."""
    version = find_version(served)
    return registry.node_of(version) if version is not None else None
