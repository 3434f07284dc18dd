"""One row per endpoint, answered equally under /api and /ajax-api: decode, call, encode."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, re_path
from django.views.decorators.csrf import csrf_exempt

from apps.access.actor import Actor
from apps.foundation.errors import Invalid, NotFound, Unauthenticated
from apps.mlflow_api.errors import EndpointNotFound, error_answer
from apps.mlflow_api.wire import Message, decode, decode_query, parse_json

PREFIXES = ("api", "ajax-api")
Answer = dict[str, Any] | bytes | HttpResponse | None


@dataclass(frozen=True)
class Route:
    """`path` is what follows /api/ (`2.0/mlflow/runs/create`); its variables are fields of the message.

    The handler takes (actor, message) and returns a dict or JSON bytes (None: `{}`), or a whole response. `takes_request` handlers
    take (request, actor, message). `is_open` ones answer strangers too, and then the actor may be None.
    """

    method: str
    path: str
    message: type[Message]
    handler: Callable[..., Answer]
    prefixes: tuple[str, ...] = PREFIXES
    takes_request: bool = False
    is_open: bool = False
    reads_body: bool = True


class Nothing(Message, frozen=True):
    """A message without fields."""


def url_patterns(routes: Iterable[Route]) -> list[URLPattern]:
    """Django's patterns for the routes, and ENDPOINT_NOT_FOUND for all else below the door's prefixes."""
    by_path: dict[str, dict[str, Route]] = {}
    for route in routes:
        for prefix in route.prefixes:
            methods = by_path.setdefault(f"{prefix}/{route.path}" if prefix else route.path, {})
            if route.method in methods:
                raise ValueError(f"two routes for {route.method} {route.path}")
            methods[route.method] = route
    found = [path(address, _view(methods), name=f"mlflow:{address}") for address, methods in by_path.items()]
    found.append(re_path(r"^(?:ajax-)?api/[23]\.0/mlflow(?:-artifacts)?(?:/|$)", _view({}), name="mlflow:unknown"))
    return found


def _view(methods: dict[str, Route]) -> Callable[..., HttpResponse]:
    @csrf_exempt  # The middleware checks it for sessions; programs send tokens.
    def view(request: HttpRequest, **variables: str) -> HttpResponse:
        try:
            route = methods.get("GET" if request.method == "HEAD" else request.method or "")
            if route is None:
                raise EndpointNotFound(f"There is no {request.method} {request.path} here.")
            actor = request.actor if route.is_open else require_actor(request, request.actor)  # type: ignore[attr-defined]
            message = _message(request, route, variables)
            return answer(
                route.handler(request, actor, message) if route.takes_request else route.handler(actor, message)
            )
        except Exception as raised:
            return error_answer(request, raised)

    view.mlflow_routes = methods  # type: ignore[attr-defined]
    return view


def answer(found: Answer) -> HttpResponse:
    """What a handler returned, as a response."""
    if isinstance(found, HttpResponse):
        return found
    body = found if isinstance(found, bytes) else orjson.dumps(found or {})
    return HttpResponse(body, content_type="application/json")


def require_actor(request: HttpRequest, actor: Actor | None) -> Actor:
    """The actor, when somebody asks in the workspace that the client named. Raises Unauthenticated, NotFound."""
    if actor is None:
        raise Unauthenticated(
            "Send a token: MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD."
        )
    named = request.headers.get("X-MLFLOW-WORKSPACE")
    if named and named != actor.workspace.name:
        raise NotFound(f"Workspace '{named}' not found.")
    return actor


def _message(request: HttpRequest, route: Route, variables: dict[str, str]) -> Message:
    if not route.reads_body:
        return decode(route.message, variables)
    if request.method in ("GET", "HEAD"):
        return decode_query(
            route.message, {**dict(request.GET.lists()), **{name: [value] for name, value in variables.items()}}
        )
    if request.body and not (request.content_type or "").startswith("application/json"):
        raise Invalid("Send the body as JSON, with the header Content-Type: application/json.")
    return decode(route.message, {**parse_json(request.body), **variables})
