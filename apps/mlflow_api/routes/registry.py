"""Endpoints of the group `registry`."""

from __future__ import annotations

from apps.mlflow_api.routing import Route

ROUTES: list[Route] = []
