"""What the list of experiments says about each: runs, the last one, how its goal went lately."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.policy import visible
from apps.experiments import queries, table
from apps.experiments.columns import Goal, goal_of
from apps.experiments.models import Experiment

RECENT = 30


@dataclass(frozen=True)
class Entry:
    """One experiment of the list; `recent` are its goal's values of the last runs, oldest first, `best` the best of all."""

    experiment: Experiment
    runs: int
    last_start: int | None
    goal: Goal | None
    recent: list[float]
    best: float | None
    manages: bool


def describe(actor: Actor, experiments: Sequence[Experiment]) -> list[Entry]:
    """A line about each of these experiments."""
    counts = queries.count_runs(experiments)
    usual = _usual([one for one in experiments if one.pk in counts and not goal_of(one)])
    goals = {one.pk: goal_of(one, [usual.get(one.pk, {})]) for one in experiments if one.pk in counts}
    recent, best = _recent(experiments, goals), _best(experiments, goals)
    keys = [one.pk for one in experiments]
    managed = {
        key
        for trashed in (False, True)
        for key in visible(Experiment, actor, Level.MANAGE, trashed=trashed)
        .filter(pk__in=keys)
        .values_list("pk", flat=True)
    }
    return [
        Entry(
            one,
            *counts.get(one.pk, (0, None)),
            goals.get(one.pk),
            recent.get(one.pk, []),
            best.get(one.pk),
            one.pk in managed,
        )
        for one in experiments
    ]


def _usual(experiments: Sequence[Experiment]) -> dict[Any, dict[str, float]]:
    """Metrics of each one's newest run, to guess its goal from."""
    rows = table.read(
        "select w.id, m.key, m.value from unnest(%s::bigint[], %s::uuid[]) w(number, id) cross join lateral (select id from experiments_run"
        " where experiment_number = w.number and deleted_at is null order by start_time desc, uuid limit 1) r cross join lateral"
        " (select key, value from experiments_runmetric where run_id = r.id order by key limit 60) m",
        [one.number for one in experiments],
        [one.pk for one in experiments],
    )
    found: dict[Any, dict[str, float]] = {}
    for id, key, value in rows:
        found.setdefault(id, {})[key] = value
    return found


def _best(experiments: Sequence[Experiment], goals: dict[Any, Goal | None]) -> dict[Any, float]:
    found: dict[Any, float] = {}
    for way, order in ((-1, "asc"), (1, "desc")):
        wanted = [
            (one.number, goal.key, one.pk) for one in experiments if (goal := goals.get(one.pk)) and goal.way == way
        ]
        if not wanted:
            continue
        rows = table.read(
            "select w.id, m.value from unnest(%s::bigint[], %s::text[], %s::uuid[]) w(number, key, id) cross join lateral"
            " (select m.value, m.run_id from experiments_runmetric m where m.experiment_number = w.number and m.key = w.key"
            f" and m.value < 'Infinity' and m.value > '-Infinity' order by m.value {order} limit 1) m"
            " join experiments_run r on r.id = m.run_id where r.deleted_at is null",
            *(list(column) for column in zip(*wanted, strict=True)),
        )
        found |= dict(rows)
    return found


def _recent(experiments: Sequence[Experiment], goals: dict[Any, Goal | None]) -> dict[Any, list[float]]:
    wanted = [(one.number, goal.key, one.pk) for one in experiments if (goal := goals.get(one.pk))]
    rows = table.read(
        "select w.id, m.value from unnest(%s::bigint[], %s::text[], %s::uuid[]) w(number, key, id) cross join lateral"
        " (select id, start_time, uuid from experiments_run where experiment_number = w.number and deleted_at is null"
        f" order by start_time desc, uuid limit {RECENT}) r join experiments_runmetric m on m.run_id = r.id and m.key = w.key"
        " order by r.start_time, r.uuid",
        [number for number, _, _ in wanted],
        [key for _, key, _ in wanted],
        [id for _, _, id in wanted],
    )
    found: dict[Any, list[float]] = {}
    for id, value in rows:
        found.setdefault(id, []).append(value)
    return found
