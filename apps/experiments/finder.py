"""Answers a run search: which runs, in which order, after which page. Plans are written here, connections are the caller's.

`find_runs` is a generator: it yields a statement with its parameters and is sent the rows, so that the asynchronous ingest path and
Django's own connection share every plan. Two plans serve the common orders, a third one serves all:

- walk: follow the order's index and probe the filters, when most runs match or nothing is filtered;
- sets: each filter is an index range of run numbers; intersect them, then follow the order's index for the best ones;
- sort: join every key of the order to the matching runs and sort.

Order keys that are missing come last in both directions, NaN just before them; ties go to the newest start, then the smallest run id.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from django.core import signing

from apps.experiments.search import Entity, Order, RunSearch, Stage
from apps.experiments.sets import ATTRIBUTES, TABLES, Opened, Sql, matching, probe
from apps.experiments.text_orders import by_text
from apps.foundation.errors import Invalid

SALT = "boathouse.runs"
SAMPLE = 200
SMALL = 3_000
# Measured on the reference machine: a probe by run and key, and a row of an index range.
PROBE_MICROSECONDS, RANGE_MICROSECONDS = 6.0, 0.25
COUNTED_SECONDS = 30
Plan = Generator[Sql, list[tuple[Any, ...]], Any]
_counts: dict[tuple[str, int], tuple[float, int]] = {}

_FETCH = """
select r.uuid, r.experiment_number, r.name, r.claimed_user, r.status, r.start_time, r.end_time,
       r.deleted_at is not null, coalesce(s.metrics, experiments_metrics_text(r.id)), s.params, s.tags, s.inputs, s.outputs
from unnest(%s::bigint[]) with ordinality wanted(id, place)
join experiments_run r on r.id = wanted.id join experiments_runsummary s on s.run_id = r.id order by wanted.place"""


@dataclass(frozen=True)
class FoundRuns:
    """Rows of runs as `wire` shows them, and the token of the next page."""

    rows: list[tuple[Any, ...]]
    next_token: str


@dataclass(frozen=True)
class _Place:
    """Where a page ended: the segment of the order and the values of its last run."""

    segment: int
    values: list[Any]


def find_runs(search: RunSearch, opened: Opened, fetch: str = _FETCH) -> Plan:
    """A page of runs out of the experiments that the caller may see, with what `fetch` reads of them. Returns FoundRuns."""
    place = _place(search)
    within = opened.of_stage(search.stage)
    if not within:
        return FoundRuns([], "")
    key = _single_key(search.order)
    if key is not None and (key.entity is Entity.METRIC or key.key == "start_time" and not key.ascending):
        keys = yield from _by_segments(search, within, key, place)
    else:
        keys = yield from _by_text(search, within, key, place)
        if keys is None:
            keys = yield from _sorted(search, within, place)
    page = keys[: search.size]
    token = _token(search, page[-1][1]) if len(keys) > search.size else ""
    rows = yield Sql(fetch, [[run for run, _ in page]])
    return FoundRuns(rows, token)


_DEFAULT = Order(Entity.ATTRIBUTE, "start_time", ascending=False)


def _single_key(order: tuple[Order, ...]) -> Order | None:
    if not order:
        return _DEFAULT
    if len(order) == 1 or (len(order) == 2 and order[1] == _DEFAULT):
        return order[0]
    return None


def _by_segments(search: RunSearch, within: Opened, key: Order, place: _Place | None) -> Plan:
    """Runs by one metric, or by start: first those with a number, then NaN, then those without the metric."""
    found: list[tuple[int, _Place]] = []
    metric = key.entity is Entity.METRIC
    segments = (0, 1, 2) if metric else (2,)
    plan = yield from _choose(search, within, key)
    for segment in segments:
        if place and segment < place.segment or len(found) > search.size:
            continue
        after = place.values if place and place.segment == segment else None
        wanted = search.size + 1 - len(found)
        if segment == 0:
            statement = _metric_page(search, within, key, after, wanted, walk=plan == "walk")
        else:
            statement = _start_page(
                search, within, key if metric else None, segment, after, wanted, walk=plan == "walk"
            )
        rows = yield statement
        found += [(row[0], _Place(segment, [_plain(value) for value in row[1:]])) for row in rows]
    return found


def _choose(search: RunSearch, within: Opened, key: Order) -> Plan:
    """`walk` when it is expected to be cheaper than `sets`, from a sample of the order's first runs."""
    if len(within.numbers) != 1 or search.stage is not Stage.ACTIVE:
        return "sets"
    if not search.where:
        return "walk"
    runs = yield from _count(within)
    if runs < SMALL:
        return "sets"
    sample = Sql()
    if key.entity is Entity.METRIC:
        sample.add(
            "select m.run_id from experiments_runmetric m where m.experiment_number = %s and m.key = %s and m.value <= 'Infinity'"
            f" order by m.value {_direction(key)} limit {SAMPLE} offset 0",
            within.numbers[0],
            key.key,
        )
    else:
        sample.add(
            "select r.id as run_id from experiments_run r where r.experiment_number = %s"
            f" order by r.start_time desc, r.uuid limit {SAMPLE} offset 0",
            within.numbers[0],
        )
    statement = (
        Sql("select count(*) from (").then(sample).add(") c join experiments_run r on r.id = c.run_id where true")
    )
    for comparison in search.where:
        statement.add(" and ").then(probe(comparison, within))
    ((matches,),) = yield statement
    walked = (search.size + 1) * SAMPLE / max(matches, 0.5)
    walking = min(walked, runs) * PROBE_MICROSECONDS * len(search.where)
    return "walk" if walking < runs * RANGE_MICROSECONDS * (len(search.where) + 1) else "sets"


