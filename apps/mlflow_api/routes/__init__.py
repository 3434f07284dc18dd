"""Every endpoint of the door, one row each, by group."""

from apps.mlflow_api.routes import artifacts, registry, server, tracking

ROUTES = [*server.ROUTES, *tracking.ROUTES, *registry.ROUTES, *artifacts.ROUTES]
