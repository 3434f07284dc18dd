"""Endpoints made as people make them: of a registered version, by the operation."""

from __future__ import annotations

from typing import Any

from apps.access import operations as access
from apps.access.levels import Level
from apps.access.resources import root_resource
from apps.access.workspaces import get_group
from apps.deployments import operations
from apps.deployments.models import Endpoint
from apps.registry.models import ModelVersion
from tests.builders import Side
from tests.registry.makers import a_model, a_version


def a_served_version(side: Side) -> ModelVersion:
    """A registered version that everybody may use; its model's name carries the workspace's."""
    model = a_model(side.admin, f"churn-{side.workspace.name}")
    access.share(actor=side.admin, resource=model.resource, grantee=get_group("everyone"), level=Level.USE)
    return a_version(side.admin, model)


def a_served_model(side: Side) -> dict[str, Any]:
    """A registered model with one version, and an endpoint that serves it by number."""
    version = a_served_version(side)
    endpoint = operations.create_endpoint(
        actor=side.admin, parent=root_resource(), name="delays", model=version.model, follows="version", value="1"
    )
    return {"version": version, "thing": endpoint}


def wish(version: Any, **changes: Any) -> dict[str, Any]:
    """The body of a request that makes an endpoint."""
    return {"name": "delays", "model": version.model.name, "follows": "version", "value": "1", **changes}


def reread(endpoint: Endpoint) -> Endpoint:
    """The endpoint as it is now."""
    return Endpoint.objects.select_related("resource").get(pk=endpoint.pk)
