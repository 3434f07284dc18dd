"""Endpoints of experiments and runs. The busiest are answered by `hot` first and come here with sessions only."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import orjson

from apps.access.actor import Actor
from apps.access.levels import Level
from apps.experiments import ingest, limits, operations, queries, starts
from apps.experiments.experiment_search import find_experiments
from apps.experiments.outcome import require_done
from apps.foundation.errors import AlreadyExists, Invalid
from apps.mlflow_api import tracking
from apps.mlflow_api.messages import tracking as m
from apps.mlflow_api.routing import Route
from apps.mlflow_api.translate import experiments, runs

MODEL_HISTORY_MAX = 1_000_000
BULK_RUNS, BULK_POINTS, INTERVAL_POINTS = 100, 25_000, 2_500


def create_experiment(actor: Actor, message: m.CreateExperiment) -> dict[str, Any]:
    tags = {tag.key: tag.value for tag in message.tags}
    made = queries.create_by_name(actor, message.name, artifact_location=message.artifact_location, tags=tags)
    return {"experiment_id": str(made.number)}


def get_experiment(actor: Actor, message: m.ExperimentId) -> dict[str, Any]:
    found = queries.get_experiment(actor, tracking.parse_number(message.experiment_id))
    return {"experiment": experiments.experiment(found, actor.workspace.name)}


def get_experiment_by_name(actor: Actor, message: m.ExperimentName) -> dict[str, Any]:
    found = queries.find_by_name(actor, message.experiment_name)
    return {"experiment": experiments.experiment(found, actor.workspace.name)}


def _experiment(actor: Actor, message: Any) -> Any:
    return queries.get_experiment(actor, tracking.parse_number(message.experiment_id), Level.DISCOVER)


def update_experiment(actor: Actor, message: m.UpdateExperiment) -> None:
    try:
        operations.rename_experiment(actor=actor, experiment=_experiment(actor, message), name=message.new_name)
    except AlreadyExists:
        raise AlreadyExists(f"Experiment '{message.new_name}' already exists.") from None


def delete_experiment(actor: Actor, message: m.ExperimentId) -> None:
    operations.delete_experiment(actor=actor, experiment=_experiment(actor, message))


def restore_experiment(actor: Actor, message: m.ExperimentId) -> None:
    operations.restore_experiment(actor=actor, experiment=_experiment(actor, message))


def set_experiment_tag(actor: Actor, message: m.ExperimentTag) -> None:
    operations.set_experiment_tags(
        actor=actor, experiment=_experiment(actor, message), tags={message.key: message.value}
    )


def delete_experiment_tag(actor: Actor, message: m.ExperimentTagKey) -> None:
    operations.delete_experiment_tag(actor=actor, experiment=_experiment(actor, message), key=message.key)


def search_all_experiments(actor: Actor, message: m.SearchExperiments) -> bytes:
    search = tracking.experiment_search(message)
    _, found = ingest.search_as(actor, lambda _: find_experiments(search), [])
    return experiments.page(found)


def create_run(actor: Actor, message: m.CreateRun) -> bytes:
    run_id = starts.start_run(actor, **tracking.run_asked(message))
    return _run(actor, run_id)


def get_run(actor: Actor, message: m.RunId) -> bytes:
    return _run(actor, tracking.run_id_of(message))


def _run(actor: Actor, run_id: uuid.UUID) -> bytes:
    return runs.read(tuple(_do(actor, ingest.read_run(run_id)).values())[2:])


def update_run(actor: Actor, message: m.UpdateRun) -> bytes:
    row = _do(actor, tracking.update_run(message))
    return runs.changed(tuple(row.values())[2:])


def delete_run(actor: Actor, message: m.RunId) -> None:
    operations.delete_run(actor=actor, run=queries.get_run(actor, tracking.run_id_of(message).hex))


def restore_run(actor: Actor, message: m.RunId) -> None:
    operations.restore_run(actor=actor, run=queries.get_run(actor, tracking.run_id_of(message).hex))


def search_runs(actor: Actor, message: m.SearchRuns) -> bytes:
    opened, found = queries.search_runs(actor, tracking.run_search(message))
    return runs.page(found, opened.experiments)


def _do(actor: Actor, statement: ingest.Statement) -> dict[str, Any]:
    (row,) = ingest.run_as(actor, statement)
    require_done(row["code"], row["detail"], thing=statement.arguments[0].hex)
    return row


def _logs(build: Callable[[Any], ingest.Statement]) -> Callable[[Actor, Any], None]:
    def handle(actor: Actor, message: Any) -> None:
        _do(actor, build(message))

    return handle


def delete_tag(actor: Actor, message: m.DeleteTag) -> None:
    _do(actor, ingest.delete_tag(tracking.run_id_of(message), message.key))


def get_history(actor: Actor, message: m.MetricHistory) -> bytes:
    statement, _ = tracking.get_history(message)
    (row,) = ingest.run_as(actor, statement)
    require_done(row["code"], row["detail"], thing=tracking.run_id_of(message).hex)
    place = (row["last_timestamp"], row["last_step"], row["last_value"])
    return tracking.history_body(message, row["items"], place)


def get_history_interval(actor: Actor, message: m.MetricHistoryInterval) -> bytes:
    if not message.run_ids or len(message.run_ids) > BULK_RUNS:
        raise Invalid(
            f"GetMetricHistoryBulkInterval request must specify 1 to {BULK_RUNS} run_ids. Got {len(message.run_ids)}."
        )
    if (message.start_step is None) != (message.end_step is None):
        raise Invalid("Both start_step and end_step must be specified together, or neither may be specified.")
    if message.start_step is not None and message.end_step is not None and message.start_step > message.end_step:
        raise Invalid(
            f"end_step must be greater than start_step. Found start_step={message.start_step} and end_step={message.end_step}."
        )
    if not 1 <= message.max_results <= INTERVAL_POINTS:
        raise Invalid(f"max_results must be between 1 and {INTERVAL_POINTS}. Got {message.max_results}.")
    pieces = []
    for text in message.run_ids:
        run_id = tracking.parse_run_id(text)
        (row,) = ingest.run_as(
            actor, ingest.sample(run_id, message.metric_key, message.max_results, message.start_step, message.end_step)
        )
        require_done(row["code"], row["detail"], thing=text)
        pieces += [row["items"]] if row["items"] else []
    return f'{{"metrics":[{",".join(pieces)}]}}'.encode() if pieces else b"{}"


def get_history_bulk(actor: Actor, message: m.MetricHistoryBulk) -> bytes:
    if not message.run_id or len(message.run_id) > BULK_RUNS:
        raise Invalid(f"GetMetricHistoryBulk request must specify 1 to {BULK_RUNS} run_ids. Got {len(message.run_id)}.")
    left, shown = min(message.max_results, BULK_POINTS), []
    for text in sorted(set(message.run_id)):
        if left < 1:
            break
        (row,) = ingest.run_as(actor, ingest.history(tracking.parse_run_id(text), message.metric_key, left))
        require_done(row["code"], row["detail"], thing=text)
        points = orjson.loads(f"[{row['items'] or ''}]")
        shown += [{**point, "run_id": text} for point in points]
        left -= len(points)
    return orjson.dumps({"metrics": shown})


def log_inputs(actor: Actor, message: m.LogInputs) -> None:
    if len(message.datasets) > limits.DATASETS_MAX:
        raise Invalid(f"A request can contain at most {limits.DATASETS_MAX} datasets. Got {len(message.datasets)}.")
    told = [_dataset(item) for item in message.datasets]
    _do(
        actor,
        ingest.log_links(
            tracking.run_id_of(message),
            datasets=told,
            inputs=[tracking.parse_model_id(item.model_id) for item in message.models],
        ),
    )


def _dataset(item: m.DatasetInput) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: getattr(item.dataset, name) for name in ("name", "digest", "source_type", "source", "schema", "profile")
    }
    for name, most in limits.DATASET_LIMITS.items():
        if len(found[name]) > most:
            raise Invalid(f"Dataset {name} exceeds the maximum length of {most}.")
    for tag in item.tags:
        if len(tag.key) > limits.INPUT_TAG_KEY_MAX or len(tag.value) > limits.INPUT_TAG_VALUE_MAX:
            raise Invalid(
                f"An input tag's key has at most {limits.INPUT_TAG_KEY_MAX} characters, its value {limits.INPUT_TAG_VALUE_MAX}."
            )
    found["tags"] = {tag.key: tag.value for tag in item.tags}
    return found


def log_model(actor: Actor, message: m.LogModel) -> None:
    """The record of a 2.x client: one more entry of the tag that holds the list."""
    run = queries.get_run(actor, tracking.run_id_of(message).hex, Level.EDIT)
    try:
        record = orjson.loads(message.model_json)
    except orjson.JSONDecodeError:
        raise Invalid("Malformed model info in model_json: it is not JSON.") from None
    missing = {"artifact_path", "flavors", "utc_time_created", "run_id"} - set(
        record if isinstance(record, dict) else {}
    )
    if missing:
        raise Invalid(f"Model json is missing mandatory fields: {sorted(missing)}.")
    listed = orjson.dumps([*_model_history(run), record]).decode()
    if len(listed) > MODEL_HISTORY_MAX:
        raise Invalid(f"The models of one run are told in at most {MODEL_HISTORY_MAX} characters.")
    _do(actor, ingest.log(run.uuid, tags={"mlflow.log-model.history": listed}))


def _model_history(run: Any) -> list[Any]:
    """The list in the tag, which anybody who may edit the run can have set to anything."""
    try:
        kept = orjson.loads(dict(queries.tags_of(run)).get("mlflow.log-model.history", "[]"))
    except orjson.JSONDecodeError:
        return []
    return kept if isinstance(kept, list) else []


def _post(path: str, message: Any, handler: Any) -> Route:
    return Route("POST", f"2.0/mlflow/{path}", message, handler)


def _get(path: str, message: Any, handler: Any, **options: Any) -> Route:
    return Route("GET", f"2.0/mlflow/{path}", message, handler, **options)


ROUTES = [
    _post("experiments/create", m.CreateExperiment, create_experiment),
    _get("experiments/get", m.ExperimentId, get_experiment),
    _get("experiments/get-by-name", m.ExperimentName, get_experiment_by_name),
    _post("experiments/update", m.UpdateExperiment, update_experiment),
    _post("experiments/delete", m.ExperimentId, delete_experiment),
    _post("experiments/restore", m.ExperimentId, restore_experiment),
    _post("experiments/set-experiment-tag", m.ExperimentTag, set_experiment_tag),
    _post("experiments/delete-experiment-tag", m.ExperimentTagKey, delete_experiment_tag),
    _post("experiments/search", m.SearchExperiments, search_all_experiments),
    _get("experiments/search", m.SearchExperiments, search_all_experiments),
    _post("runs/create", m.CreateRun, create_run),
    _get("runs/get", m.RunId, get_run),
    _post("runs/update", m.UpdateRun, update_run),
    _post("runs/delete", m.RunId, delete_run),
    _post("runs/restore", m.RunId, restore_run),
    _post("runs/search", m.SearchRuns, search_runs),
    _post("runs/log-metric", m.LogMetric, _logs(tracking.log_metric)),
    _post("runs/log-parameter", m.LogParam, _logs(tracking.log_param)),
    _post("runs/log-batch", m.LogBatch, _logs(tracking.log_batch)),
    _post("runs/set-tag", m.SetTag, _logs(tracking.set_tag)),
    _post("runs/delete-tag", m.DeleteTag, delete_tag),
    _post("runs/log-inputs", m.LogInputs, log_inputs),
    _post("runs/log-model", m.LogModel, log_model),
    _get("metrics/get-history", m.MetricHistory, get_history),
    _get("metrics/get-history-bulk-interval", m.MetricHistoryInterval, get_history_interval),
    _get("metrics/get-history-bulk", m.MetricHistoryBulk, get_history_bulk, prefixes=("ajax-api",)),
]
