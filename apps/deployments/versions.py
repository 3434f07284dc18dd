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
from apps.deployments.models import EndpointConfig, Follows, ServedVersion
from apps.lineage.recorder import Node
from apps.registry.models import ModelVersion, RegisteredModel
from apps.registry.stages import canonical


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
    version = find(config.model_id, config.follows, config.value)
    if version is None:
        what = {"version": "no version", "stage": "no version in stage", "alias": "no version with the alias"}
        return None, f"{config.model_name} has {what[config.follows]} {config.value}."
    if version.files_at is None or version.status != ModelVersion.Status.READY:
        return None, f"{version} has no files to serve."
    return Wanted(str(version.pk), version.model.name, str(version.version)), ""


def find(model_id: object, follows: str, value: str) -> ModelVersion | None:
    """The live version of a model by its number, the newest in a stage, or the one with an alias."""
    rows = ModelVersion.objects.live().filter(model_id=model_id).select_related("model__resource")
    if follows == Follows.VERSION:
        return rows.filter(version=int(value)).first() if value.isdecimal() and len(value) < 10 else None
    if follows == Follows.STAGE:
        return rows.filter(stage=canonical(value)).order_by("-version").first()
    return rows.filter(aliases__name=value, aliases__valid_to__isnull=True).first()


def find_model(name: str) -> RegisteredModel | None:
    """The live model that answers by this name."""
    from apps.registry.names import locate

    rows = RegisteredModel.objects.select_related("resource").filter(resource__deleted_at__isnull=True)
    return rows.filter(resource__path=locate(name).path).first()


def files_of(served: ServedVersion) -> Callable[[Path], None]:
    """What copies the version's files into a folder. Raises OSError there when they are gone."""
    version = ModelVersion.objects.live().select_related("model__resource").filter(pk=served.model_version_id).first()
    folder = version.folder if version is not None else None

    def copy(target: Path) -> None:
        if folder is None:
            raise FileNotFoundError(f"{served} is deleted")
        shutil.copytree(folder, target, symlinks=True, dirs_exist_ok=True, copy_function=shutil.copyfile)

    return copy


def example_of(served: ServedVersion) -> tuple[dict[str, object], bytes | None]:
    """What the version's description says (signature, flavors), and its example request, for the playground."""
    version = ModelVersion.objects.filter(pk=served.model_version_id).first()
    facts = version.facts if version is not None else {}
    path = Path(served.folder) / "serving_input_example.json" if served.folder else None
    if path is None or not path.is_file() or path.stat().st_size > 256 * 1024:
        return facts, None
    return facts, path.read_bytes()


def node_of(served: ServedVersion) -> Node | None:
    """The model version as lineage names it."""
    version = ModelVersion.objects.select_related("model__resource").filter(pk=served.model_version_id).first()
    if version is None:
        return None
    return Node(
        "model_version",
        str(version.pk),
        version=str(version.version),
        name=version.model.name,
        resource=version.model.resource,
    )
