"""Examples of the registry."""

from __future__ import annotations

from typing import Any

from apps.access import operations as access
from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.resources import find_resource, root_resource
from apps.registry import operations, transitions
from apps.tables.places import make_schema
from tests.builders import Side
from tests.isolation.kit import Example, Made
from tests.registry.makers import a_version

V1 = "/api/v1"
VIEW, USE, EDIT, MANAGE = Level.VIEW, Level.USE, Level.EDIT, Level.MANAGE


def version(side: Side) -> Made:
    made = a_version(side.admin)
    return {"thing": made.model, "version": made}


def schema(side: Side) -> Made:
    catalog = find_resource("catalog", "main")
    assert catalog is not None
    return {"thing": make_schema(side.admin, catalog, f"of_{side.workspace.name}").resource}


def trashed(side: Side) -> Made:
    made = version(side)
    operations.delete_model(actor=side.admin, model=made["thing"])
    return made


def with_source(side: Side) -> Made:
    """A model, and a version of it that whoever may see the model can register again."""
    made = version(side)
    operations.set_alias(actor=side.admin, model=made["thing"], alias="champion", version=made["version"])
    return made


def rollable(side: Side) -> Made:
    """Version 2 is in Production, where version 1 was."""
    made = version(side)
    model = made["thing"]
    for one in (made["version"], a_version(side.admin, model)):
        wish: Any = {"model": model, "version": one, "stage": "Production", "archive_existing": True}
        operations.move_to_stage(actor=side.admin, **wish)
    return made


def asked(side: Side) -> Made:
    """Somebody who may use the model asks for Production."""
    made = version(side)
    member = access.add_member(actor=side.admin, root=root_resource(), email=f"asks-{side.workspace.name}@example.com")
    access.share(actor=side.admin, resource=made["thing"].resource, grantee=member.user, level=Level.USE)
    wish: Any = {"model": made["thing"], "version": made["version"], "stage": "Production"}
    actor = Actor(user=member.user, workspace=side.workspace)
    return made | {"request": transitions.request_transition(actor=actor, **wish)}


def request(route: str, method: str, path: str = "", **more: Any) -> Example:
    return Example(
        f"transition-request-{route}",
        method,
        lambda m: f"{V1}/transition-requests/{m['request'].pk}{path}",
        setup=asked,
        **more,
    )


def model(route: str, method: str, path: str = "", *, setup: Any = version, **more: Any) -> Example:
    return Example(
        f"registered-model-{route}", method, lambda m: f"{V1}/models/{m['thing'].pk}{path}", setup=setup, **more
    )


def one(route: str, method: str, path: str = "", **more: Any) -> Example:
    return Example(
        f"model-version-{route}",
        method,
        lambda m: f"{V1}/model-versions/{m['version'].pk}{path}",
        setup=version,
        **more,
    )


TAG, KEY = {"key": "team", "value": "ops"}, {"key": "team"}
EXAMPLES = [
    Example("registered-model-list", "GET", lambda m: f"{V1}/models", setup=version, filtered=True),
    Example(
        "registered-model-list",
        "POST",
        lambda m: f"{V1}/models",
        setup=schema,
        needs=EDIT,
        body=lambda m: {"name": f"main.{m['thing'].name.split('.')[0]}.mine"},
        ok=201,
    ),
    model("detail", "GET", needs=VIEW),
    model("detail", "PATCH", needs=EDIT, body=lambda m: {"description": "new"}),
    model("detail", "DELETE", needs=MANAGE, ok=204),
    model("restore", "POST", "/restore", setup=trashed, needs=MANAGE),
    model("rename", "POST", "/rename", needs=MANAGE, body=lambda m: {"name": "attrition"}),
    model("set-gate", "POST", "/set-gate", needs=MANAGE, body=lambda m: {"stage": "Staging", "level": "manage"}),
    model("roll-back", "POST", "/roll-back", setup=rollable, needs=MANAGE, body=lambda m: {"version": 1}),
    model("transition-requests", "GET", "/transition-requests", setup=asked, needs=VIEW),
    model("set-tag", "POST", "/set-tag", needs=EDIT, body=lambda m: TAG),
    model("delete-tag", "POST", "/delete-tag", needs=EDIT, body=lambda m: KEY),
    model("versions", "GET", "/versions", needs=VIEW),
    model(
        "versions",
        "POST",
        "/versions",
        setup=with_source,
        needs=EDIT,
        body=lambda m: {"source": "models:/churn@champion"},
        ok=201,
    ),
    model("stage-history", "GET", "/stage-history", needs=VIEW),
    model("aliases", "GET", "/aliases", needs=VIEW),
    model("set-alias", "POST", "/set-alias", needs=EDIT, body=lambda m: {"alias": "champion", "version": 1}),
    model("delete-alias", "POST", "/delete-alias", needs=EDIT, body=lambda m: {"alias": "champion"}, ok=204),
    one("detail", "GET", needs=VIEW),
    one("detail", "PATCH", needs=EDIT, body=lambda m: {"description": "new"}),
    one("detail", "DELETE", needs=MANAGE, ok=204),
    one("transition-requests", "GET", "/transition-requests", needs=VIEW),
    one("transition-requests", "POST", "/transition-requests", needs=USE, body=lambda m: {"stage": "Staging"}, ok=201),
    Example("transition-request-list", "GET", lambda m: f"{V1}/transition-requests", setup=asked, filtered=True),
    request("detail", "GET", needs=VIEW),
    request("approve", "POST", "/approve", needs=MANAGE, body=lambda m: {}),
    request("cancel", "POST", "/cancel", needs=MANAGE, body=lambda m: {}),
    request("reject", "POST", "/reject", needs=MANAGE, body=lambda m: {}),
    one("move-to-stage", "POST", "/move-to-stage", needs=EDIT, body=lambda m: {"stage": "Staging"}),
    one("set-tag", "POST", "/set-tag", needs=EDIT, body=lambda m: TAG),
    one("delete-tag", "POST", "/delete-tag", needs=EDIT, body=lambda m: KEY),
]
