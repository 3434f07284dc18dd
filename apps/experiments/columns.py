"""Columns of the run table: what each shows, how it is named in an address, which are there when nobody chose. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from apps.experiments.models import Experiment
from apps.foundation.errors import Invalid

SHOWN_MAX = 60
KEY_SHOWN, VALUE_SHOWN = 26, 40
DEFAULT_METRICS, DEFAULT_PARAMS = 3, 5
GROUPS = (("run", "Run"), ("metrics", "Metrics"), ("params", "Parameters"), ("tags", "Tags"))
RUN_COLUMNS = {
    "status": ("Status", "status"),
    "created": ("Created", "start_time"),
    "duration": ("Duration", ""),
    "user": ("User", "user"),
    "commit": ("Commit", "tags.mlflow.source.git.commit"),
    "data": ("Data", ""),
    "source": ("Source", "tags.mlflow.source.name"),
    "note": ("Note", ""),
}
TAGS_BEHIND = {
    "commit": "mlflow.source.git.commit",
    "source": "mlflow.source.name",
    "note": "mlflow.note.content",
}
GOAL_TAG, GOAL_WAY_TAG = "mlflow.experiment.primaryMetric.name", "mlflow.experiment.primaryMetric.greaterIsBetter"
WAY_TAG = "boathouse.better."
LOWER = ("loss", "rmse", "mae", "mse", "error", "err", "deviation", "logloss", "perplexity", "seconds", "latency")
COSTS = ("seconds", "latency", "time")
HIGHER = ("acc", "auc", "f1", "r2", "score", "precision", "recall", "within")


@dataclass(frozen=True)
class Column:
    """One column. `id` names it in addresses (`metrics.rmse`), `order` is what to sort by, empty for what cannot be."""

    id: str
    group: str
    key: str
    label: str
    order: str
    trend: bool = False


@dataclass(frozen=True)
class Goal:
    """The metric that an experiment is about; `way` is -1 when smaller is better, 1 for larger, 0 when nobody said."""

    key: str
    way: int


def column(id: str) -> Column | None:
    """The column of this name, or None for none."""
    if id in RUN_COLUMNS:
        label, order = RUN_COLUMNS[id]
        return Column(id, "run", TAGS_BEHIND.get(id, ""), label, order)
    group, dot, key = id.partition(".")
    if not dot or not key:
        return None
    if group == "trend":
        return Column(id, "metrics", key, "by step", "", trend=True)
    return Column(id, group, key, short_key(key), id) if group in ("metrics", "params", "tags") else None


def short_key(key: str) -> str:
    """A long key by its end, which is what tells keys of one family apart."""
    return key if len(key) <= KEY_SHOWN else f"…{key[1 - KEY_SHOWN :]}"


def columns_of(ids: Iterable[str]) -> list[Column]:
    """The columns of an address, group by group, each once. Raises Invalid for too many."""
    found = [shown for id in dict.fromkeys(ids) if (shown := column(id))]
    if len(found) > SHOWN_MAX:
        raise Invalid(f"At most {SHOWN_MAX} columns are shown at a time.")
    ranks = {group: rank for rank, (group, _) in enumerate(GROUPS)}
    return sorted(found, key=lambda shown: ranks[shown.group])


def default_columns(
    metrics: Sequence[Mapping[str, float]],
    params: Sequence[Mapping[str, str]],
    goal: Goal | None,
    known: set[str],
) -> list[Column]:
    """What to show when nobody chose: what most of these runs have, the goal first, parameters that differ before those that do not."""
    counts = Counter(key for row in metrics for key in row if not key.startswith("system/"))
    ranked = sorted(counts, key=lambda key: (goal is None or key != goal.key, -counts[key], not better(key), key))
    ids = ["status", "created", "duration", "user", *(id for id in ("commit", "data") if id in known)]
    curve = next((key for key in ranked[:DEFAULT_METRICS] if f"trend.{key}" in known), "")
    for key in ranked[:DEFAULT_METRICS]:
        ids += [f"metrics.{key}"] + ([f"trend.{key}"] if key == curve else [])
    values: dict[str, set[str]] = {}
    having: Counter[str] = Counter()
    for row in params:
        for key, value in row.items():
            values.setdefault(key, set()).add(value)
            having[key] += 1
    plain = [key for key in values if max(map(len, values[key])) <= VALUE_SHOWN]
    varied = sorted(plain, key=lambda key: (len(values[key]) < 2, -having[key], len(key), key))
    return columns_of(ids + [f"params.{key}" for key in varied[:DEFAULT_PARAMS]])


def better(key: str) -> int:
    """Which way is good, as far as a metric's name tells: -1 smaller, 1 larger, 0 unknown."""
    words = key.lower()
    if any(word in words for word in LOWER):
        return -1
    return 1 if any(word in words for word in HIGHER) else 0


def way_of(experiment: Experiment, key: str) -> int:
    """Which way is good for a metric: as the experiment declares, else as the name tells."""
    tags = experiment.tags
    if tags.get(GOAL_TAG) == key and GOAL_WAY_TAG in tags:
        return 1 if str(tags[GOAL_WAY_TAG]).lower() == "true" else -1
    declared = {"min": -1, "max": 1, "none": 0}.get(str(tags.get(WAY_TAG + key, "")))
    return better(key) if declared is None else declared


def goal_of(experiment: Experiment, metrics: Sequence[Mapping[str, float]] = ()) -> Goal | None:
    """The metric that the experiment is about: as declared, else the most common one of these runs whose name says which way is good."""
    declared = str(experiment.tags.get(GOAL_TAG, ""))
    if declared:
        return Goal(declared, way_of(experiment, declared))
    counts = Counter(key for row in metrics for key in row)
    rank = ("val", "test", "eval")
    known = [key for key in counts if way_of(experiment, key) and not key.startswith("system/")]
    if not known:
        return None
    chosen = min(
        known,
        key=lambda key: (any(w in key for w in COSTS), not key.lower().startswith(rank), -counts[key], len(key), key),
    )
    return Goal(chosen, way_of(experiment, chosen))
