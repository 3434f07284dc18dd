"""Requests about logged models and their files."""

from __future__ import annotations

from typing import Annotated

from apps.mlflow_api.messages.registry import Label
from apps.mlflow_api.wire import Flag, Int, Message, Text

STATUSES = ("", "LOGGED_MODEL_PENDING", "LOGGED_MODEL_READY", "LOGGED_MODEL_UPLOAD_FAILED")


class CreateLoggedModel(Message, frozen=True):
    experiment_id: Text
    name: Text = ""
    model_type: Text = ""
    source_run_id: Text = ""
    params: list[Label] = []
    tags: list[Label] = []


class ModelId(Message, frozen=True):
    model_id: Text


class FinalizeLoggedModel(Message, frozen=True):
    model_id: Text
    status: Annotated[str | None, STATUSES] = None


class LogParams(Message, frozen=True):
    model_id: Text
    params: list[Label] = []


class SetTags(Message, frozen=True):
    model_id: Text
    tags: list[Label] = []


class DeleteTag(Message, frozen=True):
    model_id: Text
    tag_key: Text


class ListModelFiles(Message, frozen=True):
    model_id: Text
    artifact_directory_path: Text = ""


class SearchDataset(Message, frozen=True):
    dataset_name: Text
    dataset_digest: Text = ""


class SearchOrder(Message, frozen=True):
    field_name: Text
    ascending: Flag = True
    dataset_name: Text = ""
    dataset_digest: Text = ""


class SearchLoggedModels(Message, frozen=True):
    experiment_ids: list[Text] = []
    filter: Text = ""
    datasets: list[SearchDataset] = []
    max_results: Int = 100
    order_by: list[SearchOrder] = []
    page_token: Text = ""


class ModelOutput(Message, frozen=True):
    model_id: Text
    step: Int = 0


class LogOutputs(Message, frozen=True):
    run_id: Text
    models: list[ModelOutput] = []
