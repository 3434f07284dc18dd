"""What the API shows and takes about tables."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.foundation.api import In, Out
from apps.tables import difference
from apps.tables.models import Computation
from apps.tables.tickets import from_text
from apps.tables.types import plain


class MomentField(serializers.Field[Any, Any, Any, Any]):
    """A moment as ISO text; without a zone it is UTC."""

    def to_internal_value(self, data: Any) -> Any:
        return from_text(str(data))

    def to_representation(self, value: Any) -> str:
        return str(value.isoformat())


class PlaceIn(In):
    name = serializers.CharField(max_length=128)
    description = serializers.CharField(max_length=10_000, allow_blank=True, default="")


class SchemaIn(PlaceIn):
    catalog = serializers.CharField(max_length=128)


class ColumnIn(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=255, trim_whitespace=False)
    type = serializers.CharField(max_length=200)
    nullable = serializers.BooleanField(default=True)


class TableIn(In):
    name = serializers.CharField(max_length=400, help_text="catalog.schema.table")
    columns = ColumnIn(many=True, allow_empty=False)
    description = serializers.CharField(max_length=10_000, allow_blank=True, default="")
    key = serializers.CharField(max_length=150, allow_blank=True, default="")


class DescribeIn(In):
    description = serializers.CharField(max_length=10_000, allow_blank=True)


class AtIn(In):
    version = serializers.IntegerField(min_value=0, required=False, allow_null=True)
    timestamp = MomentField(required=False, allow_null=True)


class VersionIn(In):
    version = serializers.IntegerField(min_value=0, required=False, allow_null=True)


class DifferenceIn(In):
    before = serializers.IntegerField(min_value=0)
    after = serializers.IntegerField(min_value=0)
    key = serializers.CharField(
        max_length=4000,
        default="",
        allow_blank=True,
        help_text="column names, separated by commas; else the declared key",
    )
    rows = serializers.ChoiceField(["changed", "added", "removed"], default="changed")
    page = serializers.IntegerField(min_value=1, max_value=1_000_000, default=1)


class RowIn(VersionIn):
    key = serializers.DictField(
        child=serializers.CharField(max_length=10_000, allow_null=True, trim_whitespace=False, allow_blank=True),
        help_text="the values of the key columns, as text",
    )


class ColumnNoteIn(In):
    column = serializers.CharField(max_length=255, trim_whitespace=False)
    description = serializers.CharField(max_length=2000, allow_blank=True, required=False)
    tags = serializers.ListField(child=serializers.CharField(max_length=60), max_length=20, required=False)


class KeyIn(In):
    key = serializers.ListField(child=serializers.CharField(max_length=255, trim_whitespace=False), max_length=16)


class PreviewIn(AtIn):
    limit = serializers.IntegerField(min_value=1, max_value=1000, default=100)
    columns = serializers.CharField(max_length=20_000, required=False, help_text="names, separated by commas")


class ReadIn(AtIn):
    columns = serializers.ListField(
        child=serializers.CharField(max_length=255, trim_whitespace=False),
        required=False,
        allow_null=True,
        max_length=4000,
    )
    filter = serializers.ListField(required=False, allow_null=True)


class RestoreIn(In):
    version = serializers.IntegerField(min_value=0)
    note = serializers.CharField(max_length=2000, allow_blank=True, default="")
    key = serializers.CharField(max_length=150, allow_blank=True, default="")


class WriteIn(In):
    file_name = serializers.CharField(
        max_length=255, allow_blank=True, default="", help_text="of a CSV or Parquet file that shall be read"
    )


class NamedWriteIn(WriteIn):
    table = serializers.CharField(max_length=400, help_text="catalog.schema.table; may be new")


class ReadColumnIn(serializers.Serializer[Any]):
    source = serializers.CharField(
        max_length=255, trim_whitespace=False, required=False, help_text="its name in the file"
    )
    name = serializers.CharField(max_length=255, trim_whitespace=False)
    type = serializers.CharField(max_length=200, required=False)
    use = serializers.BooleanField(default=True)


class ParseIn(In):
    format = serializers.ChoiceField(["csv", "jsonl", "parquet"], required=False)
    encoding = serializers.ChoiceField(["utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1"], required=False)
    null_words = serializers.ListField(
        child=serializers.CharField(max_length=100),
        max_length=50,
        required=False,
        help_text="cells that stand for null",
    )
    delimiter = serializers.CharField(min_length=1, max_length=1, trim_whitespace=False, required=False)
    header = serializers.BooleanField(default=True)
    on_bad_rows = serializers.ChoiceField(["stop", "skip"], default="stop")
    columns = ReadColumnIn(many=True, required=False, help_text="names and types that you know better than the guess")
    types = serializers.ChoiceField(
        ["table", "infer"], default="table", help_text="of a table that is there, or from the file"
    )


class CommitIn(In):
    mode = serializers.ChoiceField(["append", "overwrite", "create"])
    key = serializers.CharField(max_length=150, allow_blank=True, default="")
    note = serializers.CharField(max_length=2000, allow_blank=True, default="")
    add_columns = serializers.BooleanField(default=False)
    expected_version = serializers.IntegerField(min_value=0, required=False, allow_null=True, default=None)


class PlaceOut(Out):
    id = serializers.UUIDField(source="resource.pk")
    name = serializers.CharField(source="resource.path")
    description = serializers.CharField(source="resource.description")
    owner = serializers.CharField(source="resource.owner.label", default=None, allow_null=True)
    created_at = serializers.DateTimeField(source="resource.created_at")


class ColumnOut(serializers.Serializer[Any]):
    name = serializers.CharField()
    type = serializers.CharField()
    nullable = serializers.BooleanField()


class TableOut(PlaceOut):
    version = serializers.IntegerField()
    rows = serializers.IntegerField()
    bytes = serializers.IntegerField()
    files = serializers.IntegerField()
    columns = ColumnOut(many=True)
    key_columns = serializers.ListField(child=serializers.CharField())
    changed_at = serializers.DateTimeField()


class TableLineOut(PlaceOut):
    """A table in a list: without its columns."""

    version = serializers.IntegerField()
    rows = serializers.IntegerField()
    bytes = serializers.IntegerField()
    changed_at = serializers.DateTimeField()


class VersionOut(Out):
    version = serializers.IntegerField()
    committed_at = serializers.DateTimeField()
    operation = serializers.CharField(source="kind")
    by = serializers.CharField(source="actor_label")
    activities = serializers.ListField(child=serializers.CharField())
    note = serializers.CharField()
    rows = serializers.IntegerField()
    rows_added = serializers.IntegerField()
    bytes = serializers.IntegerField()
    files = serializers.IntegerField()
    details = serializers.DictField()


class NewVersionOut(VersionOut):
    table_id = serializers.UUIDField()
    table = serializers.CharField(source="table.name")


class PreviewOut(Out):
    version = serializers.IntegerField()
    committed_at = serializers.DateTimeField()
    columns = ColumnOut(many=True)
    items = serializers.ListField(child=serializers.ListField())
    rows = serializers.IntegerField()


class ColumnNoteOut(Out):
    column = serializers.CharField(source="name")
    description = serializers.CharField()
    tags = serializers.ListField(child=serializers.CharField())


class ComputationOut(Out):
    """Something that is worked out once: its state, how far it is, why it failed."""

    state = serializers.CharField()
    percent = serializers.IntegerField(allow_null=True)
    error = serializers.CharField()


class StatisticsOut(ComputationOut):
    version = serializers.IntegerField()
    columns = serializers.ListField(child=serializers.DictField())


class DifferenceOut(ComputationOut):
    key = serializers.ListField(child=serializers.CharField())
    counts = serializers.DictField(child=serializers.IntegerField())
    columns = serializers.ListField(child=serializers.DictField())
    columns_added = serializers.ListField(child=serializers.CharField())
    columns_removed = serializers.ListField(child=serializers.CharField())
    repeated = serializers.IntegerField(help_text="rows that share their key with another")
    row_columns = serializers.ListField(child=serializers.CharField())
    rows = serializers.ListField(child=serializers.ListField(), help_text="[before, after] of each column")
    pages = serializers.IntegerField()


class RowHistoryOut(ComputationOut):
    repeated = serializers.IntegerField()
    changes = serializers.ListField(child=serializers.DictField(), help_text="newest first")


def _state(found: Computation) -> dict[str, Any]:
    return {"state": found.state, "percent": found.percent, "error": found.error}


def told_statistics(version: int, found: Computation) -> dict[str, Any]:
    """A version's statistics as far as they are there."""
    return _state(found) | {"version": version, "columns": found.result.get("columns", [])}


