"""Inference tables: where they are made, and what is shown of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.policy import authorise
from apps.access.resources import find_resource
from apps.deployments import record
from apps.deployments.models import Endpoint
from apps.foundation.errors import Conflict, Forbidden, Invalid, NotFound
from apps.registry.models import RegisteredModel
from apps.tables import ingest

SUFFIX = "_payload"
TAIL_ROWS = 50
FIND_ROWS = 1_000


@dataclass(frozen=True)
class LoggedRequest:
    """One row of an inference table, as a page or an answer shows it."""

    id: str
    at: datetime
    status: int
    milliseconds: int
    model_version: str
    requester: str
    request: str
    response: str


@dataclass(frozen=True)
class Tail:
    """The newest requests; `hidden` for those who may not view the inference table, whatever they may do with the endpoint."""

    items: list[LoggedRequest]
    hidden: bool


def table_name(endpoint_name: str, model: RegisteredModel) -> str:
    """The full name that an endpoint's inference table gets: beside its model."""
    schema = model.resource.path.rpartition(".")[0]
    return f"{schema}.{re.sub(r'[^a-z0-9_]', '_', endpoint_name.lower())}{SUFFIX}"


def make_table(actor: Actor, endpoint: Endpoint, model: RegisteredModel, name: str = "") -> Resource:
    """The endpoint's inference table: a new one, or one that an endpoint before it left and the actor may edit."""
    name = (name or table_name(str(endpoint.name), model)).strip().lower()
    found = find_resource("table", name)
    if found is None:
        return ingest.make_inference_table(
            actor, name, record.schema(), description=f"Requests and predictions of {endpoint.name}"
        )
    authorise(actor, Level.EDIT, found)
    if Endpoint.objects.filter(inference_table=found, name__isnull=False).exists():
        raise Conflict(f"{name} is another endpoint's inference table; give inference_table another name.")
    if not ingest.has_schema(found, record.schema()):
        raise Invalid(fields={"inference_table": f"{name} is a table of other columns; give another name."})
    return found


def tail(actor: Actor, endpoint: Endpoint, limit: int = TAIL_ROWS) -> Tail:
    """The newest requests, as far as they have been shipped, for those who may view the inference table."""
    if endpoint.inference_table is None:
        return Tail([], hidden=False)
    try:
        rows: list[dict[str, Any]] = ingest.newest_rows(actor, endpoint.inference_table, limit, order="request_time")
    except (NotFound, Forbidden):
        return Tail([], hidden=True)
    return Tail([_shown(row) for row in rows], hidden=False)


def find(actor: Actor, endpoint: Endpoint, request_id: str) -> LoggedRequest:
    """One of the newest requests, by its id. Raises NotFound, also for those who may not view the inference table."""
    found = tail(actor, endpoint, FIND_ROWS)
    for row in found.items:
        if row.id == request_id:
            return row
    raise NotFound(f"It is not among the newest {FIND_ROWS:,} requests; look into the inference table.")


def _shown(row: dict[str, Any]) -> LoggedRequest:
    return LoggedRequest(
        id=row["databricks_request_id"],
        at=row["request_time"],
        status=row["status_code"],
        milliseconds=row["execution_duration_ms"],
        model_version=row["model_version"],
        requester=row["requester"],
        request=row["request"] or "",
        response=row["response"] or "",
    )
