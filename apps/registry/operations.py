"""What people can do with registered models and their versions. All lock the model, so that changes to its versions queue up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from apps.access import audit, resources
from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.operation import operation
from apps.experiments import logged_models
from apps.experiments.activities import find_run_node
from apps.foundation.clock import now
from apps.foundation.errors import Conflict, Invalid, NotFound
from apps.lineage.recorder import Node, activity_node, observe_write
from apps.registry import files, gates, mlmodel, queries, sources, stages
from apps.registry.models import Alias, ModelVersion, RegisteredModel, StagePeriod, TransitionRequest, hex_of
from apps.registry.names import check_alias, check_model_name

TAG_KEY_MAX, TAG_VALUE_MAX, TAGS_MAX = 250, 100_000, 1_000
DESCRIPTION_MAX = 100_000

# Models


@operation(needs=Level.EDIT, on="home", open_to_makers=True)
def create_model(
    *, actor: Actor, home: Resource, name: str, description: str = "", tags: Mapping[str, str] | None = None
) -> RegisteredModel:
    """Make a registered model in a schema, by a plain name (in `main.default`) or one with three parts."""
    address = check_model_name(name)
    if home.path != address.schema:
        raise Invalid(fields={"name": f"“{name}” belongs into {address.schema}, not {home.path}."})
    resource = resources.create_resource(
        actor, kind=queries.KIND, name=address.name, parent=home, description=_description(description)
    )
    model = RegisteredModel(resource=resource, plain=address.plain, tags=_tags({}, tags or {}))
    model.save(force_insert=True)
    audit.record(actor, "registry.create_model", model, after={"name": model.name})
    return model


@operation(needs=Level.EDIT, on="model")
def update_model(*, actor: Actor, model: RegisteredModel, description: str) -> RegisteredModel:
    """Change what a model says about itself."""
    before = model.resource.description
    model.resource.description = _description(description)
    model.resource.save(update_fields=["description"])
    audit.record(
        actor, "registry.update_model", model, before={"description": before}, after={"description": description}
    )
    return _touched(model)


@operation(needs=Level.MANAGE, on="model")
def rename_model(*, actor: Actor, model: RegisteredModel, name: str) -> RegisteredModel:
    """Give a model another name, and with it perhaps another schema; its versions stay."""
    before, address = model.name, check_model_name(name)
    if address.schema != model.resource.path.rpartition(f".{model.resource.name}")[0]:
        resources.move_resource(actor, model.resource, queries.home_of(actor, address))
    resources.rename_resource(model.resource, address.name)
    model.plain = address.plain
    model.save(update_fields=["plain"])
    audit.record(actor, "registry.rename_model", model, before={"name": before}, after={"name": model.name})
    return model


@operation(needs=Level.MANAGE, on="model")
def delete_model(*, actor: Actor, model: RegisteredModel) -> None:
    """Put a model and its versions in the trash; its name is free again, and another model may begin at version 1."""
    resources.trash_resource(model.resource)
    audit.record(actor, "registry.delete_model", model, before={"name": model.name})


@operation(needs=Level.MANAGE, on="model")
def restore_model(*, actor: Actor, model: RegisteredModel) -> RegisteredModel:
    """Take a model out of the trash, with its versions, stages and aliases as they were."""
    if model.resource.deleted_at is None:
        raise Conflict(f"{model.name} is not in the trash.")
    resources.restore_resource(model.resource)
    audit.record(actor, "registry.restore_model", model, after={"name": model.name})
    return model


@operation(needs=Level.EDIT, on="model")
def set_model_tag(*, actor: Actor, model: RegisteredModel, key: str, value: str) -> RegisteredModel:
    """Note something about a model."""
    before = {key: model.tags.get(key)}
    model.tags = _tags(model.tags, {key: value})
    model.save(update_fields=["tags"])
    audit.record(actor, "registry.set_model_tag", model, before=before, after={key: value[:1000]})
    return _touched(model)


@operation(needs=Level.EDIT, on="model")
def delete_model_tag(*, actor: Actor, model: RegisteredModel, key: str) -> RegisteredModel:
    """Take a tag off a model; nothing when it has none of that key."""
    before = {key: model.tags.get(key)}
    model.tags = {name: value for name, value in model.tags.items() if name != key}
    model.save(update_fields=["tags"])
    audit.record(actor, "registry.delete_model_tag", model, before=before)
    return _touched(model)


# Versions


@operation(needs=Level.EDIT, on="model")
def create_version(
    *,
    actor: Actor,
    model: RegisteredModel,
    source: str,
    run_id: str = "",
    model_id: str = "",
    description: str = "",
    tags: Mapping[str, str] | None = None,
    run_link: str = "",
) -> ModelVersion:
    """Register what a run made as the next version. Its files are frozen as they are now; the actor must be able to read them."""
    _live(model)
    found = sources.Source() if model.is_prompt else sources.resolve(actor, source, run_id=run_id, model_id=model_id)
    version = ModelVersion(
        model=model,
        version=model.next_version,
        source=source,
        run=found.run,
        run_link=run_link[:2000],
        logged_model=found.logged_model.uuid if found.logged_model else None,
        description=_description(description),
        tags=_tags({}, tags or {}),
        created_by=actor.user,
        created_label=actor.label,
    )
    _freeze(version, found)
    model.next_version += 1
    model.save(update_fields=["next_version"])
    version.save(force_insert=True)
    StagePeriod(version=version, stage=version.stage, actor_label=actor.label).save()
    _trace(actor, version, found)
    if found.logged_model is not None:
        logged_models.add_version_to_tag(found.logged_model, model.name, str(version.version))
    audit.record(
        actor,
        "registry.create_version",
        version,
        after={"version": version.version, "source": source, "run": hex_of(version.run)},
    )
    _touched(model)
    return version


@operation(needs=Level.EDIT, on="model")
def update_version(*, actor: Actor, model: RegisteredModel, version: ModelVersion, description: str) -> ModelVersion:
    """Change what a version says about itself."""
    version = again(model, version)
    before, version.description = version.description, _description(description)
    _save(version, "description")
    audit.record(
        actor, "registry.update_version", version, before={"description": before}, after={"description": description}
    )
    return version


@operation(needs=Level.EDIT, on="model")
def set_version_tag(
    *, actor: Actor, model: RegisteredModel, version: ModelVersion, key: str, value: str
) -> ModelVersion:
    """Note something about a version."""
    version = again(model, version)
    before = {key: version.tags.get(key)}
    version.tags = _tags(version.tags, {key: value})
    _save(version, "tags")
    audit.record(actor, "registry.set_version_tag", version, before=before, after={key: value[:1000]})
    return version


@operation(needs=Level.EDIT, on="model")
def delete_version_tag(*, actor: Actor, model: RegisteredModel, version: ModelVersion, key: str) -> ModelVersion:
    """Take a tag off a version; nothing when it has none of that key."""
    version = again(model, version)
    before = {key: version.tags.get(key)}
    version.tags = {name: value for name, value in version.tags.items() if name != key}
    _save(version, "tags")
    audit.record(actor, "registry.delete_version_tag", version, before=before)
    return version


@operation(needs=Level.MANAGE, on="model")
def delete_version(*, actor: Actor, model: RegisteredModel, version: ModelVersion) -> None:
    """Delete a version with its aliases and files. Its number never comes again, and its history stays."""
    version = again(model, version)
    before = {"version": version.version, "stage": version.stage, "aliases": version.current_aliases}
    moment = now()
    Alias.objects.filter(version=version, valid_to__isnull=True).update(valid_to=moment)
    StagePeriod.objects.filter(version=version, valid_to__isnull=True).update(valid_to=moment)
    version.deleted_at = moment
    _save(version, "deleted_at")
    _settle(version, "", f"version deleted by {actor.label}")
    folder = version.folder
    transaction.on_commit(lambda: files.discard(folder))
    audit.record(actor, "registry.delete_version", version, before=before)


@operation(needs=Level.EDIT, on="model")
def move_to_stage(
    *,
    actor: Actor,
    model: RegisteredModel,
    version: ModelVersion,
    stage: str,
    archive_existing: bool = False,
    comment: str = "",
) -> ModelVersion:
    """Put a version in a stage whose gate the actor may pass; archive the ones there if asked."""
    version, stage = again(model, version), stages.canonical(stage)
    stages.check_move(version.stage, stage, archive_existing=archive_existing)
    passed = gates.require(actor, model, version.stage, stage)
    if version.stage != stage:
        gates.refuse_alone(passed, version.stage, stage)
    return enter(actor, version, stage, comment, archive_existing=archive_existing)


@operation(needs=Level.EDIT, on="model")
def set_alias(*, actor: Actor, model: RegisteredModel, alias: str, version: ModelVersion) -> ModelVersion:
    """Point an alias at a version, away from the one that had it."""
    version, name = again(model, version), check_alias(alias)
    held = Alias.objects.filter(model=model, name=name, valid_to__isnull=True).select_related("version").first()
    before = {"alias": name, "version": held.version.version if held else None}
    if held is None or held.version_id != version.pk:
        moment = now()
        if held is not None:
            held.valid_to = moment
            held.save(update_fields=["valid_to"])
        Alias(model=model, version=version, name=name, valid_from=moment, actor_label=actor.label).save()
    audit.record(actor, "registry.set_alias", version, before=before, after={"alias": name, "version": version.version})
    _touched(model)
    return version


@operation(needs=Level.EDIT, on="model")
def delete_alias(*, actor: Actor, model: RegisteredModel, alias: str) -> None:
    """Take an alias away; nothing when the model has none of that name."""
    held = Alias.objects.filter(model=model, name=alias, valid_to__isnull=True).select_related("version").first()
    if held is not None:
        held.valid_to = now()
        held.save(update_fields=["valid_to"])
    before = {"alias": alias, "version": held.version.version if held else None}
    audit.record(actor, "registry.delete_alias", model, before=before)
    _touched(model)


# Steps of the operations


def enter(
    actor: Actor, version: ModelVersion, stage: str, comment: str, *, archive_existing: bool = False
) -> ModelVersion:
    """Put a version in a stage, archive the others there if asked, and settle requests for it. The caller has checked the gates."""
    if archive_existing:
        there = ModelVersion.objects.live().filter(model=version.model, stage=stage).exclude(pk=version.pk)
        for other in there.order_by("version"):
            other.model = version.model
            enter(actor, other, stages.ARCHIVED, f"Version {version.version} took its place")
    before, moment = version.stage, now()
    if before != stage:
        StagePeriod.objects.filter(version=version, valid_to__isnull=True).update(valid_to=moment)
        StagePeriod(version=version, stage=stage, valid_from=moment, actor_label=actor.label, comment=comment).save()
        version.stage = stage
    _save(version, "stage")
    _settle(version, stage, f"moved by {actor.label}")
    audit.record(
        actor,
        "registry.move_to_stage",
        version,
        before={"stage": before},
        after={"stage": stage, "version": version.version},
        comment=comment,
    )
    return version


def _settle(version: ModelVersion, stage: str, why: str) -> None:
    """Close what waits for something that has happened; all of the version's requests when `stage` is empty."""
    waiting = version.requests.filter(state=TransitionRequest.State.WAITING)
    for asked in waiting.filter(stage=stage) if stage else waiting:
        asked.close(TransitionRequest.State.SETTLED, why)


