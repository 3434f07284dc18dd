"""The API of tables: catalogs, schemas, tables with their versions, reading by ticket and writing by staged files."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access import operations as access
from apps.access.resources import root_resource
from apps.foundation.api import RoomViewSet, empty
from apps.foundation.errors import AlreadyExists
from apps.foundation.paging import page
from apps.tables import activities, difference, operations, places, queries, rowhistory, staging, statistics, tickets
from apps.tables import shapes as shape

LATEST_FIRST = ("-resource__updated_at", "-resource__id")


def doing(request: Request) -> list[str]:
    """On behalf of which activities this request reads or writes."""
    return activities.of_actor(request.actor, request.headers.get(activities.RUN_HEADER, ""))


@extend_schema(tags=["tables"])
class CatalogViewSet(RoomViewSet):
    """Catalogs."""

    serializer_class = shape.PlaceOut

    def list(self, request: Request) -> Response:
        """Catalogs that the caller may know of."""
        return shape.PlaceOut.page(
            page(queries.list_catalogs(request.actor), order=LATEST_FIRST, **self.paging(request))
        )

    def retrieve(self, request: Request, pk: str) -> Response:
        """One catalog, by id or name."""
        return shape.PlaceOut.response(queries.get_catalog(request.actor, pk))

    @extend_schema(request=shape.PlaceIn)
    def create(self, request: Request) -> Response:
        """Make a catalog."""
        wish = shape.PlaceIn.parse(request)
        return shape.PlaceOut.response(
            operations.create_catalog(actor=request.actor, root=root_resource(), **wish), 201
        )


@extend_schema(tags=["tables"])
class SchemaViewSet(RoomViewSet):
    """Schemas: what tables, feature views and models lie in."""

    serializer_class = shape.PlaceOut

    def list(self, request: Request) -> Response:
        """Schemas that the caller may know of; filter `catalog`."""
        found = queries.list_schemas(request.actor, catalog=request.query_params.get("catalog", ""))
        return shape.PlaceOut.page(page(found, order=LATEST_FIRST, **self.paging(request)))

    def retrieve(self, request: Request, pk: str) -> Response:
        """One schema, by id or as `catalog.schema`."""
        return shape.PlaceOut.response(queries.get_schema(request.actor, pk))

    @extend_schema(request=shape.SchemaIn)
    def create(self, request: Request) -> Response:
        """Make a schema in a catalog."""
        wish = shape.SchemaIn.parse(request)
        catalog = queries.get_catalog_to_make_in(wish.pop("catalog"))
        return shape.PlaceOut.response(operations.create_schema(actor=request.actor, catalog=catalog, **wish), 201)


@extend_schema(tags=["tables"])
class TableViewSet(RoomViewSet):
    """Tables, by id or full name (`main.flights.flights`)."""

    serializer_class = shape.TableOut

    def list(self, request: Request) -> Response:
        """Tables that the caller may know of; filters `in` (a catalog or `catalog.schema`) and `q`."""
        wish = request.query_params
        found = queries.list_tables(request.actor, inside=wish.get("in", ""), text=wish.get("q", ""))
        return shape.TableLineOut.page(page(found, order=LATEST_FIRST, **self.paging(request)))

    def retrieve(self, request: Request, pk: str) -> Response:
        """One table with its columns."""
        return shape.TableOut.response(queries.get_table(request.actor, pk))

    @extend_schema(request=shape.TableIn)
    def create(self, request: Request) -> Response:
        """Make an empty table. To make one with rows in it, begin a write (`/table-writes`)."""
        wish = shape.TableIn.parse(request)
        catalog, schema, name = places.split_name(wish.pop("name"), "name")
        home = queries.get_schema_to_make_in(f"{catalog}.{schema}")
        version = operations.create_table(actor=request.actor, schema=home, name=name, doing=doing(request), **wish)
        return shape.TableOut.response(version.table, 201)

    @extend_schema(request=shape.DescribeIn)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change the description."""
        wish = shape.DescribeIn.parse(request)
        table = queries.get_table(request.actor, pk)
        access.describe_resource(actor=request.actor, resource=table.resource, **wish)
        return shape.TableOut.response(table)

    def destroy(self, request: Request, pk: str) -> Response:
        """Put the table in the trash, from where it can be restored."""
        access.trash_resource(actor=request.actor, resource=queries.get_table(request.actor, pk).resource)
        return empty()

    @action(detail=True, methods=["post"])
    def restore(self, request: Request, pk: str) -> Response:
        """Take the table out of the trash (by id)."""
        table = queries.get_table(request.actor, pk, trashed=True)
        access.restore_resource(actor=request.actor, resource=table.resource)
        return shape.TableOut.response(table)

    @action(detail=True, methods=["post"], url_path="delete-forever")
    def delete_forever(self, request: Request, pk: str) -> Response:
        """Delete a table that is in the trash, with all its versions (by id)."""
        operations.delete_table(actor=request.actor, table=queries.get_table(request.actor, pk, trashed=True))
        return empty()

    @extend_schema(parameters=[shape.PreviewIn])
    @action(detail=True, methods=["get"])
    def preview(self, request: Request, pk: str) -> Response:
        """The newest rows, of any `version` or as of any `timestamp`."""
        wish = shape.PreviewIn.parse(request)
        columns = [name for name in wish.pop("columns", "").split(",") if name] or None
        table = queries.get_table(request.actor, pk)
        return shape.PreviewOut.response(queries.preview(table, columns=columns, **wish))

    @action(detail=True, methods=["get"])
    def versions(self, request: Request, pk: str) -> Response:
        """The history, newest first: who, when, what, on behalf of which job run or run."""
        table = queries.get_table(request.actor, pk)
        return shape.VersionOut.page(page(table.versions.all(), order=("-version",), **self.paging(request)))

    @extend_schema(request=shape.RestoreIn)
    @action(detail=True, methods=["post"], url_path="restore-version")
    def restore_version(self, request: Request, pk: str) -> Response:
        """Bring an old version back, as a new one."""
        wish = shape.RestoreIn.parse(request)
        table = queries.get_table(request.actor, pk)
        made = operations.restore_version(actor=request.actor, table=table, doing=doing(request), **wish)
        return shape.NewVersionOut.response(made)

    @extend_schema(parameters=[shape.VersionIn], responses=shape.StatisticsOut)
    @action(detail=True, methods=["get"])
    def statistics(self, request: Request, pk: str) -> Response:
        """Statistics of every column of a version, from every row. Ask again until `state` is ready; it begins when first asked."""
        wish = shape.VersionIn.parse(request)
        table = queries.get_table(request.actor, pk)
        version = queries.version_at(table, wish.get("version")).version
        return shape.StatisticsOut.response(shape.told_statistics(version, statistics.ask(table, version)))

    @extend_schema(parameters=[shape.DifferenceIn], responses=shape.DifferenceOut)
    @action(detail=True, methods=["get"])
    def difference(self, request: Request, pk: str) -> Response:
        """What differs between two versions, with a hundred rows of one kind. Ask again until `state` is ready."""
        wish = shape.DifferenceIn.parse(request)
        table = queries.get_table(request.actor, pk)
        key = [name for name in wish["key"].split(",") if name] or table.key_columns
        found = difference.ask(table, wish["before"], wish["after"], key)
        return shape.DifferenceOut.response(shape.told_difference(found, wish["rows"], wish["page"]))

    @extend_schema(request=shape.RowIn, responses=shape.RowHistoryOut)
    @action(detail=True, methods=["post"], url_path="row-history")
    def row_history(self, request: Request, pk: str) -> Response:
        """The versions in which the row with this key came, changed and went. Ask again until `state` is ready."""
        wish = shape.RowIn.parse(request)
        table = queries.get_table(request.actor, pk)
        version = queries.version_at(table, wish.get("version")).version
        return shape.RowHistoryOut.response(shape.told_row(rowhistory.ask(table, version, wish["key"])))

    @extend_schema(request=shape.ColumnNoteIn, responses=shape.ColumnNoteOut)
    @action(detail=True, methods=["post"], url_path="describe-column")
    def describe_column(self, request: Request, pk: str) -> Response:
        """Say what a column is, and tag it; what is not given stays."""
        wish = shape.ColumnNoteIn.parse(request)
        table = queries.get_table(request.actor, pk)
        return shape.ColumnNoteOut.response(operations.describe_column(actor=request.actor, table=table, **wish))

    @action(detail=True, methods=["get"], url_path="column-notes")
    def column_notes(self, request: Request, pk: str) -> Response:
        """What people say of the columns."""
        table = queries.get_table(request.actor, pk)
        return shape.ColumnNoteOut.page(page(table.column_notes.all(), order=("name",), **self.paging(request)))

    @extend_schema(request=shape.KeyIn, responses=shape.TableOut)
    @action(detail=True, methods=["post"], url_path="declare-key")
    def declare_key(self, request: Request, pk: str) -> Response:
        """Say which columns tell one row from another."""
        wish = shape.KeyIn.parse(request)
        table = queries.get_table(request.actor, pk)
        return shape.TableOut.response(operations.declare_key(actor=request.actor, table=table, **wish))

    @extend_schema(request=shape.ReadIn, responses=shape.TicketOut)
    @action(detail=True, methods=["post"])
    def read(self, request: Request, pk: str) -> Response:
        """A read ticket: links to the files of one version that may hold rows passing `filter`, for an hour."""
        wish = shape.ReadIn.parse(request)
        table = queries.get_table(request.actor, pk)
        return shape.TicketOut.response(tickets.give(request.actor, table, doing=doing(request), **wish))

    @extend_schema(request=shape.WriteIn, responses=shape.WriteOut)
    @action(detail=True, methods=["post"])
    def write(self, request: Request, pk: str) -> Response:
        """Begin a write to this table."""
        wish = shape.WriteIn.parse(request)
        table = queries.get_table(request.actor, pk)
        return shape.WriteOut.response(
            staging.told(operations.begin_table_write(actor=request.actor, table=table, **wish)), 201
        )


