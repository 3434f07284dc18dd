"""Curves of metrics, thinned where they are read: the least and the greatest value of every stretch stay, so no spike vanishes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from apps.experiments.models import Run
from apps.experiments.table import read

POINTS = 600
RUNS_MAX = 60
_ROLE = re.compile(r"^(train|training|val|valid|validation|test|eval|evaluation)[_/.]")
_BOUNDED = (
    " from experiments_metricpoint where run_id = %(run)s and key = %(key)s"
    " and (%(low)s::bigint is null or step >= %(low)s) and (%(high)s::bigint is null or step <= %(high)s)"
)
_FINITE = " and value < 'Infinity' and value > '-Infinity'"


@dataclass(frozen=True)
class Curve:
    """One metric of one run: (step, milliseconds since the run began, value). `total` counts all points, `odd` those that are no numbers."""

    key: str
    points: list[tuple[int, int, float]]
    total: int
    odd: int

    @property
    def thinned(self) -> bool:
        """Whether there are more points than these."""
        return self.total - self.odd > len(self.points)

    def shape(self) -> dict[str, Any]:
        """It as JSON."""
        return {"key": self.key, "points": self.points, "total": self.total, "odd": self.odd, "thinned": self.thinned}


def curve(run: Run, key: str, *, low: int | None = None, high: int | None = None, size: int = POINTS) -> Curve:
    """A metric of a run between two steps, in at most about `size` points."""
    bounds = {"run": run.pk, "key": key, "low": low, "high": high}
    ((total, finite, first, last),) = read(
        f"select count(*), count(*) filter (where true{_FINITE}), min(step), max(step){_BOUNDED}", **bounds
    )
    if not finite:
        return Curve(key, [], total, total)
    if finite <= size or first == last:
        rows = read(
            f"select step, timestamp, value{_BOUNDED}{_FINITE} order by step, timestamp, value limit %(size)s",
            **bounds, size=max(size, 1),
        )  # fmt: skip
        return Curve(key, [(step, at - run.start_time, value) for step, at, value in rows], total, total - finite)
    pairs = read(
        "select min(array[value, step, timestamp]), max(array[value, step, timestamp]) from"
        f" (select value, step::float8, timestamp::float8, width_bucket(step::float8, %(first)s, %(last)s, %(stretches)s) b{_BOUNDED}{_FINITE}) p"
        " group by b",
        **bounds, first=float(first), last=float(last) + 1, stretches=max(1, size // 2),
    )  # fmt: skip
    points = {(int(step), int(at) - run.start_time, value) for pair in pairs for value, step, at in pair}
    return Curve(key, sorted(points), total, total - finite)


def curved_keys(run: Run, keys: Iterable[str]) -> list[str]:
    """Which of these metrics have more than one point."""
    rows = read(
        "select w.key from unnest(%s::text[]) w(key) where (select count(*) from (select 1 from experiments_metricpoint"
        " where run_id = %s and key = w.key limit 2) p) > 1",
        list(keys),
        run.pk,
    )
    found = {key for (key,) in rows}
    return [key for key in keys if key in found]


def families(keys: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Metrics that belong in one drawing: `train_rmse` and `val_rmse` are both rmse. In the order of their first one."""
    found: dict[str, list[str]] = {}
    for key in keys:
        found.setdefault(_ROLE.sub("", key), []).append(key)
    return list(found.items())


def role(key: str) -> str:
    """`val` of `val_rmse`; the whole name where it has no such part."""
    match = _ROLE.match(key)
    return match[1] if match else key
