"""What people can do with experiments and runs. Logging is ingest (`ingest.py`); everything here is checked and audited."""

from __future__ import annotations

import hashlib

from django.db import IntegrityError, transaction

from apps.access import audit
from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.operation import operation
from apps.access.resources import create_resource, rename_resource, restore_resource, touch, trash_resource
from apps.experiments import limits
from apps.experiments.models import Experiment, Run
from apps.foundation.clock import now
from apps.foundation.errors import AlreadyExists, Conflict, Invalid, NotFound

LEAF_MAX = 255


@operation(needs=Level.EDIT, on="parent", open_to_makers=True)
def create_experiment(
    *,
    actor: Actor,
    parent: Resource,
    name: str,
    plain_name: str | None = None,
    artifact_location: str = "",
    tags: dict[str, str] | None = None,
) -> Experiment:
    """Make an experiment in a folder; with a plain name it also answers to that name in the whole workspace."""
    limits.check_experiment_name(name)
    for key, value in (tags or {}).items():
        limits.check_experiment_tag(key, value)
    shown = plain_name or name
    if plain_name is not None and Experiment.objects.filter(plain_name=plain_name).exists():
        raise AlreadyExists(f"Experiment '{shown}' already exists.")
    if Experiment.objects.filter(
        resource__parent=parent, resource__name=name, resource__deleted_at__isnull=False
    ).exists():
        raise AlreadyExists(
            f"Experiment '{shown}' already exists in deleted state. Restore it, or choose another name."
        )
    try:
        resource = create_resource(actor, kind="experiment", name=name, parent=parent)
    except AlreadyExists:
        raise AlreadyExists(f"Experiment '{shown}' already exists.") from None
    experiment = Experiment(
        resource=resource,
        plain_name=plain_name,
        artifact_location=limits.check_artifact_location(artifact_location),
        tags=tags or {},
    )
    try:
        with transaction.atomic():
            experiment.save(force_insert=True)
    except IntegrityError:
        raise AlreadyExists(f"Experiment '{shown}' already exists.") from None
    audit.record(
        actor, "experiments.create_experiment", experiment, after={"name": experiment.name, "path": resource.path}
    )
    return experiment


@operation(needs=Level.EDIT, on="experiment")
def rename_experiment(*, actor: Actor, experiment: Experiment, name: str) -> Experiment:
    """Give an experiment another name. One that goes by a plain name keeps its folder."""
    limits.check_experiment_name(name)
    before = experiment.name
    if experiment.resource.deleted_at is not None:
        raise Conflict(f"Cannot rename experiment '{before}': it is deleted. Restore it first.", code="invalid_state")
    if name != before:
        leaf = name if experiment.plain_name else _leaf_beside(experiment, name)
        if Experiment.objects.exclude(pk=experiment.pk).filter(plain_name=name).exists():
            raise AlreadyExists(f"Experiment '{name}' already exists.")
        rename_resource(experiment.resource, as_leaf(leaf))
        if experiment.plain_name:
            experiment.plain_name = name
        _changed(experiment)
    audit.record(actor, "experiments.rename_experiment", experiment, before={"name": before}, after={"name": name})
    return experiment


def as_leaf(name: str) -> str:
    """A plain name as the last step of a path, which cannot hold a slash and is shorter."""
    leaf = name.replace("/", "∕")
    return (
        leaf if len(leaf) <= LEAF_MAX else f"{leaf[: LEAF_MAX - 17]}~{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    )


def _leaf_beside(experiment: Experiment, name: str) -> str:
    folder, _, leaf = name.rpartition("/")
    parent = experiment.resource.parent
    if folder and (parent is None or folder != parent.path.rstrip("/")):
        raise Invalid(f"An experiment keeps its folder when it is renamed: '{folder}' is another one. Move it instead.")
    return leaf


@operation(needs=Level.EDIT, on="experiment")
def set_experiment_tags(*, actor: Actor, experiment: Experiment, tags: dict[str, str]) -> Experiment:
    """Set tags of an experiment."""
    for key, value in tags.items():
        limits.check_experiment_tag(key, value)
    _require_active(experiment)
    before = {key: experiment.tags.get(key) for key in tags}
    experiment.tags = {**experiment.tags, **tags}
    _changed(experiment)
    audit.record(actor, "experiments.set_experiment_tags", experiment, before=before, after=tags)
    return experiment


@operation(needs=Level.EDIT, on="experiment")
def delete_experiment_tag(*, actor: Actor, experiment: Experiment, key: str) -> Experiment:
    """Take a tag off an experiment."""
    _require_active(experiment)
    if key not in experiment.tags:
        raise NotFound(f"No tag with name: {key} in experiment with id {experiment.number}")
    before = {key: experiment.tags.pop(key)}
    _changed(experiment)
    audit.record(actor, "experiments.delete_experiment_tag", experiment, before=before)
    return experiment


@operation(needs=Level.MANAGE, on="experiment")
def delete_experiment(*, actor: Actor, experiment: Experiment) -> Experiment:
    """Put an experiment and its runs into the trash."""
    if experiment.resource.deleted_at is not None:
        raise NotFound(f"No active experiment with id={experiment.number} exists")
    trash_resource(experiment.resource)
    _changed(experiment)
    audit.record(actor, "experiments.delete_experiment", experiment, before={"name": experiment.name})
    return experiment


@operation(needs=Level.MANAGE, on="experiment")
def restore_experiment(*, actor: Actor, experiment: Experiment) -> Experiment:
    """Take an experiment and its runs out of the trash."""
    if experiment.resource.deleted_at is None:
        raise NotFound(f"No deleted experiment with id={experiment.number} exists")
    restore_resource(experiment.resource)
    _changed(experiment)
    audit.record(actor, "experiments.restore_experiment", experiment, after={"name": experiment.name})
    return experiment


@operation(needs=Level.EDIT, on="run")
def delete_run(*, actor: Actor, run: Run) -> Run:
    """Put a run into the trash; it stays readable there."""
    if run.deleted_at is None:
        run.deleted_at = now()
        run.save(update_fields=["deleted_at"])
    audit.record(actor, "experiments.delete_run", run, before={"run_id": run.hex, "name": run.name})
    return run


@operation(needs=Level.EDIT, on="run")
def restore_run(*, actor: Actor, run: Run) -> Run:
    """Take a run out of the trash."""
    if run.deleted_at is not None:
        run.deleted_at = None
        run.save(update_fields=["deleted_at"])
    audit.record(actor, "experiments.restore_run", run, after={"run_id": run.hex, "name": run.name})
    return run


def _require_active(experiment: Experiment) -> None:
    if experiment.resource.deleted_at is not None:
        raise Invalid(f"The experiment {experiment.number} must be in the 'active' state. Current state is deleted.")


def _changed(experiment: Experiment) -> None:
    experiment.changed_at = now()
    experiment.save(update_fields=["plain_name", "tags", "changed_at"])
    if experiment.resource.deleted_at is None:
        touch(experiment.resource)