@extend_schema(tags=["tables"])
class TableWriteViewSet(RoomViewSet):
    """Writes: begin, PUT Parquet parts or one CSV or Parquet file, commit as one version. Seen by who began them."""

    serializer_class = shape.WriteOut

    @extend_schema(request=shape.NamedWriteIn)
    def create(self, request: Request) -> Response:
        """Begin a write to a table that may be new."""
        wish = shape.NamedWriteIn.parse(request)
        home, table = queries.find_target(request.actor, wish["table"])
        file_name = wish["file_name"]
        if table:
            write = operations.begin_table_write(actor=request.actor, table=table, file_name=file_name)
        else:
            name = wish["table"].rpartition(".")[2]
            write = operations.begin_write(actor=request.actor, schema=home, name=name, file_name=file_name)
        return shape.WriteOut.response(staging.told(write), 201)

    def retrieve(self, request: Request, pk: str) -> Response:
        """How far a write is; `report` tells what was found in the file."""
        return shape.WriteOut.response(staging.told(queries.get_write(request.actor, pk)))

    def destroy(self, request: Request, pk: str) -> Response:
        """Let go of a write and its files."""
        operations.abandon_write(actor=request.actor, write=queries.get_write(request.actor, pk))
        return empty()

    @extend_schema(request=shape.ParseIn)
    @action(detail=True, methods=["post"])
    def parse(self, request: Request, pk: str) -> Response:
        """Have the uploaded file read: types from every row, bad rows by line. Ask again until `state` is parsed or refused."""
        write = queries.get_write(request.actor, pk)
        operations.parse_file(actor=request.actor, write=write, options=shape.ParseIn.parse(request))
        return shape.WriteOut.response(staging.told(write), 202)

    @extend_schema(request=shape.CommitIn, responses=shape.NewVersionOut)
    @action(detail=True, methods=["post"])
    def commit(self, request: Request, pk: str) -> Response:
        """Make one version of what was uploaded: all of it or nothing; a `key` is applied once."""
        wish = shape.CommitIn.parse(request)
        write = queries.get_write(request.actor, pk)
        made = commit(request.actor, write, doing=doing(request), **wish)
        return shape.NewVersionOut.response(made)


def commit(
    actor: Any,
    write: Any,
    *,
    mode: str,
    key: str,
    note: str,
    add_columns: bool,
    expected_version: int | None,
    doing: list[str],
) -> Any:
    """The version made by the operation that `mode` names, on the table as it is now."""
    home, table = queries.find_target(actor, str(write))
    more: dict[str, Any] = {"actor": actor, "write": write, "key": key, "note": note, "doing": doing}
    if table is None:
        return operations.create_table(schema=home, name=write.name, **more)
    if mode == "append":
        return operations.append(table=table, add_columns=add_columns, **more)
    if mode == "overwrite":
        return operations.overwrite(table=table, expected_version=expected_version, **more)
    if done := queries.find_version(table, key=key, write_id=write.pk):
        return done
    raise AlreadyExists(f"There is already a table called {table.name}; append to it or overwrite it.")
