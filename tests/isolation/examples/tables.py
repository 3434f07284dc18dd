"""Examples of tables. Names carry the workspace's, since a name asked for is looked up in one's own."""

from __future__ import annotations

from apps.access.levels import Level
from apps.access.operations import trash_resource
from apps.access.resources import root_resource
from apps.tables import operations, staging
from tests.builders import Side
from tests.isolation.kit import Example, Made
from tests.tables.kit import a_table, a_write, numbers, write

V1 = "/api/v1"
MANAGE, EDIT, VIEW, DISCOVER = Level.MANAGE, Level.EDIT, Level.VIEW, Level.DISCOVER


def root(side: Side) -> Made:
    return {"thing": root_resource()}


def catalog(side: Side) -> Made:
    return {"thing": operations.create_catalog(actor=side.admin, root=root_resource(), name=side.workspace.name)}


def schema(side: Side) -> Made:
    home = catalog(side)["thing"]
    return {"thing": operations.create_schema(actor=side.admin, catalog=home.resource, name="flights")}


def table(side: Side) -> Made:
    schema(side)
    made = a_table(side.admin, f"{side.workspace.name}.flights.flights", numbers(1))
    write(side.admin, made, numbers(2))
    return {"thing": made}


def trashed(side: Side) -> Made:
    made = table(side)
    trash_resource(actor=side.admin, resource=made["thing"].resource)
    return made


def begun(side: Side) -> Made:
    made = table(side)
    return {**made, "write": a_write(side.admin, made["thing"].name, numbers(3))}


def uploaded(side: Side) -> Made:
    made = table(side)
    staged = operations.begin_table_write(actor=side.admin, table=made["thing"], file_name="more.csv")
    path = staging.upload_path(staged)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("n\n4\n")
    return {**made, "write": staged}


def inside_catalog(made: Made) -> dict[str, str]:
    return {"catalog": made["thing"].resource.path, "name": "more"}


def inside_schema(made: Made) -> dict[str, object]:
    catalog, schema = made["thing"].resource.path.split(".")[:2]
    return {"name": f"{catalog}.{schema}.more", "columns": [{"name": "n", "type": "long"}]}


def of(route: str, method: str, path: str, setup=table, **more) -> Example:  # type: ignore[no-untyped-def]
    """An example whose path is filled in with the id of the thing or write."""

    def filled(made: Made) -> str:
        return V1 + path.format(id=getattr(made.get("thing"), "pk", ""), write=getattr(made.get("write"), "pk", ""))

    return Example(route, method, filled, setup=setup, **more)


EXAMPLES = [
    of("catalog-list", "GET", "/catalogs", setup=catalog, filtered=True),
    of("catalog-list", "POST", "/catalogs", setup=root, needs=EDIT, body=lambda m: {"name": "more"}, ok=201),
    of("catalog-detail", "GET", "/catalogs/{id}", setup=catalog, needs=VIEW),
    of("schema-list", "GET", "/schemas", setup=schema, filtered=True),
    of("schema-list", "POST", "/schemas", setup=catalog, needs=EDIT, body=inside_catalog, ok=201),
    of("schema-detail", "GET", "/schemas/{id}", setup=schema, needs=VIEW),
    of("table-list", "GET", "/tables", filtered=True),
    of("table-list", "POST", "/tables", setup=schema, needs=EDIT, body=inside_schema, ok=201),
    of("table-detail", "GET", "/tables/{id}", needs=VIEW),
    of("table-detail", "PATCH", "/tables/{id}", needs=EDIT, body=lambda m: {"description": "new"}),
    of("table-detail", "DELETE", "/tables/{id}", needs=MANAGE, ok=204),
    of("table-restore", "POST", "/tables/{id}/restore", setup=trashed, needs=MANAGE),
    of("table-delete-forever", "POST", "/tables/{id}/delete-forever", setup=trashed, needs=MANAGE, ok=204),
    of("table-preview", "GET", "/tables/{id}/preview", needs=VIEW),
    of("table-versions", "GET", "/tables/{id}/versions", needs=VIEW),
    of("table-restore-version", "POST", "/tables/{id}/restore-version", needs=EDIT, body=lambda m: {"version": 0}),
    of("table-read", "POST", "/tables/{id}/read", needs=VIEW),
    of("table-statistics", "GET", "/tables/{id}/statistics", needs=VIEW),
    of("table-difference", "GET", "/tables/{id}/difference?before=0&after=1", needs=VIEW),
    of("table-row-history", "POST", "/tables/{id}/row-history", needs=VIEW, body=lambda m: {"key": {"n": "1"}}),
    of(
        "table-describe-column",
        "POST",
        "/tables/{id}/describe-column",
        needs=EDIT,
        body=lambda m: {"column": "n", "description": "a"},
    ),
    of("table-column-notes", "GET", "/tables/{id}/column-notes", needs=VIEW),
    of("table-declare-key", "POST", "/tables/{id}/declare-key", needs=EDIT, body=lambda m: {"key": ["n"]}),
    of("table-write", "POST", "/tables/{id}/write", needs=EDIT, ok=201),
    of("table-write-list", "POST", "/table-writes", needs=EDIT, body=lambda m: {"table": m["thing"].name}, ok=201),
    of("table-write-detail", "GET", "/table-writes/{write}", setup=begun),
    of("table-write-detail", "DELETE", "/table-writes/{write}", setup=begun, ok=204),
    of("table-write-parse", "POST", "/table-writes/{write}/parse", setup=uploaded, ok=202),
    of("table-write-commit", "POST", "/table-writes/{write}/commit", setup=begun, body=lambda m: {"mode": "append"}),
]
