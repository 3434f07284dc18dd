"""Reads of experiments and runs that need more than one queryset."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import Count, F, Max

from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.policy import authorise, fetch
from apps.access.resources import find_resource
from apps.access.workspaces import home_folder
from apps.experiments import ingest, operations
from apps.experiments.board import RunRow
from apps.experiments.finder import FoundRuns, find_runs
from apps.experiments.models import Experiment, Run, RunInput, RunMetric, RunParam, RunTag
from apps.experiments.outcome import require_done
from apps.experiments.search import RunSearch
from apps.experiments.sets import Opened
from apps.experiments.showing import ShownRun, moment, show
from apps.foundation.errors import Invalid, NotFound
from apps.foundation.paging import Page


def get_experiment(actor: Actor, number: int, needs: Level = Level.VIEW) -> Experiment:
    """The experiment with this number, live or in the trash. Absent and hidden ones are not told apart."""
    experiment = Experiment.objects.select_related("resource").filter(number=number).first()
    if experiment is None:
        raise NotFound(f"No Experiment with id={number} exists")
    return _checked(actor, experiment, needs, f"No Experiment with id={number} exists")


def find_by_name(actor: Actor, name: str, needs: Level = Level.VIEW) -> Experiment:
    """The experiment that goes by this name, live or in the trash; a live one first."""
    absent = f"Could not find experiment with name '{name}'"
    found = Experiment.objects.select_related("resource").filter(plain_name=name).first()
    if found is None and name.startswith("/"):
        places = Experiment.objects.select_related("resource").filter(resource__path=name)
        found = places.order_by(F("resource__deleted_at").desc(nulls_first=True)).first()
    if found is None:
        raise NotFound(absent)
    return _checked(actor, found, needs, absent)


def _checked(actor: Actor, experiment: Experiment, needs: Level, absent: str) -> Experiment:
    try:
        authorise(actor, needs, experiment)
    except NotFound as error:
        error.message = absent
        raise
    return experiment


def create_by_name(actor: Actor, name: str, **options: Any) -> Experiment:
    """A new experiment by the name that a client gave: a path in its folder, a plain name in the maker's own."""
    if not name.startswith("/"):
        if actor.user is None:
            raise Invalid("Name the whole path: the installation itself has no folder of its own.")
        return operations.create_experiment(
            actor=actor, parent=home_folder(actor.user), name=operations.as_leaf(name), plain_name=name, **options
        )
    folder, _, leaf = name.rpartition("/")
    return operations.create_experiment(actor=actor, parent=_folder(actor, folder), name=leaf, **options)


def _folder(actor: Actor, path: str) -> Resource:
    """The folder at a path that the actor may see; missing ones are made, where the actor may make them."""
    from apps.access.operations import create_folder
    from apps.access.resources import root_resource

    parent, built = root_resource(), ""
    for step in [step for step in path.split("/") if step]:
        built += f"/{step}"
        found = find_resource("folder", built)
        parent = found if found is not None else create_folder(actor=actor, parent=parent, name=step)
    return parent


def get_run(actor: Actor, run_id: str, needs: Level = Level.VIEW) -> Run:
    """The run with this id (32 hex digits), live or in the trash."""
    try:
        return fetch(Run, run_uuid(run_id), actor=actor, needs=needs, trashed=None, by="uuid")
    except NotFound as error:
        error.message = f"Run with id={run_id[:300]} not found"
        raise


def get_runs(actor: Actor, experiment: Experiment, run_ids: Sequence[str]) -> list[Run]:
    """These runs of one experiment that the actor may see, in this order. Raises NotFound when one is not among its runs."""
    authorise(actor, Level.VIEW, experiment)
    wanted = [run_uuid(run_id) for run_id in run_ids]
    found = {
        run.uuid: run
        for run in Run.objects.select_related("experiment__resource").filter(experiment=experiment, uuid__in=wanted)
    }
    if missing := [key for key in wanted if key not in found]:
        raise NotFound(f"Run with id={missing[0].hex} not found")
    return [found[key] for key in wanted]


def run_uuid(run_id: str) -> uuid.UUID:
    """A run's id out of 32 hex digits. What is none belongs to no run: raises NotFound."""
    if len(run_id) != 32 or not set(run_id) <= set("0123456789abcdef"):
        raise NotFound(f"Run with id={run_id[:300]} not found")
    return uuid.UUID(hex=run_id)


def show_run(actor: Actor, run_id: str) -> ShownRun:
    """A run with everything logged to it."""
    (row,) = ingest.run_as(actor, ingest.read_run(run_uuid(run_id)))
    require_done(row.pop("code"), row.pop("detail"), thing=run_id)
    row.pop("location")
    return show(tuple(row.values()))


def show_runs(actor: Actor, search: RunSearch) -> Page[ShownRun]:
    """A page of runs with everything logged to them."""
    opened, found = search_runs(actor, search)
    return Page([show(row, opened.experiments[row[1]][0]) for row in found.rows], found.next_token or None)


def search_runs(actor: Actor, search: RunSearch) -> tuple[Opened, FoundRuns]:
    """A page of runs of the experiments that the actor may see, and those experiments."""
    return ingest.search_as(actor, lambda opened: find_runs(search, opened), list(search.experiments))


def tags_of(run: Run) -> list[tuple[str, str]]:
    """A run's tags by key."""
    return list(RunTag.objects.filter(run=run).order_by("key").values_list("key", "value"))


def count_runs(experiments: Iterable[Experiment]) -> dict[Any, tuple[int, int | None]]:
    """How many runs in use each experiment has, and the newest start, by experiment id."""
    runs = Run.objects.filter(experiment__in=[experiment.pk for experiment in experiments], deleted_at__isnull=True)
    found = runs.order_by().values_list("experiment_id").annotate(Count("id"), Max("start_time"))
    return {key: (count, start) for key, count, start in found}


def count_running(experiment: Experiment) -> int:
    """How many runs of an experiment say that they run, at most 100, among the newest thousand."""
    newest = Run.objects.filter(experiment_number=experiment.number, deleted_at__isnull=True).order_by(
        "-start_time", "uuid"
    )
    return sum(status == Run.Status.RUNNING for status in newest.values_list("status", flat=True)[:1000])


def rows_of(runs: Sequence[Run]) -> list[RunRow]:
    """Runs that the caller has, as pages show them, in the same order."""
    metrics, params, tags = (_keyed(model, runs) for model in (RunMetric, RunParam, RunTag))
    rows = []
    for run in runs:
        seconds = (run.end_time - run.start_time) / 1000 if run.end_time is not None else None
        own: list[Any] = [found.get(run.pk, {}) for found in (metrics, params, tags)]
        rows.append(RunRow(run.uuid, run.name, run.claimed_user, run.status, moment(run.start_time), seconds, *own))
    return rows


def _keyed(model: Any, runs: Sequence[Run]) -> dict[Any, dict[str, Any]]:
    found: dict[Any, dict[str, Any]] = {}
    rows = model.objects.filter(run_id__in=[run.pk for run in runs]).order_by("key")
    for run_id, key, value in rows.values_list("run_id", "key", "value"):
        found.setdefault(run_id, {})[key] = value
    return found


def inputs_of(run: Run) -> list[RunInput]:
    """The data sets that a run read, as its client told."""
    return list(run.inputs.select_related("dataset").order_by("id")[:200])
