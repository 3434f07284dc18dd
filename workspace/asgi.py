"""The web process: hot and streaming routes in front of Django, by prefix, each of which decides access itself."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "workspace.settings")

from django.core.asgi import get_asgi_application

import workspace.celery  # noqa: F401  (tasks are sent to our queue, not to the library's default one)

Asgi = Callable[[dict[str, Any], Any, Any], Awaitable[None]]
django_application = get_asgi_application()

# Prefix -> "module:function". A function may hand on to Django while it has sent nothing: by returning False before it has read
# anything, or the `receive` that gives again what it read.
FRONT: list[tuple[str, str]] = [
    ("/api/2.0/mlflow-artifacts/", "apps.mlflow_api.streams:app"),
    ("/ajax-api/2.0/mlflow-artifacts/", "apps.mlflow_api.streams:app"),
    ("/ajax-api/2.0/mlflow/logged-models/", "apps.mlflow_api.streams:app"),
    ("/get-artifact", "apps.mlflow_api.streams:app"),
    ("/model-versions/get-artifact", "apps.mlflow_api.streams:app"),
    ("/static/", "workspace.static:serve"),
    ("/git/", "apps.repos.http:app"),
    ("/api/2.0/mlflow/", "apps.mlflow_api.hot:app"),
    ("/ajax-api/2.0/mlflow/", "apps.mlflow_api.hot:app"),
    ("/api/v1/table-files/", "apps.tables.streams:table_files"),
    ("/api/v1/table-writes/", "apps.tables.streams:table_writes"),
    ("/w/", "apps.notifications.stream:app"),
    ("/serving-endpoints/", "apps.deployments.scoring:app"),
    ("/api/v1/job-runs/", "apps.jobs.longpoll:app"),
    ("/w/", "apps.jobs.longpoll:app"),
]


def _load(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


# After Django is set up: it stands on our models.
with_end = _load("workspace.bodies:with_end")
_front = [(prefix, _load(place)) for prefix, place in FRONT]


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Route one connection."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    for prefix, app in _front:
        if scope["path"].startswith(prefix):
            handed_on = await app(scope, receive, send)
            if handed_on is None or handed_on is True:
                return
            receive = handed_on or receive
    if scope["type"] == "http":
        await with_end(django_application, scope, receive, send)


async def _lifespan(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
