"""Runs as pages show them: rows with numbers, the columns that say something, a typed filter as a search. Pure."""

from __future__ import annotations

import json
import math
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from apps.experiments.search import Comparison, Entity, Operator, Order
from apps.foundation.errors import Invalid
from apps.foundation.pages import Filter

COLUMNS = 6
HIDDEN_TAGS = "mlflow."
LOWER = ("loss", "rmse", "mae", "mse", "error", "err", "deviation")
HIGHER = ("acc", "auc", "f1", "r2", "score", "precision", "recall", "within")
_OPERATORS = {
    ":": Operator.EQ,
    "=": Operator.EQ,
    "!=": Operator.NE,
    "<": Operator.LT,
    "<=": Operator.LE,
    ">": Operator.GT,
    ">=": Operator.GE,
    ":<": Operator.LT,
    ":<=": Operator.LE,
    ":>": Operator.GT,
    ":>=": Operator.GE,
    "~": Operator.ILIKE,
}
ENTITIES = {"metrics": Entity.METRIC, "params": Entity.PARAM, "tags": Entity.TAG}
ATTRIBUTES = {"status": "status", "state": "status", "name": "run_name", "user": "user_id"}


@dataclass
class RunRow:
    """One run of a list."""

    uuid: uuid.UUID
    name: str
    user: str
    status: str
    started_at: datetime
    seconds: float | None
    metrics: dict[str, float]
    params: dict[str, str]
    tags: dict[str, str]
    cells: list[Any] = field(default_factory=list)

    @property
    def hex(self) -> str:
        """The id that clients know."""
        return self.uuid.hex

    @property
    def commit(self) -> str:
        """The commit that it says it ran."""
        return self.tags.get("mlflow.source.git.commit", "")


@dataclass(frozen=True)
class MetricColumn:
    """A metric of a list with its visible range; `best` is the best value where the name says which way is good."""

    key: str
    low: float
    high: float
    best: float | None


def listed(text: str | None) -> dict[str, Any]:
    """Key and value of a summary's JSON list items."""
    return {item["key"]: item["value"] for item in json.loads(f"[{text or ''}]")}


def row_of(found: tuple[Any, ...]) -> RunRow:
    """A row of the finder, as pages show it."""
    key, _, name, user, status, start, end, _, metrics, params, tags, _, _ = found
    seconds = (end - start) / 1000 if end is not None else None
    numbers = {name: float(value) for name, value in listed(metrics).items()}
    return RunRow(key, name, user, status, moment(start), seconds, numbers, listed(params), listed(tags))


def moment(millis: int) -> datetime:
    """A moment of a client's clock; the edge of time for what lies beyond it."""
    try:
        return datetime.fromtimestamp(millis / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return datetime.max.replace(tzinfo=UTC) if millis > 0 else datetime.min.replace(tzinfo=UTC)


def better(key: str) -> int:
    """Which way is good, as far as a metric's name tells: -1 smaller, 1 larger, 0 unknown."""
    words = key.lower()
    if any(word in words for word in LOWER):
        return -1
    return 1 if any(word in words for word in HIGHER) else 0


def metric_columns(rows: Sequence[RunRow], wanted: Sequence[str] = ()) -> list[MetricColumn]:
    """The metrics to show: those asked for, else those that most runs have."""
    counts = Counter(key for row in rows for key in row.metrics)
    keys = list(wanted) or [key for key, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:COLUMNS]]
    columns = []
    for key in keys:
        values = [row.metrics[key] for row in rows if key in row.metrics and math.isfinite(row.metrics[key])]
        low, high = (min(values), max(values)) if values else (0.0, 0.0)
        way = better(key)
        columns.append(MetricColumn(key, low, high, (low if way < 0 else high) if way and len(values) > 1 else None))
    return columns


def param_columns(rows: Sequence[RunRow]) -> list[str]:
    """The parameters to show: those that differ between runs first, then those that most have."""
    values: dict[str, set[str]] = {}
    counts: Counter[str] = Counter()
    for row in rows:
        for key, value in row.params.items():
            values.setdefault(key, set()).add(value)
            counts[key] += 1

    def rank(key: str) -> tuple[bool, int, str]:
        differs = len(values[key]) > 1 or counts[key] < len(rows)
        return (not differs, -counts[key], key)

    return sorted(values, key=rank)[:COLUMNS]


def comparisons(wanted: Filter) -> tuple[Comparison, ...]:
    """A typed filter as conditions of a search. Raises Invalid for what cannot be asked."""
    found = []
    for token in wanted.tokens:
        head, _, key = token.name.partition(".")
        operator = _OPERATORS[token.operator]
        if token.negated:
            if operator is not Operator.EQ:
                raise Invalid(f"{token.text}: only field:value can be negated.")
            operator = Operator.NE
        if head in ENTITIES and key:
            found.append(
                Comparison(ENTITIES[head], key, operator, _value(token.text, ENTITIES[head], operator, token.value))
            )
        elif token.name in ATTRIBUTES:
            text = token.value.upper() if ATTRIBUTES[token.name] == "status" else token.value
            found.append(Comparison(Entity.ATTRIBUTE, ATTRIBUTES[token.name], operator, _text(operator, text)))
        else:
            raise Invalid(f"There is no field {token.name}: use metrics.…, params.…, tags.…, status, name or user.")
    if wanted.words:
        found.append(Comparison(Entity.ATTRIBUTE, "run_name", Operator.ILIKE, _text(Operator.ILIKE, wanted.words)))
    return tuple(found)


def _value(text: str, entity: Entity, operator: Operator, value: str) -> str | float:
    if entity is not Entity.METRIC:
        if operator not in (Operator.EQ, Operator.NE, Operator.ILIKE):
            raise Invalid(f"{text}: parameters and tags are text; compare with =, != or ~.")
        return _text(operator, value)
    try:
        if operator is Operator.ILIKE:
            raise ValueError
        return float(value)
    except ValueError:
        raise Invalid(f"{text}: a metric is compared with a number.") from None


def _text(operator: Operator, value: str) -> str:
    return f"%{value}%" if operator is Operator.ILIKE else value


def order_of(text: str) -> tuple[Order, ...]:
    """`-metrics.rmse`, `start_time`, `name` as an order; the newest start without one."""
    ascending, name = not text.startswith("-"), text.lstrip("-")
    head, _, key = name.partition(".")
    if head in ENTITIES and key:
        return (Order(ENTITIES[head], key, ascending),)
    known = {"start_time": "start_time", "name": "run_name", "status": "status", "user": "user_id"}
    return (Order(Entity.ATTRIBUTE, known[name], ascending),) if name in known else ()


@dataclass(frozen=True)
class Difference:
    """A parameter, metric or tag of several runs side by side."""

    key: str
    values: list[Any]
    differs: bool


def differences(rows: Sequence[RunRow], part: str) -> list[Difference]:
    """The `params`, `metrics` or `tags` of runs side by side, what differs first."""
    keys: dict[str, None] = {}
    for row in rows:
        keys.update(dict.fromkeys(getattr(row, part)))
    found = []
    for key in keys:
        if part == "tags" and key.startswith(HIDDEN_TAGS):
            continue
        values = [getattr(row, part).get(key) for row in rows]
        found.append(Difference(key, values, len(set(map(str, values))) > 1))
    return sorted(found, key=lambda item: (not item.differs, item.key))


def points_of(items: Iterable[dict[str, Any]]) -> list[tuple[float, float]]:
    """(step, value) of a sampled metric."""
    return [(float(item["step"]), float(item["value"])) for item in items]
