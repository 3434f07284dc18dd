"""Requests about runs, from MLflow's message to our statement and from its rows back: shared by the hot path and the routes."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from typing import Any

from django.core import signing

from apps.experiments import ingest, limits, starts
from apps.experiments.ingest import Points, Statement
from apps.experiments.search import ExperimentSearch, RunSearch, Stage
from apps.foundation.errors import Invalid, NotFound
from apps.mlflow_api.filters import EXPERIMENTS, RUNS, parse_filter, parse_order
from apps.mlflow_api.messages import tracking as m
from apps.mlflow_api.wire import Columns

RUNS_MAX = EXPERIMENTS_MAX = 50_000
HISTORY_PAGE, HISTORY_MAX = 25_000, 1_000_000
HISTORY_SALT = "boathouse.history"
STAGES = {None: Stage.ACTIVE, "ACTIVE_ONLY": Stage.ACTIVE, "DELETED_ONLY": Stage.DELETED, "ALL": Stage.ALL}


def run_id_of(message: Any) -> uuid.UUID:
    """The run that a message is about: `run_id`, else the old `run_uuid`. What is no id is a run that does not exist."""
    text = message.run_id or message.run_uuid
    if not text:
        raise Invalid("Missing value for required parameter 'run_id'.")
    return parse_run_id(text)


def parse_run_id(text: str) -> uuid.UUID:
    """A run id of 32 lower-case hex digits. Raises NotFound."""
    if len(text) != 32 or not set(text) <= set("0123456789abcdef"):
        raise NotFound(f"Run with id={text[:300]} not found")
    return uuid.UUID(hex=text)


def parse_model_id(text: str) -> uuid.UUID:
    """A logged model's id, `m-` and 32 hex digits. Raises NotFound."""
    if not text.startswith("m-") or len(text) != 34 or not set(text[2:]) <= set("0123456789abcdef"):
        raise NotFound(f"Logged model with ID '{text[:300]}' not found.")
    return uuid.UUID(hex=text[2:])


def parse_number(text: str) -> int:
    """An experiment's number. Raises Invalid for what is no decimal."""
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise Invalid(f"Invalid experiment ID: '{text[:100]}'. It must be a decimal number.")
    return int(text)


def points_of(metrics: Iterable[Any] | Columns, where: str = "") -> Points:
    """Metrics as columns, each checked."""
    if isinstance(metrics, Columns):
        return _points_of_columns(metrics, where)
    found = Points([], [], [], [])
    has_models = False
    models: list[uuid.UUID | None] = []
    names: list[str] = []
    digests: list[str] = []
    for index, metric in enumerate(metrics):
        _check_point(metric.key, metric.timestamp, index, where)
        found.keys.append(metric.key)
        found.values.append(metric.value)
        found.times.append(metric.timestamp)
        found.steps.append(metric.step)
        models.append(parse_model_id(metric.model_id) if metric.model_id else None)
        names.append(metric.dataset_name)
        digests.append(metric.dataset_digest)
        has_models = has_models or bool(metric.model_id)
    return Points(found.keys, found.values, found.times, found.steps, models, names, digests) if has_models else found


def _points_of_columns(metrics: Columns, where: str) -> Points:
    points = Points(metrics["key"], metrics["value"], metrics["timestamp"], metrics["step"])
    if min(points.times) < 0 or not all(map(limits.is_plain, set(points.keys))):
        for index, (key, timestamp) in enumerate(zip(points.keys, points.times, strict=True)):
            _check_point(key, timestamp, index, where)
    return points


def _check_point(key: str, timestamp: int, index: int, where: str) -> None:
    limits.check_key(key, f"{where}[{index}].name" if where else "name")
    if timestamp < 0:
        raise Invalid(f"Invalid value {timestamp} for parameter 'timestamp' supplied: it must not be negative.")


def params_of(params: Iterable[Any], where: str = "") -> dict[str, str]:
    """Params by key; values are cut to their limit. Raises Invalid for a key that comes twice."""
    found: dict[str, str] = {}
    for index, param in enumerate(params):
        limits.check_key(param.key, f"{where}[{index}].name" if where else "name")
        if param.key in found:
            raise Invalid(
                f"Duplicate parameter keys have been submitted: '{param.key}'. Give each key once in a request."
            )
        found[param.key] = param.value[: limits.PARAM_VALUE_MAX]
    return found


def tags_of(tags: Iterable[Any], where: str = "") -> dict[str, str]:
    """Tags by key, the last of each; values are cut to their limit."""
    found: dict[str, str] = {}
    for index, tag in enumerate(tags):
        limits.check_key(tag.key, f"{where}[{index}].key" if where else "key")
        found[tag.key] = tag.value[: limits.TAG_VALUE_MAX]
    return found


def log_metric(message: m.LogMetric) -> Statement:
    return ingest.log(run_id_of(message), points_of([message]))


