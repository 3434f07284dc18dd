"""Reads: finding tables by id or name, their versions, what a version holds."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet, Sum

from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.policy import authorise, fetch, fetch_path, visible
from apps.access.resources import find_resource
from apps.foundation.clock import now
from apps.foundation.errors import Invalid, NotFound
from apps.foundation.ids import parse_id
from apps.lineage.queries import SeenNode, Use, uses_of
from apps.tables import delta, places
from apps.tables.models import Catalog, Computation, Schema, StagedWrite, Table, TableVersion
from apps.tables.types import describe, plain

PREVIEW_ROWS_MAX = 1000


@dataclass(frozen=True)
class Preview:
    """Some rows of a version, as plain values. `rows` is how many the version has."""

    version: int
    committed_at: datetime
    columns: list[dict[str, Any]]
    items: list[list[Any]]
    rows: int


def get_table(actor: Actor, reference: str, *, needs: Level = Level.VIEW, trashed: bool | None = False) -> Table:
    """The table with this id or full name. Raises NotFound, Forbidden."""
    if parse_id(reference):
        return fetch(Table, reference, actor=actor, needs=needs, trashed=trashed)
    return fetch_path(Table, "table", reference.strip().lower(), actor=actor, needs=needs)


def get_schema(actor: Actor, reference: str, *, needs: Level = Level.VIEW) -> Schema:
    """The schema with this id or `catalog.schema`. Raises NotFound, Forbidden."""
    if parse_id(reference):
        return fetch(Schema, reference, actor=actor, needs=needs)
    return fetch_path(Schema, "schema", reference.strip().lower(), actor=actor, needs=needs)


def get_catalog(actor: Actor, reference: str, *, needs: Level = Level.VIEW) -> Catalog:
    """The catalog with this id or name. Raises NotFound, Forbidden."""
    if parse_id(reference):
        return fetch(Catalog, reference, actor=actor, needs=needs)
    return fetch_path(Catalog, "catalog", reference.strip().lower(), actor=actor, needs=needs)


def get_schema_to_make_in(path: str) -> Schema:
    """The schema in which something shall be made; the operation that makes it does the check. Raises NotFound."""
    resource = find_resource("schema", path.strip().lower())
    if resource is None:
        raise NotFound
    return Schema.objects.select_related("resource").get(resource=resource)


def get_catalog_to_make_in(path: str) -> Resource:
    """The same for a catalog, as its Resource."""
    resource = find_resource("catalog", path.strip().lower())
    if resource is None:
        raise NotFound
    return resource


def get_write(actor: Actor, write_id: object) -> StagedWrite:
    """A write that the actor began. Raises NotFound for any other, and when they may no longer write there."""
    wanted = parse_id(write_id)
    writes = StagedWrite.objects.select_related("schema__resource", "table__resource", "user")
    write = writes.filter(pk=wanted, user_id=actor.user_id).first() if wanted else None
    if write is None:
        raise NotFound
    may_write(actor, write)
    return write


def may_write(actor: Actor, write: StagedWrite) -> None:
    """Raises NotFound or Forbidden unless the actor may still write where this goes."""
    if write.table is not None:
        authorise(actor, Level.EDIT, write.table)
    elif not (write.schema.open_to_makers and actor.allows("tables", writing=True)):
        authorise(actor, Level.EDIT, write.schema)


def find_target(actor: Actor, name: str) -> tuple[Schema, Table | None]:
    """The schema of a full name, and the table when it is there and the actor may edit it. Raises NotFound, Forbidden."""
    catalog, schema, table = places.split_name(name)
    resource = find_resource("table", f"{catalog}.{schema}.{table}")
    home = get_schema_to_make_in(f"{catalog}.{schema}")
    if resource is None:
        return home, None
    return home, fetch(Table, resource.pk, actor=actor, needs=Level.EDIT)


def list_tables(actor: Actor, *, inside: str = "", text: str = "", at_least: Level = Level.DISCOVER) -> QuerySet[Table]:
    """Tables that the actor may know of, in a catalog or schema, whose name contains `text`."""
    found = visible(Table, actor, at_least).select_related("resource__owner")
    if inside:
        low = inside.strip().lower()
        # A range instead of LIKE: row-level security keeps indexes away from operators that are not leakproof.
        found = found.filter(resource__path__gte=f"{low}.", resource__path__lt=f"{low}/")
    if text:
        found = found.filter(resource__path__contains=text.strip().lower())
    return found


def list_schemas(actor: Actor, *, catalog: str = "") -> QuerySet[Schema]:
    """Schemas that the actor may know of."""
    found = visible(Schema, actor, Level.DISCOVER).select_related("resource__owner")
    return found.filter(resource__parent__path=catalog.strip().lower()) if catalog else found


def list_catalogs(actor: Actor) -> QuerySet[Catalog]:
    """Catalogs that the actor may know of."""
    return visible(Catalog, actor, Level.DISCOVER).select_related("resource__owner")


def version_at(table: Table, version: int | None = None, timestamp: datetime | None = None) -> TableVersion:
    """The version with this number, the one that was newest at this moment, or the newest. Raises NotFound, Invalid."""
    if version is not None and timestamp is not None:
        raise Invalid(fields={"timestamp": "Give a version or a timestamp, not both."})
    versions = table.versions.all()
    if timestamp is not None:
        found = versions.filter(committed_at__lte=timestamp).order_by("-version").first()
        if found is None:
            first = versions.order_by("version").first()
            since = f" It begins at {first.committed_at.isoformat()}." if first else ""
            raise NotFound(f"{table.name} was not there at {timestamp.isoformat()}.{since}")
        return found
    found = versions.filter(version=table.version if version is None else version).first()
    if found is None:
        raise NotFound(f"{table.name} has no version {version}; it has versions 0 to {table.version}.")
    return found


def find_version(table: Table, *, key: str, write_id: uuid.UUID) -> TableVersion | None:
    """The version that this key or staged write made, or None."""
    versions = table.versions.select_related("table__resource")
    return (versions.filter(key=key).first() if key else None) or versions.filter(write_id=write_id).first()


def get_computation(table: Table, reference: str) -> Computation:
    """One of the table's computations, by id. Raises NotFound."""
    wanted = parse_id(reference)
    found: Computation | None = table.computations.filter(pk=wanted).first() if wanted else None
    if found is None:
        raise NotFound
    return found


