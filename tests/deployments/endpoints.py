"""Endpoints whose replicas are stand-ins, for tests of what lies in front of a scorer and behind it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apps.access.resources import create_resource, root_resource
from apps.access.scope import workspace_scope
from apps.deployments import record
from apps.deployments.models import Endpoint, EndpointState
from apps.tables import ingest
from tests.builders import Side


def an_endpoint(side: Side, name: str = "delays", sockets: Sequence[str] = (), *, table: bool = False) -> Endpoint:
    """An endpoint of the side's admin that answers at these sockets. The side's scope is open."""
    resource = create_resource(side.admin, kind="endpoint", name=name, parent=root_resource())
    endpoint = Endpoint(resource=resource, name=name, state=EndpointState.READY, routing=routing(sockets))
    if table:
        endpoint.inference_table = ingest.make_inference_table(
            side.admin, f"main.default.{name}_payload", record.schema()
        )
    endpoint.save(force_insert=True)
    return endpoint


def routing(sockets: Sequence[str], version: str = "1") -> str:
    """What the reconciler would write for replicas at these sockets."""
    told = {"model_name": "delay", "model_version": version, "served_id": f"served-{version}", "sockets": list(sockets)}
    return json.dumps(told) if sockets else ""


def route_to(side: Side, endpoint: Endpoint, sockets: Sequence[str], version: str = "1") -> None:
    """Change where its requests go, in a transaction of its own."""
    with workspace_scope(side.workspace):
        Endpoint.objects.filter(pk=endpoint.pk).update(routing=routing(sockets, version))


@dataclass
class Reply:
    """What the route answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


async def post(
    path: str, body: bytes = b"{}", *, token: str = "", method: str = "POST", parts: int = 1, **headers: str
) -> Reply:
    """Ask the scoring route as the web server would."""
    from apps.deployments.scoring import app

    sent = {"content-type": "application/json", **{key.replace("_", "-"): value for key, value in headers.items()}}
    if token:
        sent.setdefault("authorization", f"Bearer {token}")
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "headers": [(key.encode(), value.encode()) for key, value in sent.items()],
    }
    size = max(1, -(-len(body) // parts))
    pieces = [body[start : start + size] for start in range(0, len(body), size)] or [b""]
    messages = [
        {"type": "http.request", "body": piece, "more_body": place + 1 < len(pieces)}
        for place, piece in enumerate(pieces)
    ]
    out: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return messages.pop(0) if messages else await asyncio.Event().wait()  # type: ignore[return-value]

    async def send(message: dict[str, Any]) -> None:
        out.append(message)

    assert await app(scope, receive, send) is None
    told = {key.decode(): value.decode() for key, value in out[0]["headers"]}
    return Reply(out[0]["status"], told, out[1]["body"])


def invocations(name: str) -> str:
    """The scoring address of an endpoint."""
    return f"/serving-endpoints/{name}/invocations"
