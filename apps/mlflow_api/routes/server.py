"""What clients ask of the server itself before anything else."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from apps.access.actor import Actor
from apps.mlflow_api.routing import Nothing, Route

# The release whose protocol this door speaks. Clients send no spans to a server below 3.4.
SPOKEN_VERSION = "3.17.2"


def health(actor: Actor | None, message: Nothing) -> HttpResponse:
    """Alive, as bare text."""
    return HttpResponse("OK", content_type="text/plain")


def version(actor: Actor | None, message: Nothing) -> HttpResponse:
    """The protocol's version, as bare text."""
    return HttpResponse(SPOKEN_VERSION, content_type="text/plain")


def server_info(actor: Actor | None, message: Nothing) -> dict[str, Any]:
    """What this server can do; what is absent it cannot."""
    return {
        "store_type": "Boathouse",
        "workspaces_enabled": True,
        "multipart_uploads_enabled": False,
        "multipart_downloads_enabled": False,
        "features_enabled": {"gateway": False},
    }


ROUTES = [
    Route("GET", "health", Nothing, health, prefixes=("",), is_open=True),
    Route("GET", "version", Nothing, version, prefixes=("",), is_open=True),
    Route("GET", "3.0/mlflow/server-info", Nothing, server_info, is_open=True),
]
