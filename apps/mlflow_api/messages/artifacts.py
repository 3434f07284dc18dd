"""Requests about files."""

from __future__ import annotations

from apps.mlflow_api.wire import Message, Text


class ListRunFiles(Message, frozen=True):
    run_id: Text = ""
    run_uuid: Text = ""
    path: Text = ""


class ListFolder(Message, frozen=True):
    path: Text = ""


class FilePath(Message, frozen=True):
    artifact_path: Text