def _count(within: Opened) -> Plan:
    """How many runs the experiment has, as of half a minute ago at most: a hint for choosing, never an answer."""
    key = (within.workspace, within.numbers[0])
    counted_at, runs = _counts.get(key, (-math.inf, 0))
    if time.monotonic() - counted_at > COUNTED_SECONDS:
        ((runs,),) = yield Sql("select count(*) from experiments_run where experiment_number = %s", [within.numbers[0]])
        if len(_counts) > 10_000:
            _counts.clear()
        _counts[key] = (time.monotonic(), runs)
    return runs


def _metric_page(
    search: RunSearch, within: Opened, key: Order, after: list[Any] | None, wanted: int, *, walk: bool
) -> Sql:
    """(run, value, start, uuid) of runs whose metric is a number, in order."""
    direction, beyond = _direction(key), ">" if key.ascending else "<"
    rows = Sql(
        f"select run_id, value from experiments_runmetric where {within.clause()} and key = %s and value <= 'Infinity'",
        [key.key],
    )
    final = f" order by m.value {direction}, r.start_time desc, r.uuid limit {wanted}"
    passed = (
        Sql(" and not (m.value = %s and (r.start_time > %s or r.start_time = %s and r.uuid <= %s))", _repeat(after))
        if after
        else Sql()
    )
    if walk:
        statement = (
            Sql("select m.run_id, m.value, r.start_time, r.uuid from (")
            .then(rows)
            .add(") m join experiments_run r on r.id = m.run_id where r.deleted_at is null")
        )
        if after:
            statement.add(f" and m.value {beyond}= %s", after[0]).then(passed)
        for comparison in search.where:
            statement.add(" and ").then(probe(comparison, within))
        return statement.add(final)
    best = f"select m.run_id, m.value from matched m where true{{after}} order by m.value {direction} fetch first {wanted} rows with ties"
    statement = (
        Sql("with hits as materialized (")
        .then(matching(search, within))
        .add("), matched as materialized (select m.* from (")
    )
    statement.then(rows).add(" offset 0) m where m.run_id in (select run_id from hits)), top as materialized (")
    if after:
        # The last page's ties are read again in full, so that none of them is passed over.
        statement.add("(select m.run_id, m.value from matched m where m.value = %s) union all (", after[0])
        statement.add(best.format(after=f" and m.value {beyond} %s") + ")", after[0])
    else:
        statement.add(best.format(after=""))
    statement.add(
        ") select m.run_id, m.value, r.start_time, r.uuid from top m join experiments_run r on r.id = m.run_id where true"
    )
    return statement.then(passed).add(final)


def _start_page(
    search: RunSearch,
    within: Opened,
    key: Order | None,
    segment: int,
    after: list[Any] | None,
    wanted: int,
    *,
    walk: bool,
) -> Sql:
    """(run, start, uuid) of the newest runs: of all, of those whose metric is NaN (segment 1), or of those without it (2)."""
    later = (
        Sql(" and (r.start_time < %s or r.start_time = %s and r.uuid > %s)", [after[0], after[0], after[1]])
        if after
        else Sql()
    )
    rows = Sql(f"select id as run_id, start_time, uuid, deleted_at from experiments_run where {within.clause()}")
    if after:
        rows.add(" and start_time <= %s", after[0])
    final = f" order by r.start_time desc, r.uuid limit {wanted}"
    keyed = Sql()
    if key is not None:
        nan = " and m.value = 'NaN'" if segment == 1 else ""
        keyed.add(
            f" and {'' if segment == 1 else 'not '}exists (select 1 from experiments_runmetric m where m.run_id = r.run_id and m.key = %s{nan})",
            key.key,
        )
    if walk and key is None:
        statement = Sql("select r.id, r.start_time, r.uuid from experiments_run r where r.deleted_at is null")
        statement.add(f" and r.{within.clause()}")
        if after:
            statement.add(" and r.start_time <= %s", after[0])
        statement.then(later)
        for comparison in search.where:
            statement.add(" and ").then(probe(comparison, within))
        return statement.add(final)
    statement = (
        Sql("with hits as materialized (")
        .then(matching(search, within))
        .add(") select r.run_id, r.start_time, r.uuid from (")
    )
    statement.then(rows).add(" offset 0) r where r.run_id in (select run_id from hits)").then(later).then(keyed)
    return statement.add(final)


