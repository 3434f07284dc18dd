"""Runs in MLflow's shape. Metrics, params and tags are JSON already (the summary); the rest is put around them as text."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import orjson

from apps.experiments.finder import FoundRuns
from apps.experiments.models.experiments import STORE


def text(value: str) -> str:
    """A JSON string."""
    return orjson.dumps(value).decode()


def info(
    run: uuid.UUID,
    number: int,
    name: str,
    user: str,
    status: str,
    start: int,
    end: int | None,
    gone: bool,
    location: str,
) -> str:
    """A run's info as JSON."""
    ended = "" if end is None else f',"end_time":{end}'
    root = text(location)[1:-1] if location else f"{STORE}/{number}"
    return (
        f'{{"run_id":"{run.hex}","run_uuid":"{run.hex}","run_name":{text(name)},"experiment_id":"{number}","user_id":{text(user)},'
        f'"status":"{status}","start_time":{start}{ended},"artifact_uri":"{root}/{run.hex}/artifacts",'
        f'"lifecycle_stage":"{"deleted" if gone else "active"}"}}'
    )


def run(info_text: str, metrics: str, params: str, tags: str, inputs: str, outputs: str) -> str:
    """A run as JSON. Empty is absent."""
    lists = (("metrics", metrics), ("params", params), ("tags", tags))
    content = ",".join(f'"{name}":[{items}]' for name, items in lists if items)
    return (
        f'{{"info":{info_text},"data":{{{content}}}'
        f'{f""","inputs":{inputs}""" if inputs else ""}{f""","outputs":{outputs}""" if outputs else ""}}}'
    )


def read(row: Sequence[Any]) -> bytes:
    """The answer to a reading, from what `read_run` gives behind its code and detail."""
    key, number, name, user, status, start, end, gone, metrics, params, tags, inputs, outputs, location = row
    told = info(key, number, name, user, status, start, end, gone, location)
    return f'{{"run":{run(told, metrics, params, tags, inputs, outputs)}}}'.encode()


def started(number: int, key: uuid.UUID, name: str, user: str, start: int, location: str, tags: str) -> bytes:
    """The answer to the start of a run."""
    told = info(key, number, name, user, "RUNNING", start, None, False, location)
    return f'{{"run":{run(told, "", "", tags, "", "")}}}'.encode()


def changed(row: Sequence[Any]) -> bytes:
    """The answer to a change of a run, from what `update_run` gives behind its code and detail."""
    key, number, name, user, status, start, end, location = row
    return f'{{"run_info":{info(key, number, name, user, status, start, end, False, location)}}}'.encode()


def page(found: FoundRuns, experiments: dict[int, tuple[bool, str]]) -> bytes:
    """The answer to a search."""
    if not found.rows:
        return b"{}"
    shown = []
    for key, number, name, user, status, start, end, gone, metrics, params, tags, inputs, outputs in found.rows:
        trashed, location = experiments[number]
        told = info(key, number, name, user, status, start, end, gone or trashed, location)
        shown.append(run(told, metrics, params, tags, inputs, outputs))
    token = f',"next_page_token":"{found.next_token}"' if found.next_token else ""
    return f'{{"runs":[{",".join(shown)}]{token}}}'.encode()