def told_difference(found: Computation, kind: str, page: int) -> dict[str, Any]:
    """A difference as far as it is there, with a page of its rows."""
    if found.state != Computation.State.READY:
        names = ("key", "columns", "columns_added", "columns_removed", "row_columns", "rows")
        return _state(found) | dict.fromkeys(names, []) | {"counts": {}, "repeated": 0, "pages": 0}
    shown = difference.rows(found, kind, page)
    names = ("key", "counts", "columns", "columns_added", "columns_removed", "repeated")
    rows = [[[plain(cell.old), plain(cell.new)] for cell in row] for row in shown.rows]
    return (
        _state(found)
        | {name: found.result[name] for name in names}
        | {"row_columns": shown.columns, "rows": rows, "pages": shown.pages}
    )


def told_row(found: Computation) -> dict[str, Any]:
    """A row's history as far as it is there."""
    return _state(found) | {
        name: found.result.get(name, 0 if name == "repeated" else []) for name in ("repeated", "changes")
    }


class TicketFileOut(serializers.Serializer[Any]):
    url = serializers.CharField()
    bytes = serializers.IntegerField()
    rows = serializers.IntegerField()


class TicketOut(Out):
    table_id = serializers.UUIDField(source="table.pk")
    table = serializers.CharField(source="table.name")
    version = serializers.IntegerField()
    committed_at = serializers.DateTimeField()
    schema = serializers.CharField(help_text="Arrow IPC schema, base64")
    rows = serializers.IntegerField(help_text="of the whole version")
    files_total = serializers.IntegerField()
    files = TicketFileOut(many=True)
    expires_at = serializers.DateTimeField()


class WriteOut(Out):
    id = serializers.UUIDField()
    table = serializers.CharField(source="__str__")
    table_id = serializers.UUIDField(allow_null=True)
    state = serializers.CharField()
    file_name = serializers.CharField()
    report = serializers.DictField()
    version = serializers.IntegerField(allow_null=True)
    schema = serializers.CharField(
        source="wanted_schema", allow_null=True, help_text="of the table if it is there: Arrow IPC, base64"
    )
    parts_url = serializers.CharField(help_text="PUT Parquet files to <parts_url>/0, /1 and so on")
    file_url = serializers.CharField(help_text="or PUT the file that shall be read")
    expires_at = serializers.DateTimeField()
