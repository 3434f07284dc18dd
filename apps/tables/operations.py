"""What people can do with tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from apps.access import audit
from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.operation import operation
from apps.access.resources import create_resource, find_resource
from apps.foundation.errors import Conflict, Invalid
from apps.tables import columns as column_notes
from apps.tables import commits, computations, delta, parsing, places, staging
from apps.tables.arrow import pa
from apps.tables.models import Catalog, ColumnNote, Computation, Schema, StagedWrite, Table, TableVersion
from apps.tables.types import schema_from

Kind = TableVersion.Kind


@operation(needs=Level.EDIT, on="root", open_to_makers=True)
def create_catalog(*, actor: Actor, root: Resource, name: str, description: str = "") -> Catalog:
    """Make a catalog."""
    catalog = places.make_catalog(actor, name, description=description)
    audit.record(actor, "tables.create_catalog", catalog, after={"name": catalog.resource.path})
    return catalog


@operation(needs=Level.EDIT, on="catalog", open_to_makers=True)
def create_schema(*, actor: Actor, catalog: Resource, name: str, description: str = "") -> Schema:
    """Make a schema in a catalog."""
    schema = places.make_schema(actor, catalog, name, description=description)
    audit.record(actor, "tables.create_schema", schema, after={"name": schema.resource.path})
    return schema


@operation(needs=Level.EDIT, on="schema", open_to_makers=True)
def create_table(
    *,
    actor: Actor,
    schema: Schema,
    name: str,
    columns: Sequence[dict[str, Any]] | None = None,
    write: StagedWrite | None = None,
    description: str = "",
    key: str = "",
    note: str = "",
    doing: Sequence[str] = (),
    purpose: str = "",
) -> TableVersion:
    """Make a table: empty with the given columns, or with the files of a staged write in it, all in version 0."""
    name = places.clean_name(name)
    if done := _made_before(schema, name, key, write):
        audit.record(actor, "tables.create_table", done.table, after={"name": done.table.name, "repeated": True})
        return done
    wanted = schema_from(columns) if columns else None
    if wanted is None and write is None:
        raise Invalid(fields={"columns": "Give the columns of the table, or files to take them from."})
    resource = create_resource(actor, kind="table", name=name, parent=schema.resource, description=description)
    table = Table(resource=resource, purpose=purpose)
    table.save(force_insert=True)

    def make(facts: dict[str, object], once: delta.Once | None) -> delta.Commit:
        with commits.laid_files(table, write) as files:
            shape = wanted or _common_schema(files)
            return delta.create(table.root, shape, files, facts=facts | commits.added(files), once=once)

    version = commits.commit(actor, table, Kind.CREATE, make, staged=write, key=key, note=note, doing=doing)
    if write:
        staging.settle(write, table, version.version)
    audit.record(actor, "tables.create_table", table, after={"name": table.name, "rows": version.rows})
    return version


@operation(needs=Level.EDIT, on="table")
def append(
    *,
    actor: Actor,
    table: Table,
    write: StagedWrite,
    key: str = "",
    note: str = "",
    doing: Sequence[str] = (),
    add_columns: bool = False,
) -> TableVersion:
    """Add the rows of a staged write, as one version. `add_columns` takes columns that the table does not have yet."""
    _must_live(table)

    def make(facts: dict[str, object], once: delta.Once | None) -> delta.Commit:
        with commits.laid_files(table, write) as files:
            if add_columns:
                _widen(table, files, facts)
            return delta.append(table.root, files, facts=facts | commits.added(files), once=once)

    return _written(actor, table, Kind.APPEND, make, write, key, note, doing)


@operation(needs=Level.EDIT, on="table")
def overwrite(
    *,
    actor: Actor,
    table: Table,
    write: StagedWrite,
    key: str = "",
    note: str = "",
    doing: Sequence[str] = (),
    expected_version: int | None = None,
) -> TableVersion:
    """Replace everything in the table, its columns too, by a staged write, as one version; older versions stay."""
    _must_live(table)

    def make(facts: dict[str, object], once: delta.Once | None) -> delta.Commit:
        with commits.laid_files(table, write) as files:
            shape = _common_schema(files)
            return delta.overwrite(
                table.root, files, shape, facts=facts | commits.added(files), once=once, expected=expected_version
            )

    return _written(actor, table, Kind.OVERWRITE, make, write, key, note, doing)


@operation(needs=Level.EDIT, on="table")
def restore_version(
    *, actor: Actor, table: Table, version: int, key: str = "", note: str = "", doing: Sequence[str] = ()
) -> TableVersion:
    """Bring an old version back as a new one; what lies between stays in the history."""
    _must_live(table)
    commits.catch_up(table)
    if version == table.version:
        raise Conflict(f"Version {version} is the newest; there is nothing to restore.")

    def make(facts: dict[str, object], once: delta.Once | None) -> delta.Commit:
        return delta.restore(table.root, version, facts=facts, once=once)

    made = commits.commit(actor, table, Kind.RESTORE, make, key=key, note=note, doing=doing, restored=version)
    audit.record(
        actor, "tables.restore_version", table, after={"version": made.version, "restored": version}, comment=note
    )
    return made


@operation(needs=Level.EDIT, on="table")
def describe_column(
    *, actor: Actor, table: Table, column: str, description: str | None = None, tags: Sequence[str] | None = None
) -> ColumnNote:
    """Say what a column is and tag it; what is not given stays."""
    note, before, after = column_notes.describe(table, column, description, tags)
    audit.record(actor, "tables.describe_column", table, before=before, after=after)
    return note


@operation(needs=Level.EDIT, on="table")
def declare_key(*, actor: Actor, table: Table, key: Sequence[str]) -> Table:
    """Say which columns tell one row from another, for differences and histories; none takes the declaration back."""
    before, after = table.key_columns, column_notes.columns_of_key(table, key)
    table.key_columns = after
    table.save(update_fields=["key_columns"])
    audit.record(actor, "tables.declare_key", table, before={"key": before}, after={"key": after})
    return table


@operation(needs=Level.VIEW, on="computation")
def cancel_computation(*, actor: Actor, computation: Computation) -> Computation:
    """End what is being worked out from a table."""
    computations.cancel(computation)
    audit.record(actor, "tables.cancel_computation", computation, after={"of": computation.kind})
    return computation


@operation(needs=Level.VIEW, on="computation")
def repeat_computation(*, actor: Actor, computation: Computation) -> Computation:
    """Work out again what failed or was canceled."""
    computations.begin_again(computation)
    audit.record(actor, "tables.repeat_computation", computation, after={"of": computation.kind})
    return computation


@operation(needs=Level.EDIT, on="schema", open_to_makers=True)
def begin_write(*, actor: Actor, schema: Schema, name: str, file_name: str = "") -> StagedWrite:
    """Open a place for files that shall become a new table."""
    write = staging.begin(actor, schema, places.clean_name(name), None, file_name)
    audit.record(actor, "tables.begin_write", schema, after={"table": str(write), "file": file_name})
    return write


@operation(needs=Level.EDIT, on="table")
def begin_table_write(*, actor: Actor, table: Table, file_name: str = "") -> StagedWrite:
    """Open a place for files that shall go into a table."""
    _must_live(table)
    schema = Schema.objects.get(resource=table.resource.parent)
    write = staging.begin(actor, schema, table.resource.name, table, file_name)
    audit.record(actor, "tables.begin_table_write", table, after={"file": file_name})
    return write


@operation(needs=None, on="write")
def parse_file(*, actor: Actor, write: StagedWrite, options: dict[str, Any]) -> StagedWrite:
    """Have the uploaded file of a write read, in a guest; its report tells columns, types and bad rows."""
    parsing.start(write, options)
    audit.record(actor, "tables.parse_file", write, after={"file": write.file_name, **options})
    return write


@operation(needs=None, on="write")
def abandon_write(*, actor: Actor, write: StagedWrite) -> StagedWrite:
    """Let go of a write that was begun, with its files."""
    staging.abandon(write)
    audit.record(actor, "tables.abandon_write", write)
    return write


@operation(needs=Level.MANAGE, on="table")
def delete_table(*, actor: Actor, table: Table) -> None:
    """Delete a table in the trash for good, with all its versions. Nothing brings it back."""
    if table.resource.deleted_at is None:
        raise Conflict("Put the table in the trash first.")
    audit.record(
        actor, "tables.delete_table", table, before={"name": table.name, "version": table.version, "rows": table.rows}
    )
    staging.remove_after_commit(table.root.parent)
    table.resource.delete()


def _written(
    actor: Actor,
    table: Table,
    kind: TableVersion.Kind,
    make: Any,
    write: StagedWrite,
    key: str,
    note: str,
    doing: Sequence[str],
) -> TableVersion:
    made = commits.commit(actor, table, kind, make, staged=write, key=key, note=note, doing=doing)
    told = {"version": made.version, "rows": made.rows}
    if write.is_settled:
        told["repeated"] = True
    else:
        staging.settle(write, table, made.version)
    audit.record(actor, f"tables.{kind.value}", table, after=told, comment=note)
    return made


def _made_before(schema: Schema, name: str, key: str, write: StagedWrite | None) -> TableVersion | None:
    resource = find_resource("table", f"{schema.resource.path}.{name}")
    first = (
        TableVersion.objects.filter(table_id=resource.pk, version=0).select_related("table__resource")
        if resource
        else None
    )
    version = first.first() if first else None
    if version is None or not ((key and version.key == key) or (write and version.write_id == write.pk)):
        return None
    return version


def _common_schema(files: Sequence[delta.NewFile]) -> pa.Schema:
    if not files:
        raise Invalid("Nothing was uploaded; send at least one Parquet file, which may have no rows.")
    return files[0].footer.schema


def _widen(table: Table, files: Sequence[delta.NewFile], facts: dict[str, object]) -> None:
    have = set(delta.snapshot(table.root).schema.names)
    new = {field.name: field for file in files for field in file.footer.schema if field.name not in have}
    if new:
        delta.add_columns(
            table.root, list(new.values()), facts={**facts, "kind": Kind.ADD_COLUMNS.value, "key": None, "write": None}
        )


def _must_live(table: Table) -> None:
    if table.resource.deleted_at is not None:
        raise Conflict(f"{table.name} is in the trash; restore it first.")
