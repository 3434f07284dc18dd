"""Names and places: `catalog.schema.table`, what may be a name, and what a new workspace starts with."""

from __future__ import annotations

import re

from apps.access.actor import Actor
from apps.access.models import Resource
from apps.access.resources import create_resource, root_resource
from apps.foundation.errors import Invalid
from apps.tables.models import Catalog, Schema

_NAME = re.compile(r"[a-z0-9_][a-z0-9_-]{0,127}")


def clean_name(name: str, field: str = "name") -> str:
    """The name as it is kept: small letters. Raises Invalid for one that cannot be part of a table's name."""
    small = name.strip().lower()
    if not _NAME.fullmatch(small):
        raise Invalid(
            fields={field: f"“{name[:60]}” cannot be used here: a-z, 0-9, _ and -, at most 128, no dots or spaces."}
        )
    return small


def split_name(name: str, field: str = "table") -> tuple[str, str, str]:
    """Catalog, schema and table of a full name. Raises Invalid."""
    parts = name.split(".")
    if len(parts) != 3:
        raise Invalid(fields={field: f"“{name[:200]}” is no full name; write catalog.schema.table."})
    catalog, schema, table = (clean_name(part, field) for part in parts)
    return catalog, schema, table


def make_catalog(actor: Actor, name: str, *, description: str = "", open_to_makers: bool = False) -> Catalog:
    """A new catalog, for operations and seeding."""
    resource = create_resource(
        actor,
        kind="catalog",
        name=clean_name(name),
        parent=root_resource(),
        description=description,
        open_to_makers=open_to_makers,
    )
    catalog = Catalog(resource=resource)
    catalog.save(force_insert=True)
    return catalog


def make_schema(
    actor: Actor, parent: Resource, name: str, *, description: str = "", open_to_makers: bool = False
) -> Schema:
    """A new schema in a catalog, for operations and seeding."""
    resource = create_resource(
        actor,
        kind="schema",
        name=clean_name(name),
        parent=parent,
        description=description,
        open_to_makers=open_to_makers,
    )
    schema = Schema(resource=resource)
    schema.save(force_insert=True)
    return schema


def seed_main(actor: Actor) -> None:
    """Gives a new workspace `main.default`, in which every member may make things of their own."""
    main = make_catalog(actor, "main", description="The workspace's data", open_to_makers=True)
    make_schema(actor, main.resource, "default", description="Where things without a schema go", open_to_makers=True)