def log_param(message: m.LogParam) -> Statement:
    return ingest.log(run_id_of(message), params=params_of([message]))


def set_tag(message: m.SetTag) -> Statement:
    return ingest.log(run_id_of(message), tags=tags_of([message]))


def log_batch(message: m.LogBatch) -> Statement:
    counts = (
        ("metrics", len(message.metrics), limits.BATCH_METRICS_MAX),
        ("params", len(message.params), limits.BATCH_PARAMS_MAX),
        ("tags", len(message.tags), limits.BATCH_TAGS_MAX),
        (
            "metrics, params and tags together",
            len(message.metrics) + len(message.params) + len(message.tags),
            limits.BATCH_MAX,
        ),
    )
    for what, count, most in counts:
        if count > most:
            raise Invalid(
                f"A batch logging request can contain at most {most} {what}. Got {count}. Split it and try again."
            )
    return ingest.log(
        run_id_of(message),
        points_of(message.metrics, "metrics"),
        params_of(message.params, "params"),
        tags_of(message.tags, "tags"),
    )


def run_asked(message: m.CreateRun) -> dict[str, Any]:
    """The new run that a message asks for."""
    return {
        "number": parse_number(message.experiment_id) if message.experiment_id else 0,
        "name": message.run_name,
        "user": message.user_id[: limits.KEY_MAX],
        "start": message.start_time or now_millis(),
        "tags": tags_of(message.tags, "tags"),
    }


def start_run(message: m.CreateRun) -> Statement:
    """A new run, for a token that belongs to no activity."""
    asked = run_asked(message)
    name = starts.name_of(asked["name"], asked["tags"])
    tags = {**asked["tags"], starts.NAME_TAG: name}
    return ingest.start_run(**{**asked, "name": name, "tags": tags}, run=uuid.uuid4())


def update_run(message: m.UpdateRun) -> Statement:
    return ingest.update_run(
        run_id_of(message), status=message.status, end=message.end_time, name=message.run_name[: limits.RUN_NAME_MAX]
    )


def get_history(message: m.MetricHistory) -> tuple[Statement, int]:
    """The statement of a page of a metric's history, and the page's size."""
    size = HISTORY_MAX if message.max_results is None else message.max_results
    if size < 1:
        raise Invalid(f"Invalid value {size} for parameter 'max_results' supplied: it must be at least 1.")
    after = None
    if message.page_token:
        try:
            run, key, *place = signing.loads(message.page_token, salt=HISTORY_SALT)
        except (signing.BadSignature, ValueError):
            raise Invalid("Invalid page token: it is not one of this server's; start again without it.") from None
        if (run, key) != (run_id_of(message).hex, message.metric_key):
            raise Invalid("Invalid page token: it belongs to another run or metric; start again without it.")
        after = (place[0], place[1], float(place[2]))
    return ingest.history(run_id_of(message), message.metric_key, min(size, HISTORY_MAX), after), size


def history_body(
    message: m.MetricHistory, items: str | None, place: tuple[int | None, int | None, float | None]
) -> bytes:
    """The answer to a history request."""
    if not items:
        return b"{}"
    token = ""
    if place[0] is not None:
        made = signing.dumps(
            [run_id_of(message).hex, message.metric_key, place[0], place[1], str(place[2])], salt=HISTORY_SALT
        )
        token = f',"next_page_token":"{made}"'
    return f'{{"metrics":[{items}]{token}}}'.encode()


def run_search(message: m.SearchRuns) -> RunSearch:
    """What a runs/search message asks for."""
    if not 1 <= message.max_results <= RUNS_MAX:
        raise Invalid(
            f"Invalid value {message.max_results} for parameter 'max_results' supplied: it must be between 1 and {RUNS_MAX}."
        )
    return RunSearch(
        experiments=tuple(sorted({parse_number(text) for text in message.experiment_ids})),
        where=parse_filter(message.filter, RUNS),
        order=parse_order(message.order_by, RUNS),
        stage=STAGES[message.run_view_type],
        size=message.max_results,
        token=message.page_token,
    )


def experiment_search(message: m.SearchExperiments) -> ExperimentSearch:
    """What an experiments/search message asks for."""
    if not 1 <= message.max_results <= EXPERIMENTS_MAX:
        raise Invalid(
            f"Invalid value {message.max_results} for parameter 'max_results' supplied: it must be between 1 and {EXPERIMENTS_MAX}."
        )
    return ExperimentSearch(
        where=parse_filter(message.filter, EXPERIMENTS),
        order=parse_order(message.order_by, EXPERIMENTS),
        stage=STAGES[message.view_type],
        size=message.max_results,
        token=message.page_token,
    )


def now_millis() -> int:
    """This moment in milliseconds."""
    return int(time.time() * 1000)