def reads_this_week(table: Table) -> int:
    """How many reads were asked for in the last seven days."""
    since = now().date() - timedelta(days=6)
    return table.read_counts.filter(day__gte=since).aggregate(sum=Sum("count"))["sum"] or 0


def models_of_versions(actor: Actor, table: Table) -> dict[int, list[SeenNode]]:
    """The model versions that came of each version of the table, as far as the actor may see them."""
    found: dict[int, list[SeenNode]] = {}
    for use in uses_of(actor, "table_version", str(table.pk)):
        if use.node.kind == "model_version" and not use.node.redacted:
            for version in use.versions:
                found.setdefault(int(version), []).append(use.node)
    return found


@dataclass(frozen=True)
class UseGroup:
    """Everything of one kind that a table went into; `hidden` is how many more there are that the actor may not see."""

    kind: str
    uses: list[Use]
    hidden: int


def uses(actor: Actor, table: Table) -> list[UseGroup]:
    """Who uses the table, by kind."""
    found: dict[str, list[Use]] = {}
    for use in uses_of(actor, "table_version", str(table.pk)):
        found.setdefault(use.node.kind, []).append(use)
    return [
        UseGroup(
            kind, _once(use for use in found[kind] if not use.node.redacted), sum(u.node.redacted for u in found[kind])
        )
        for kind in ("endpoint", "model_version", "table_version", "run", "job_run")
        if kind in found
    ]


def _once(uses: Iterable[Use]) -> list[Use]:
    """Tables that were made from it, each once, with the newest of their versions; other things as they are."""
    kept: dict[tuple[str, str], Use] = {}
    for use in uses:
        kept.setdefault((use.node.kind, use.node.key if use.node.kind == "table_version" else use.node.id), use)
    return list(kept.values())


def preview(
    table: Table,
    *,
    version: int | None = None,
    timestamp: datetime | None = None,
    limit: int = 100,
    columns: list[str] | None = None,
) -> Preview:
    """The newest rows of a version."""
    at = version_at(table, version, timestamp)
    state = delta.snapshot(table.root, at.version)
    if unknown := set(columns or ()) - set(state.schema.names):
        raise Invalid(fields={"columns": f"There is no column {', '.join(sorted(unknown))} in version {at.version}."})
    rows = delta.preview(table.root, state, min(limit, PREVIEW_ROWS_MAX), columns)
    cells = [[plain(value) for value in column.to_pylist()] for column in rows.columns]
    items = [list(row) for row in zip(*cells, strict=True)]
    return Preview(at.version, at.committed_at, describe(rows.schema), items, at.rows)
