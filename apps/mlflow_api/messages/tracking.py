"""Requests of the groups experiments, runs, metrics, params, tags, inputs and outputs."""

from __future__ import annotations

from typing import Annotated

from apps.mlflow_api.wire import ByColumn, Double, Int, Message, Text

ViewType = Annotated[str | None, ("", "ACTIVE_ONLY", "DELETED_ONLY", "ALL")]
RunStatus = Annotated[str | None, ("", "RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED")]


class Tag(Message, frozen=True, kw_only=True):
    key: Text = ""
    value: Text = ""


class CreateExperiment(Message, frozen=True, kw_only=True):
    name: Text
    artifact_location: Text = ""
    tags: list[Tag] = []


class ExperimentId(Message, frozen=True, kw_only=True):
    experiment_id: Text


class ExperimentName(Message, frozen=True, kw_only=True):
    experiment_name: Text


class UpdateExperiment(Message, frozen=True, kw_only=True):
    experiment_id: Text
    new_name: Text


class ExperimentTag(Message, frozen=True, kw_only=True):
    experiment_id: Text
    key: Text
    value: Text = ""


class ExperimentTagKey(Message, frozen=True, kw_only=True):
    experiment_id: Text
    key: Text


class SearchExperiments(Message, frozen=True, kw_only=True):
    max_results: Int = 0
    page_token: Text = ""
    filter: Text = ""
    order_by: list[Text] = []
    view_type: ViewType = None


class CreateRun(Message, frozen=True, kw_only=True):
    experiment_id: Text = ""
    user_id: Text = ""
    run_name: Text = ""
    start_time: Int = 0
    tags: list[Tag] = []


class RunId(Message, frozen=True, kw_only=True):
    run_id: Text = ""
    run_uuid: Text = ""


class UpdateRun(RunId, frozen=True, kw_only=True):
    status: RunStatus = None
    end_time: Int | None = None
    run_name: Text = ""


class Metric(Message, frozen=True, kw_only=True):
    key: Text
    value: Double
    timestamp: Int
    step: Int = 0
    model_id: Text = ""
    dataset_name: Text = ""
    dataset_digest: Text = ""


class LogMetric(Metric, frozen=True, kw_only=True):
    run_id: Text = ""
    run_uuid: Text = ""


class Param(Message, frozen=True, kw_only=True):
    key: Text
    value: Text = ""


class LogParam(Param, frozen=True, kw_only=True):
    run_id: Text = ""
    run_uuid: Text = ""


class SetTag(RunId, frozen=True, kw_only=True):
    key: Text
    value: Text = ""


class DeleteTag(RunId, frozen=True, kw_only=True):
    key: Text


class LogBatch(RunId, frozen=True, kw_only=True):
    metrics: Annotated[list[Metric], ByColumn(("key", "value", "timestamp", "step"))] = []
    params: list[Param] = []
    tags: list[Tag] = []


class SearchRuns(Message, frozen=True, kw_only=True):
    experiment_ids: list[Text] = []
    filter: Text = ""
    run_view_type: ViewType = None
    max_results: Int = 1000
    order_by: list[Text] = []
    page_token: Text = ""


class MetricHistory(RunId, frozen=True, kw_only=True):
    metric_key: Text
    page_token: Text = ""
    max_results: Int | None = None


class MetricHistoryBulk(Message, frozen=True, kw_only=True):
    run_id: list[Text] = []
    metric_key: Text
    max_results: Int = 25_000


class MetricHistoryInterval(Message, frozen=True, kw_only=True):
    run_ids: list[Text] = []
    metric_key: Text
    start_step: Int | None = None
    end_step: Int | None = None
    max_results: Int = 2_500


class DatasetText(Message, frozen=True, kw_only=True):
    name: Text
    digest: Text
    source_type: Text = ""
    source: Text = ""
    schema: Text = ""
    profile: Text = ""


class DatasetInput(Message, frozen=True, kw_only=True):
    tags: list[Tag] = []
    dataset: DatasetText


class ModelId(Message, frozen=True, kw_only=True):
    model_id: Text


class LogInputs(RunId, frozen=True, kw_only=True):
    datasets: list[DatasetInput] = []
    models: list[ModelId] = []


class LogModel(RunId, frozen=True, kw_only=True):
    model_json: Text
