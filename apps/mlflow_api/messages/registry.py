"""Requests about registered models, their versions and aliases."""

from __future__ import annotations

from apps.mlflow_api.wire import Flag, Int, Message, Text


class Label(Message, frozen=True):
    """One tag."""

    key: Text
    value: Text = ""


class CreateRegisteredModel(Message, frozen=True):
    name: Text
    tags: list[Label] = []
    description: Text = ""


class ModelName(Message, frozen=True):
    name: Text


class RenameModel(Message, frozen=True):
    name: Text
    new_name: Text


class UpdateModel(Message, frozen=True):
    name: Text
    description: Text | None = None


class ModelTag(Message, frozen=True):
    name: Text
    key: Text
    value: Text = ""


class GetLatestVersions(Message, frozen=True):
    name: Text
    stages: list[Text] = []


class Search(Message, frozen=True):
    """Both searches of the registry."""

    filter: Text = ""
    max_results: Int | None = None
    order_by: list[Text] = []
    page_token: Text = ""


class ModelAlias(Message, frozen=True):
    name: Text
    alias: Text


class SetAlias(Message, frozen=True):
    name: Text
    alias: Text
    version: Text


class CreateVersion(Message, frozen=True):
    name: Text
    source: Text
    run_id: Text = ""
    run_link: Text = ""
    description: Text = ""
    tags: list[Label] = []
    model_id: Text = ""


class VersionName(Message, frozen=True):
    name: Text
    version: Text


class UpdateVersion(Message, frozen=True):
    name: Text
    version: Text
    description: Text | None = None


class TransitionStage(Message, frozen=True):
    name: Text
    version: Text
    stage: Text
    archive_existing_versions: Flag = False


class VersionTag(Message, frozen=True):
    name: Text
    version: Text
    key: Text
    value: Text = ""
