"""Examples of the registry."""

from __future__ import annotations

from typing import Any

from apps.access.levels import Level
from apps.access.resources import find_resource
from apps.registry import operations
from apps.tables.places import make_schema
from tests.builders import Side
from tests.isolation.kit import Example, Made
from tests.registry.makers import a_version

V1 = "/api/v1"
VIEW, EDIT, MANAGE = Level.VIEW, Level.EDIT, Level.MANAGE


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
    model("set-gates", "POST", "/set-gates", needs=MANAGE, body=lambda m: {"gates": {"Staging": "manage"}}),
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
    one("move-to-stage", "POST", "/move-to-stage", needs=EDIT, body=lambda m: {"stage": "Staging"}),
    one("set-tag", "POST", "/set-tag", needs=EDIT, body=lambda m: TAG),
    one("delete-tag", "POST", "/delete-tag", needs=EDIT, body=lambda m: KEY),
]
