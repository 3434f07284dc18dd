"""One scoring request as the journal keeps it and as the inference table shows it."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from functools import cache

import msgspec

from apps.tables.arrow import pa


@cache
def schema() -> pa.Schema:
    """The columns of an inference table, by Databricks' names where it has one."""
    return pa.schema(
        [
            pa.field("request_date", pa.date32()),
            pa.field("databricks_request_id", pa.string()),
            pa.field("client_request_id", pa.string()),
            pa.field("request_time", pa.timestamp("us", "UTC")),
            pa.field("status_code", pa.int32()),
            pa.field("sampling_fraction", pa.float64()),
            pa.field("execution_duration_ms", pa.int64()),
            pa.field("request", pa.string()),
            pa.field("response", pa.string()),
            pa.field("served_entity_id", pa.string()),
            pa.field("logging_error_codes", pa.list_(pa.string())),
            pa.field("requester", pa.string()),
            pa.field("endpoint", pa.string()),
            pa.field("model_name", pa.string()),
            pa.field("model_version", pa.string()),
        ]
    )


class Served(msgspec.Struct, array_like=True, frozen=True):
    """A request that reached a replica, and what it was answered."""

    workspace_id: str
    endpoint_id: str
    request_id: str
    at_micros: int
    micros: int
    status: int
    endpoint: str
    model_name: str
    model_version: str
    served_id: str
    requester: str
    content_type: str
    request: bytes
    response: bytes


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Served).decode


def as_table(records: Sequence[Served]) -> pa.Table:
    """Return the records as rows of an inference table, the newest first: a look at a file's head shows the latest."""
    records = records[::-1]
    times = [datetime.datetime.fromtimestamp(record.at_micros / 1e6, datetime.UTC) for record in records]
    texts = [(_text(record.request), _text(record.response)) for record in records]
    columns: dict[str, list[object]] = {
        "request_date": [at.date() for at in times],
        "databricks_request_id": [record.request_id for record in records],
        "client_request_id": [_client_request_id(record.request) for record in records],
        "request_time": [record.at_micros for record in records],
        "status_code": [record.status for record in records],
        "sampling_fraction": [1.0] * len(records),
        "execution_duration_ms": [record.micros // 1000 for record in records],
        "request": [request for (request, _), _ in texts],
        "response": [response for _, (response, _) in texts],
        "served_entity_id": [record.served_id for record in records],
        "logging_error_codes": [[code for _, code in pair if code] for pair in texts],
        "requester": [record.requester for record in records],
        "endpoint": [record.endpoint for record in records],
        "model_name": [record.model_name for record in records],
        "model_version": [record.model_version for record in records],
    }
    return pa.table([pa.array(columns[field.name], field.type) for field in schema()], schema=schema())


def _text(body: bytes) -> tuple[str | None, str | None]:
    """The body as text, or null with the reason: a column of text holds no bytes."""
    try:
        return body.decode(), None
    except UnicodeDecodeError:
        return None, "NOT_TEXT"


def _client_request_id(body: bytes) -> str | None:
    if b'"client_request_id"' not in body:
        return None
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    value = found.get("client_request_id") if isinstance(found, dict) else None
    return value if isinstance(value, str) else None
