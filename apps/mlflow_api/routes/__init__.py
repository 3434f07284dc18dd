"""Every endpoint of the door, one row each, by group."""

from apps.mlflow_api.routes import artifacts, logged_models, registry, server, tracking

ROUTES = [*server.ROUTES, *tracking.ROUTES, *registry.ROUTES, *logged_models.ROUTES, *artifacts.ROUTES]
