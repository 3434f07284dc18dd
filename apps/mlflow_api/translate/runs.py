"""Runs in MLflow's shape. Metrics, params and tags are JSON already (the summary); the rest is put around them as text."""

from __future__ import annotations

import uuid
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


def read_row(row: tuple[Any, ...]) -> tuple[str, str]:
    """(info, run) as JSON of a row of `read_run`, without its code and detail."""
    key, number, name, user, status, start, end, gone, metrics, params, tags, inputs, outputs, location = row
    told = info(key, number, name, user, status, start, end, gone, location)
    return told, run(told, metrics, params, tags, inputs, outputs)


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
