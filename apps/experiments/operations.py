"""What people can do with experiments and runs. Logging is ingest (`ingest.py`); everything here is checked and audited."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from apps.access import audit
from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.operation import operation
from apps.access.policy import authorise
from apps.access.resources import create_resource, rename_resource, restore_resource, touch, trash_resource
from apps.experiments import ingest, limits
from apps.experiments.columns import GOAL_TAG, GOAL_WAY_TAG
from apps.experiments.models import Experiment, Run, RunView
from apps.experiments.outcome import require_done
from apps.foundation.clock import now
from apps.foundation.errors import AlreadyExists, Conflict, Invalid, NotFound

LEAF_MAX = 255
BULK_MAX = 1_000
VIEW_ADDRESS_MAX = 8_000
VIEWS_MAX = 200
NOTE_TAG = "mlflow.note.content"


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


@operation(needs=Level.EDIT, on="experiment")
def delete_runs(*, actor: Actor, experiment: Experiment, runs: Sequence[Run]) -> int:
    """Put runs of one experiment into the trash; how many were not there yet."""
    changed = _of(experiment, runs).filter(deleted_at__isnull=True).update(deleted_at=now())
    audit.record(actor, "experiments.delete_runs", experiment, before={"runs": [run.hex for run in runs]})
    return changed


@operation(needs=Level.EDIT, on="experiment")
def restore_runs(*, actor: Actor, experiment: Experiment, runs: Sequence[Run]) -> int:
    """Take runs of one experiment out of the trash; how many were there."""
    changed = _of(experiment, runs).filter(deleted_at__isnull=False).update(deleted_at=None)
    audit.record(actor, "experiments.restore_runs", experiment, after={"runs": [run.hex for run in runs]})
    return changed


@operation(needs=Level.EDIT, on="experiment")
def tag_runs(*, actor: Actor, experiment: Experiment, runs: Sequence[Run], key: str, value: str) -> int:
    """Set one tag of several runs of one experiment; how many."""
    limits.check_tag(key, value)
    _of(experiment, runs)
    for run in runs:
        (row,) = ingest.run_as(actor, ingest.log(run.uuid, tags={key: value}))
        require_done(row["code"], row["detail"], thing=run.hex)
    audit.record(
        actor, "experiments.tag_runs", experiment, after={"runs": [run.hex for run in runs], "tag": {key: value}}
    )
    return len(runs)


@operation(needs=Level.VIEW, on="experiment")
def save_view(*, actor: Actor, experiment: Experiment, name: str, address: str, shared: bool = False) -> RunView:
    """Keep a filter, columns and order of the run table under a name; the same name again changes it. Sharing needs edit."""
    name = name.strip()
    if not 1 <= len(name) <= 80:
        raise Invalid(fields={"name": "Give a name of 1 to 80 characters."})
    if len(address) > VIEW_ADDRESS_MAX:
        raise Invalid("This view has too many columns or conditions to be kept.")
    if actor.user is None:
        raise Invalid("Views belong to people; the installation itself keeps none.")
    if shared:
        authorise(actor, Level.EDIT, experiment)
    mine = RunView.objects.filter(experiment=experiment, owner=actor.user)
    view = mine.filter(name=name).first()
    if view is None and mine.count() >= VIEWS_MAX:
        raise Conflict(f"You have {VIEWS_MAX} views of this experiment; delete one first.")
    view = view or RunView(experiment=experiment, owner=actor.user, name=name)
    view.address, view.shared = address, shared
    view.save()
    audit.record(actor, "experiments.save_view", experiment, after={"name": name, "shared": shared})
    return view


@operation(needs=Level.VIEW, on="experiment")
def delete_view(*, actor: Actor, experiment: Experiment, view: RunView) -> None:
    """Take a saved view away: one's own, or a shared one with manage."""
    if view.experiment_id != experiment.pk:
        raise NotFound
    if view.owner_id != actor.user_id:
        if not view.shared:
            raise NotFound
        authorise(actor, Level.MANAGE, experiment)
    audit.record(actor, "experiments.delete_view", experiment, before={"name": view.name, "shared": view.shared})
    view.delete()


@operation(needs=Level.EDIT, on="experiment")
def set_goal(*, actor: Actor, experiment: Experiment, metric: str, way: str) -> Experiment:
    """Say which metric the experiment is about and which way is better (`min`, `max`); no metric takes the goal away."""
    _require_active(experiment)
    if metric and way not in ("min", "max"):
        raise Invalid(fields={"way": "Choose whether lower or higher is better."})
    before = {key: experiment.tags.get(key) for key in (GOAL_TAG, GOAL_WAY_TAG)}
    for key, value in ((GOAL_TAG, metric), (GOAL_WAY_TAG, "true" if way == "max" else "false")):
        if metric:
            limits.check_experiment_tag(key, value)
            experiment.tags[key] = value
        else:
            experiment.tags.pop(key, None)
    _changed(experiment)
    audit.record(
        actor, "experiments.set_goal", experiment, before=before, after={"metric": metric, "way": way if metric else ""}
    )
    return experiment


@operation(needs=Level.EDIT, on="run")
def set_run_note(*, actor: Actor, run: Run, text: str) -> Run:
    """Write the note of a run, as markdown; an empty one takes it away."""
    statement = ingest.log(run.uuid, tags={NOTE_TAG: text}) if text.strip() else ingest.delete_tag(run.uuid, NOTE_TAG)
    if text.strip():
        limits.check_tag(NOTE_TAG, text)
    (row,) = ingest.run_as(actor, statement)
    if row["code"] != "no_tag":
        require_done(row["code"], row["detail"], thing=run.hex)
    audit.record(actor, "experiments.set_run_note", run, after={"characters": len(text)})
    return run


def _of(experiment: Experiment, runs: Sequence[Run]) -> QuerySet[Run]:
    if not runs:
        raise Invalid("Choose at least one run.")
    if len(runs) > BULK_MAX:
        raise Invalid(f"At most {BULK_MAX:,} runs can be changed at a time.")
    if any(run.experiment_id != experiment.pk for run in runs):
        raise NotFound("Not all of these runs belong to this experiment.")
    return Run.objects.filter(pk__in=[run.pk for run in runs])


def _require_active(experiment: Experiment) -> None:
    if experiment.resource.deleted_at is not None:
        raise Invalid(f"The experiment {experiment.number} must be in the 'active' state. Current state is deleted.")


def _changed(experiment: Experiment) -> None:
    experiment.changed_at = now()
    experiment.save(update_fields=["plain_name", "tags", "changed_at"])
    if experiment.resource.deleted_at is None:
        touch(experiment.resource)
