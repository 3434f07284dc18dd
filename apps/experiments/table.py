"""Reads of the run table: a page of runs with the asked cells only, and what stands around it. Runs may be many, keys too."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection

from apps.access.actor import Actor
from apps.access.models import User
from apps.experiments import ingest
from apps.experiments.columns import Column
from apps.experiments.finder import find_runs
from apps.experiments.models import Experiment
from apps.experiments.search import Entity, RunSearch
from apps.experiments.sets import TABLES, Opened, Sql, matching
from apps.experiments.showing import moment
from apps.lineage.queries import Reading, has_read, readings_of

SAMPLED_RUNS = 40
SAMPLED_KEYS = 60
TREND_POINTS = 24
COUNT_MAX = 200_000
GROUPS_MAX = 200
KEYS_MAX = 30_000
KEYS_SECONDS, KEYS_PLACES = 20, 30
PARAM_HEAD = 250
CANDIDATES = 20
_keys: dict[tuple[Any, int, Entity], tuple[float, list[str]]] = {}
_ROWS = """
select r.id, r.uuid, r.name, r.claimed_user, r.status, r.start_time, r.end_time, r.activity, r.created_by_id
from unnest(%s::bigint[]) with ordinality wanted(id, place) join experiments_run r on r.id = wanted.id order by wanted.place"""
# Found by index probes, so the cost is the same for a run of a million points.
_TREND = """
select w.id, p.step, p.value
from unnest(%(runs)s::bigint[]) w(id)
cross join lateral (
  select min(timestamp) low, max(timestamp) high from experiments_metricpoint where run_id = w.id and key = %(key)s) e
cross join lateral (
  select min(step) first, max(step) last from experiments_metricpoint where run_id = w.id and key = %(key)s and timestamp = e.low) s
cross join lateral generate_series(0, %(points)s - 1) i
cross join lateral (
  select step, value from experiments_metricpoint where run_id = w.id and key = %(key)s
  and (timestamp, step) >= (e.low + (e.high - e.low) * i / (%(points)s - 1), case when e.high > e.low then -9223372036854775808
       else s.first + (s.last - s.first) * i / (%(points)s - 1) end)
  order by timestamp, step limit 1) p
