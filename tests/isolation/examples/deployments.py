"""Examples of deployments."""

from __future__ import annotations

from typing import Any

from apps.access.levels import Level
from apps.access.resources import root_resource
from apps.deployments import operations
from tests.builders import Side
from tests.deployments.kit import a_served_model, a_served_version, wish
from tests.isolation.kit import Example, Made

V1 = "/api/v1/endpoints"
VIEW, EDIT, MANAGE = Level.VIEW, Level.EDIT, Level.MANAGE


def served(side: Side) -> Made:
    return a_served_model(side)


def stopped(side: Side) -> Made:
    made = served(side)
    operations.stop_endpoint(actor=side.admin, endpoint=made["thing"])
    return made


def at_the_top(side: Side) -> Made:
    return {"thing": root_resource(), "version": a_served_version(side)}


def of(route: str, method: str, path: str = "", setup: Any = served, **more: Any) -> Example:
    """An example whose path is filled in with the endpoint's id."""

    def filled(made: Made) -> str:
        return V1 + path.format(id=made["thing"].pk if "thing" in made else "")

    return Example(route, method, filled, setup=setup, **more)


EXAMPLES = [
    of("endpoint-list", "GET", filtered=True),
    of("endpoint-list", "POST", setup=at_the_top, needs=EDIT, body=lambda m: wish(m["version"]), ok=201),
    of("endpoint-detail", "GET", "/{id}", needs=VIEW),
    of("endpoint-detail", "DELETE", "/{id}", needs=MANAGE, ok=204),
    of(
        "endpoint-update-config",
        "POST",
        "/{id}/update-config",
        needs=EDIT,
        body=lambda m: {"model": m["version"].model.name, "follows": "stage", "value": "Production"},
    ),
    of("endpoint-start", "POST", "/{id}/start", setup=stopped, needs=EDIT),
    of("endpoint-stop", "POST", "/{id}/stop", needs=EDIT),
    of("endpoint-configs", "GET", "/{id}/configs", needs=VIEW),
    of("endpoint-served", "GET", "/{id}/served", needs=VIEW),
    of("endpoint-replicas", "GET", "/{id}/replicas", needs=VIEW),
    of("endpoint-requests", "GET", "/{id}/requests", needs=VIEW),
    of("endpoint-figures", "GET", "/{id}/figures", needs=VIEW),
    of("endpoint-log", "GET", "/{id}/log", needs=EDIT),
]