def _by_text(search: RunSearch, within: Opened, key: Order | None, place: _Place | None) -> Plan:
    """Runs by one text, where that has a shortcut; its places are those of the sort."""
    if key is None or key.entity is Entity.DATASET:
        return None
    rows = yield from by_text(search, within, key, place.values if place else None)
    return rows and [(run, _Place(9, values)) for run, values in rows]


def _sorted(search: RunSearch, within: Opened, place: _Place | None) -> Plan:
    """Runs by any order: every key joined to the matching runs, missing ones last."""
    columns: list[tuple[str, bool]] = []
    joins = Sql()
    for index, order in enumerate(search.order):
        name = f"o{index}"
        if order.entity is Entity.ATTRIBUTE:
            text, value = ATTRIBUTES[order.key].text, ATTRIBUTES[order.key].column
        else:
            text, value = order.entity is not Entity.METRIC, f"{name}.value"
            joins.add(
                f" left join (select run_id, value from {TABLES[order.entity]} where {within.clause()} and key = %s offset 0) {name}",
                order.key,
            )
            joins.add(f" on {name}.run_id = r.id")
        empty = "''" if text else "0"
        nan = f" when {value} = 'NaN' then 1" if order.entity is Entity.METRIC else ""
        columns.append((f"(case when {value} is null then 2{nan} else 0 end)", True))
        kept = f"nullif({value}, 'NaN')" if order.entity is Entity.METRIC else value
        columns.append((f"coalesce({kept}, {empty})" + (' collate "C"' if text else ""), order.ascending))
    columns += [("r.start_time", False), ("r.uuid", True)]
    statement = Sql("with hits as materialized (").then(matching(search, within)).add(") select r.id, ")
    statement.add(", ".join(column for column, _ in columns))
    statement.add(
        f" from (select * from experiments_run where {within.clause()} offset 0) r join hits h on h.run_id = r.id"
    )
    statement.then(joins).add(" where true")
    if place:
        statement.add(" and (").then(_later(columns, place.values)).add(")")
    statement.add(
        " order by " + ", ".join(f"{column} {'asc' if ascending else 'desc'}" for column, ascending in columns)
    )
    rows = yield statement.add(f" limit {search.size + 1}")
    return [(row[0], _Place(9, [_plain(value) for value in row[1:]])) for row in rows]


def _later(columns: list[tuple[str, bool]], values: list[Any]) -> Sql:
    """After these values: (a > x) or (a = x and ((b > y) or ...))."""
    (column, ascending), value = columns[0], values[0]
    found = Sql(f"{column} {'>' if ascending else '<'} %s", [value])
    if len(columns) > 1:
        found.add(f" or ({column} = %s and (", value).then(_later(columns[1:], values[1:])).add("))")
    return found


def _direction(order: Order) -> str:
    return "asc" if order.ascending else "desc"


def _repeat(after: list[Any]) -> list[Any]:
    value, start, uuid = after
    return [value, start, start, uuid]


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | float | str) else str(value)


def _fingerprint(search: RunSearch) -> str:
    asked = repr((search.experiments, search.where, search.order, search.stage))
    return hashlib.sha256(asked.encode()).hexdigest()[:16]


def _token(search: RunSearch, place: _Place) -> str:
    return signing.dumps([_fingerprint(search), place.segment, place.values], salt=SALT)


def _place(search: RunSearch) -> _Place | None:
    if not search.token:
        return None
    try:
        fingerprint, segment, values = signing.loads(search.token, salt=SALT)
    except (signing.BadSignature, ValueError):
        raise Invalid("Invalid page token: it is not one of this server's; start again without it.") from None
    if fingerprint != _fingerprint(search):
        raise Invalid(
            "Invalid page token: the experiments, filter or order changed since it was made; start again without it."
        )
    return _Place(segment, values)