where e.low is not null"""


@dataclass
class TableRow:
    """One run of the table; `values` holds the cells of the asked columns by column id."""

    id: int
    uuid: uuid.UUID
    name: str
    user: str
    status: str
    started_at: datetime
    seconds: float | None
    activity: str
    person: Any = None
    values: dict[str, Any] = field(default_factory=dict)
    uses: list[Any] = field(default_factory=list)
    cells: list[Any] = field(default_factory=list)

    @property
    def hex(self) -> str:
        """The id that clients know."""
        return self.uuid.hex

    @property
    def running(self) -> bool:
        """Whether its client has not said that it ended."""
        return self.status in ("RUNNING", "SCHEDULED")


@dataclass(frozen=True)
class Group:
    """Runs that share a value: how many, and (n, mean, sd, low, high) of each asked metric. `value` is None for those without one."""

    value: str | None
    count: int
    figures: list[tuple[int, float | None, float | None, float | None, float | None]]


def open_search(actor: Actor, search: RunSearch) -> Opened:
    """The experiments of a search as the actor sees them; opens the settings that its statements run well under."""
    rows = ingest.run_as(actor, ingest.open_experiments(list(search.experiments)))
    found = Opened(str(actor.workspace.pk), {row["number"]: (row["trashed"], row["location"]) for row in rows})
    return found.of_stage(search.stage)


def find_page(actor: Actor, search: RunSearch, columns: Sequence[Column]) -> tuple[list[TableRow], str]:
    """A page of runs with the cells of these columns, and the token of the next one."""
    _, found = ingest.search_as(actor, lambda opened: find_runs(search, opened, _ROWS), list(search.experiments))
    rows = [_row(item) for item in found.rows]
    fill(actor, rows, columns)
    return rows, found.next_token


def read_rows(actor: Actor, experiment: Experiment, runs: Sequence[uuid.UUID]) -> list[TableRow]:
    """These runs of one experiment, without cells, in the order of `runs`."""
    found = {
        row.uuid: row
        for row in map(
            _row,
            read(
                "select id, uuid, name, claimed_user, status, start_time, end_time, activity, created_by_id from experiments_run"
                " where experiment_number = %s and uuid = any(%s::uuid[])",
                experiment.number,
                list(runs),
            ),
        )
    }
    return [found[key] for key in dict.fromkeys(runs) if key in found]


def _row(item: tuple[Any, ...]) -> TableRow:
    id, key, name, user, status, start, end, activity, person = item
    seconds = None if end is None else max(0, end - start) / 1000
    return TableRow(id, key, name, user, status, moment(start), seconds, activity, person)


def fill(actor: Actor, rows: Sequence[TableRow], columns: Sequence[Column]) -> None:
    """Read the cells of these columns into the rows."""
    by_id = {row.id: row for row in rows}
    for entity, table in TABLES.items():
        prefix = {"metric": "metrics", "param": "params", "tag": "tags"}[entity]
        keys = {column.key: column.id for column in columns if column.group == prefix and not column.trend}
        if entity is Entity.TAG:
            keys |= {column.key: column.id for column in columns if column.group == "run" and column.key}
        if not keys or not rows:
            continue
        value = "value" if entity is Entity.METRIC else f"left(value, {PARAM_HEAD})"
        for run, key, cell in read(
            f"select run_id, key, {value} from {table} where run_id = any(%s) and key = any(%s)",
            list(by_id),
            list(keys),
        ):
            by_id[run].values[keys[key]] = cell
    for column in columns:
        if column.trend:
            for run, points in trends(list(by_id), column.key).items():
                by_id[run].values[column.id] = points
    if any(column.id == "data" for column in columns):
        for row, readings in zip(rows, data_of(actor, rows), strict=True):
            row.values["data"] = readings
    if any(column.id == "user" for column in columns):
        people = User.objects.in_bulk({row.person for row in rows if row.person})
        for row in rows:
            row.person = people.get(row.person)


def trends(runs: Sequence[int], key: str) -> dict[int, list[float]]:
    """A few values of a metric of each run, evenly over its time, for a spark."""
    found: dict[int, dict[int, float]] = {}
    for run, step, value in read(_TREND, runs=list(runs), key=key, points=TREND_POINTS):
        found.setdefault(run, {})[step] = value
    return {run: [points[step] for step in sorted(points)] for run, points in found.items() if len(points) > 1}


def data_of(actor: Actor, rows: Sequence[Any]) -> list[list[Reading]]:
    """What each run and the job run that made it read, newest names first once; tables at a version."""
    places = [[("run", row.hex), *([tuple(row.activity.split(":", 1))] if ":" in row.activity else [])] for row in rows]
    found = readings_of(actor, [place for each in places for place in each])
    return [
        list({(r.kind, r.key, r.version): r for place in each for r in found.get(place, [])}.values())
        for each in places
    ]


def sample(experiment: Experiment) -> tuple[list[dict[str, float]], list[dict[str, str]], set[str]]:
    """Metrics and parameters of the newest runs, a bounded look; and what else they have: commit, data, `trend.<metric>` of curves."""
    newest = (
        "select id from experiments_run where experiment_number = %s and deleted_at is null"
        f" order by start_time desc, uuid limit {SAMPLED_RUNS}"
    )
    told: list[list[dict[str, Any]]] = []
    for table, value in (("runmetric", "value"), ("runparam", "left(value, 60)")):
        rows = read(
            f"select w.id, k.key, k.value from ({newest}) w cross join lateral (select key, {value} as value"
            f" from experiments_{table} where run_id = w.id order by key limit {SAMPLED_KEYS}) k",
            experiment.number,
        )
        by_run: dict[int, dict[str, Any]] = {}
        for run, key, cell in rows:
            by_run.setdefault(run, {})[key] = cell
        told.append(list(by_run.values()))
    tagged = read(
        f"select 1 from experiments_runtag where run_id in ({newest}) and key = 'mlflow.source.git.commit' limit 1",
        experiment.number,
    )
    made = read(f"select 1 from experiments_run where id in ({newest}) and activity <> '' limit 1", experiment.number)
    known = {name for name, there in (("commit", tagged), ("data", made or _reads(experiment))) if there}
    curved = read(
        f"select distinct key from (select key, step from ({newest}) w cross join lateral (select key, step from experiments_runmetric"
        f" where run_id = w.id order by key limit {SAMPLED_KEYS}) k) m where step > 0",
        experiment.number,
    )
    return told[0], told[1], known | {f"trend.{key}" for (key,) in curved}


def _reads(experiment: Experiment) -> bool:
    """Whether one of the newest runs read something by itself."""
    newest = read(
        "select replace(uuid::text, '-', '') from experiments_run where experiment_number = %s and deleted_at is null"
        " order by start_time desc, uuid limit %s",
        experiment.number,
        SAMPLED_RUNS,
    )
    return bool(newest) and has_read([("run", key) for (key,) in newest])


def list_keys(experiment: Experiment, entity: Entity, *, after: str = "", limit: int = KEYS_MAX) -> list[str]:
    """The keys that runs of an experiment have, in order: one index probe each, however many runs there are. All of them are
    remembered for a while, so that typing in a search box does not walk twenty thousand keys with every letter."""
    table, place = TABLES[entity], (experiment.workspace_id, experiment.number, entity)
    every = not after and limit >= KEYS_MAX
    if every and place in _keys and time.monotonic() - _keys[place][0] < KEYS_SECONDS:
        return _keys[place][1]
    rows = read(
        "with recursive k(key) as ("
        f"(select key from {table} where experiment_number = %s and key > %s order by key limit 1)"
        f" union all select (select t.key from {table} t where t.experiment_number = %s and t.key > k.key order by t.key limit 1)"
        " from k where k.key is not null) select key from k where key is not null limit %s",
        experiment.number, after, experiment.number, limit,
    )  # fmt: skip
    keys = [key for (key,) in rows]
    if every:
        if len(_keys) >= KEYS_PLACES:
            _keys.clear()
        _keys[place] = (time.monotonic(), keys)
    return keys


def list_values(experiment: Experiment, entity: Entity, key: str, *, start: str = "", limit: int = 12) -> list[str]:
    """Values of a parameter or tag that begin with `start`, by one index probe each."""
    table = TABLES[entity]
    rows = read(
        "with recursive k(head) as ("
        f"(select head from {table} where experiment_number = %s and key = %s and head >= %s order by head limit 1)"
        f" union all select (select t.head from {table} t where t.experiment_number = %s and t.key = %s and t.head > k.head"
        " order by t.head limit 1) from k where k.head is not null) select head from k where head is not null limit %s",
        experiment.number, key, start, experiment.number, key, limit,
    )  # fmt: skip
    return [head for (head,) in rows if head.startswith(start)]


def constant_params(experiment: Experiment, keys: Iterable[str]) -> set[str]:
    """Which of these parameters have one value in all runs that have them."""
    probe = "(select head from experiments_runparam where experiment_number = %(number)s and key = w.key order by head {} limit 1)"
    rows = read(
        f"select w.key from unnest(%(keys)s::text[]) w(key) where {probe.format('asc')} = {probe.format('desc')}",
        number=experiment.number,
        keys=list(keys),
    )
    return {key for (key,) in rows}


def best_of(experiment: Experiment, ways: dict[str, int]) -> dict[str, tuple[float, uuid.UUID, str]]:
    """The best run in use of each metric with a known direction: value, run, name."""
    found = {}
    for key, way in ways.items():
        if not way:
            continue
        order = "asc" if way < 0 else "desc"
        rows = read(
            "select m.value, r.uuid, r.name from (select value, run_id from experiments_runmetric where experiment_number = %s and key = %s"
            f" and value < 'Infinity' and value > '-Infinity' order by value {order} limit {CANDIDATES}) m join experiments_run r"
            f" on r.id = m.run_id where r.deleted_at is null order by m.value {order} limit 1",
            experiment.number,
            key,
        )
        if rows:
            found[key] = rows[0]
    return found


def count(opened: Opened, search: RunSearch) -> int:
    """How many runs fulfil a search."""
    if not opened:
        return 0
    if not search.where and search.stage.value == "active":
        ((every, gone),) = read(
            f"select (select count(*) from experiments_run where {opened.clause()}),"
            f" (select count(*) from experiments_run where {opened.clause()} and deleted_at is not null)"
        )
        return int(every - gone)
    statement = Sql("select count(*) from (").then(matching(search, opened)).add(") found")
    ((found,),) = read(statement.text, *statement.params)
    return int(found)


def newer(experiment: Experiment, than: int) -> int:
    """How many runs were made after this one (by number), at most 1,000."""
    ((found,),) = read(
        "select count(*) from (select 1 from experiments_run where experiment_number = %s and id > %s and deleted_at is null limit 1000) n",
        experiment.number,
        than,
    )
    return int(found)


def newest_id(experiment: Experiment) -> int:
    """The number of the newest run, 0 for none."""
    ((found,),) = read("select coalesce(max(id), 0) from experiments_run where experiment_id = %s", experiment.pk)
    return int(found)


def find_groups(opened: Opened, search: RunSearch, by: Column, metrics: Sequence[Column]) -> tuple[list[Group], bool]:
    """The runs of a search by the value of a parameter or tag, the largest first, and whether there were more groups."""
    if not opened:
        return [], False
    table = TABLES[Entity.PARAM if by.group == "params" else Entity.TAG]
    figures = "".join(
        f", count(m{i}.value), avg(m{i}.value), stddev_samp(m{i}.value), min(m{i}.value), max(m{i}.value)"
        for i, _ in enumerate(metrics)
    )
    statement = (
        Sql("with hits as materialized (").then(matching(search, opened)).add(f") select g.head, count(*){figures}")
    )
    statement.add(
        f" from hits h left join (select run_id, head from {table} where {opened.clause()} and key = %s) g on g.run_id = h.run_id",
        by.key,
    )
    for i, column in enumerate(metrics):
        statement.add(
            f" left join (select run_id, value from experiments_runmetric where {opened.clause()} and key = %s"
            f" and value < 'Infinity' and value > '-Infinity') m{i} on m{i}.run_id = h.run_id",
            column.key,
        )
    statement.add(f" group by g.head order by count(*) desc, g.head limit {GROUPS_MAX + 1}")
    rows = read(statement.text, *statement.params)
    groups = [
        Group(row[0], row[1], [tuple(row[2 + 5 * i : 7 + 5 * i]) for i in range(len(metrics))])
        for row in rows[:GROUPS_MAX]
    ]
    return groups, len(rows) > GROUPS_MAX


def finite(values: Iterable[Any]) -> list[float]:
    """The numbers among these that can be drawn."""
    return [float(value) for value in values if value is not None and math.isfinite(value)]


def read(statement: str, *params: Any, **named: Any) -> list[tuple[Any, ...]]:
    """The rows of a statement, in the scope and transaction that are open."""
    with connection.cursor() as cursor:
        cursor.execute(statement, named or list(params))
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