def _freeze(version: ModelVersion, found: sources.Source) -> None:
    if found.folder is None:
        return
    count, version.bytes = files.freeze(found.folder, version.folder)
    if count == 0:
        return
    version.files_at = now()
    try:
        version.facts = mlmodel.read_facts(version.folder)
    except mlmodel.Unreadable as problem:
        version.facts = {"problem": str(problem)}


def _trace(actor: Actor, version: ModelVersion, found: sources.Source) -> None:
    node = queries.node_of(version)
    if found.version is not None:
        observe_write(queries.node_of(found.version), node)
    elif found.logged_model is not None:
        observe_write(logged_models.node_of(found.logged_model), node)
    elif found.run is not None:
        observe_write(find_run_node(found.run.hex) or Node("run", found.run.hex), node)
    if activity := activity_node(actor.activity):
        observe_write(activity, node)


def again(model: RegisteredModel, version: ModelVersion) -> ModelVersion:
    """The version as it is under the model's lock. Raises NotFound when it is gone or another model's."""
    _live(model)
    return queries.numbered(model, version.version) if version.model_id == model.pk else _absent()


def _absent() -> Any:
    raise NotFound


def _live(model: RegisteredModel) -> None:
    if model.resource.deleted_at is not None:
        raise Conflict(f"{model.name} is in the trash; restore it first.")


def _save(version: ModelVersion, *fields: str) -> None:
    version.updated_at = now()
    version.save(update_fields=[*fields, "updated_at"])
    resources.touch(version.model.resource)


def _touched(model: RegisteredModel) -> RegisteredModel:
    resources.touch(model.resource)
    model.resource.refresh_from_db()
    return model


def _tags(have: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    for key, value in new.items():
        if not key or len(key) > TAG_KEY_MAX:
            raise Invalid(fields={"key": f"A tag's key has 1 to {TAG_KEY_MAX} characters."})
        if len(value) > TAG_VALUE_MAX:
            raise Invalid(fields={"value": f"A tag's value has at most {TAG_VALUE_MAX} characters."})
    tags = {**have, **new}
    if len(tags) > TAGS_MAX:
        raise Invalid(fields={"tags": f"At most {TAGS_MAX} tags."})
    return tags


def _description(text: str) -> str:
    if len(text) > DESCRIPTION_MAX:
        raise Invalid(fields={"description": f"At most {DESCRIPTION_MAX} characters."})
    return text
