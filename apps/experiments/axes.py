"""Runs as columns of values for parallel coordinates and scatter: which parameters vary, which matter most for the goal."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apps.experiments.columns import Goal
from apps.experiments.table import TableRow, read

PARAMS_MAX, METRICS_MAX = 60, 40
TEXT_MAX = 80
CATEGORIES_MAX = 60
SHOWN_PARAMS, SHOWN_METRICS = 6, 2
READABLE = 24


@dataclass(frozen=True)
class Axis:
    """One key over all runs. Texts are places in `categories`; what is missing is None. `weight` says how much the goal moves with it."""

    key: str
    kind: str
    values: list[float | None]
    categories: list[str]
    varies: bool
    weight: float = 0.0

    def shape(self) -> dict[str, Any]:
        """It as JSON."""
        return {
            "key": self.key, "kind": self.kind, "values": self.values, "categories": self.categories, "varies": self.varies,
            "weight": round(self.weight, 3),
        }  # fmt: skip


def axes_of(rows: Sequence[TableRow], goal: Goal | None) -> list[Axis]:
    """The parameters and metrics that most of these runs have, parameters by weight, then metrics, the goal first."""
    ids = [row.id for row in rows]
    metrics = [
        _axis("metric", key, ids, values) for key, values in _values("runmetric", "value", ids, METRICS_MAX).items()
    ]
    target = next((axis.values for axis in metrics if goal and axis.key == goal.key), None)
    params = [
        _axis("param", key, ids, values, target)
        for key, values in _values("runparam", f"left(value, {TEXT_MAX})", ids, PARAMS_MAX).items()
    ]
    params.sort(key=lambda axis: (not axis.varies, -axis.weight, axis.key))
    metrics.sort(key=lambda axis: (not goal or axis.key != goal.key, axis.key.startswith("system/"), axis.key))
    return params + metrics


def chosen(axes: Sequence[Axis]) -> list[str]:
    """The axes to draw when nobody chose: parameters that vary, and the first metrics, the goal last."""
    readable = [
        axis
        for axis in axes
        if max(map(len, axis.categories), default=0) <= READABLE and len(axis.categories) <= READABLE
    ]
    readable = [axis for axis in readable if 2 * sum(value is not None for value in axis.values) >= len(axis.values)]
    params = [axis.key for axis in readable if axis.kind == "param" and axis.varies][:SHOWN_PARAMS]
    metrics = [axis.key for axis in axes if axis.kind == "metric" and axis.varies][:SHOWN_METRICS]
    return [f"params.{key}" for key in params] + [f"metrics.{key}" for key in reversed(metrics)]


def _values(table: str, value: str, ids: list[int], most: int) -> dict[str, dict[int, Any]]:
    common = read(
        f"select key from experiments_{table} where run_id = any(%s) group by key order by count(*) desc, key limit %s",
        ids,
        most,
    )
    found: dict[str, dict[int, Any]] = {key: {} for (key,) in common}
    cells = read(
        f"select run_id, key, {value} from experiments_{table} where run_id = any(%s) and key = any(%s)",
        ids,
        list(found),
    )
    for run, key, cell in cells:
        found[key][run] = cell
    return found


def _axis(kind: str, key: str, ids: list[int], cells: dict[int, Any], target: list[float | None] | None = None) -> Axis:
    raw = [cells.get(id) for id in ids]
    numbers = [_number(cell) for cell in raw]
    if all((cell is None) == (number is None) or kind == "metric" for cell, number in zip(raw, numbers, strict=True)):
        values, categories = numbers, []
    else:
        categories = sorted({str(cell) for cell in raw if cell is not None})[:CATEGORIES_MAX]
        places = {text: float(place) for place, text in enumerate(categories)}
        values = [None if cell is None else places.get(str(cell)) for cell in raw]
    varies = len({value for value in values if value is not None}) > 1
    weight = _weight(values, categories, target) if varies and target else 0.0
    return Axis(key, kind, values, categories, varies, weight)


def _number(cell: Any) -> float | None:
    if cell is None:
        return None
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _weight(values: Sequence[float | None], categories: Sequence[str], target: Sequence[float | None]) -> float:
    """How much of the goal's spread goes with this one: by groups for texts, by rank correlation for numbers. 0 to 1."""
    pairs = [(x, y) for x, y in zip(values, target, strict=True) if x is not None and y is not None]
    if len(pairs) < 4:
        return 0.0
    if categories:
        mean = sum(y for _, y in pairs) / len(pairs)
        spread = sum((y - mean) ** 2 for _, y in pairs)
        groups: dict[float, list[float]] = defaultdict(list)
        for x, y in pairs:
            groups[x].append(y)
        between = sum(len(group) * (sum(group) / len(group) - mean) ** 2 for group in groups.values())
        return between / spread if spread and len(groups) < len(pairs) else 0.0
    xs, ys = _ranks([x for x, _ in pairs]), _ranks([y for _, y in pairs])
    middle = (len(pairs) - 1) / 2
    over = sum((x - middle) * (y - middle) for x, y in zip(xs, ys, strict=True))
    under = math.sqrt(sum((x - middle) ** 2 for x in xs) * sum((y - middle) ** 2 for y in ys))
    return (over / under) ** 2 if under else 0.0


def _ranks(values: Sequence[float]) -> list[float]:
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    place = 0
    while place < len(order):
        end = place
        while end + 1 < len(order) and values[order[end + 1]] == values[order[place]]:
            end += 1
        for tied in order[place : end + 1]:
            ranks[tied] = (place + end) / 2
        place = end + 1
    return ranks
