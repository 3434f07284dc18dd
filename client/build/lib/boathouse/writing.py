"""Writing tables: files are uploaded part by part, then one commit makes one version of all of them, or of none."""

from __future__ import annotations

import base64
import contextlib
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from typing import IO, Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from boathouse.connection import BoathouseError, Client, default_client

PART_BYTES = 256 * 1024**2
ROWS_PER_GROUP = 131_072
MODES = ("append", "overwrite", "create")


class WrittenVersion(NamedTuple):
    """The version that a write made."""

    table: str
    version: int
    rows: int


def write_table(
    name: str,
    data: Any,
    mode: str = "append",
    *,
    key: str | None = None,
    note: str = "",
    add_columns: bool = False,
    expected_version: int | None = None,
    client: Client | None = None,
) -> WrittenVersion:
    """Write Arrow, pandas or polars data, or record batches one by one, as one version of the table; it is made when missing.

    mode: `append`, `overwrite` (columns included) or `create` (fails when the table is there). key: applied once, however often
    this is called with it. add_columns: `append` may bring columns that the table lacks. expected_version: `overwrite` only
    what is still this version.
    """
    if mode not in MODES:
        raise ValueError(f"mode is one of {', '.join(MODES)}")
    connection = client or default_client()
    batches = _batches(data)
    write = connection.post("table-writes", {"table": name})
    try:
        schema = _target(batches.schema, write["schema"] if mode == "append" else None, add_columns)
        for number, part in enumerate(_parts(batches, schema)):
            connection.request("PUT", f"{write['parts_url']}/{number}", data=part)
        wish = {
            "mode": mode,
            "key": key or str(uuid.uuid4()),
            "note": note,
            "add_columns": add_columns,
            "expected_version": expected_version,
        }
        made = connection.post(f"table-writes/{write['id']}/commit", wish)
    except BaseException:
        with contextlib.suppress(BoathouseError):
            connection.delete(f"table-writes/{write['id']}")
        raise
    return WrittenVersion(made["table"], made["version"], made["rows"])


def _batches(data: Any) -> pa.RecordBatchReader:
    """Whatever holds rows, as a stream of Arrow batches."""
    if isinstance(data, pa.RecordBatchReader):
        return data
    if isinstance(data, pa.RecordBatch):
        data = pa.Table.from_batches([data])
    elif isinstance(data, dict):
        data = pa.table(data)
    elif isinstance(data, list) and data and isinstance(data[0], dict):
        data = pa.Table.from_pylist(data)
    elif type(data).__module__.startswith("pandas"):
        named = [level for level in data.index.names if level is not None]
        data = pa.Table.from_pandas(data.reset_index() if named else data, preserve_index=False)
    elif hasattr(data, "to_reader"):
        return data.to_reader()
    elif hasattr(data, "__arrow_c_stream__"):
        return pa.RecordBatchReader.from_stream(data)
    elif isinstance(data, Iterable):
        batches = iter(data)
        first = next(batches, None)
        if not isinstance(first, pa.RecordBatch):
            raise TypeError(
                "data is an Arrow table, a frame, a dict of columns, a list of dicts, or an iterable of record batches"
            )
        return pa.RecordBatchReader.from_batches(first.schema, _chained(first, batches))
    return data.to_reader()  # type: ignore[no-any-return]


def _chained(first: pa.RecordBatch, rest: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield first
    yield from rest


def _target(have: pa.Schema, wanted: str | None, add_columns: bool) -> pa.Schema:
    """The columns to send: those of the table, in its types, when there is one to append to."""
    own = pa.schema([pa.field(field.name, _kept(field.type, field.name)) for field in have])
    if wanted is None:
        return own
    table = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(wanted)))
    extra = [field for field in own if field.name not in table.names]
    if extra and not add_columns:
        names = ", ".join(field.name for field in extra)
        raise BoathouseError(
            f"The table has no column {names}; leave it out, or write with add_columns=True.", code="columns"
        )
    return pa.schema([field for field in table if field.name in have.names or not field.nullable] + extra)


def _parts(batches: pa.RecordBatchReader, schema: pa.Schema) -> Iterator[IO[bytes]]:
    """Parquet files of up to 256 MB on disk, one at a time, so that data may be larger than memory; at least one."""
    exhausted = False
    first = True
    while not exhausted:
        with tempfile.TemporaryFile() as file:
            rows = 0
            with pq.ParquetWriter(file, schema, compression="zstd", store_schema=False) as writer:
                while not exhausted and file.tell() < PART_BYTES:
                    batch = next(batches, None)
                    if batch is None:
                        exhausted = True
                    elif batch.num_rows:
                        writer.write_table(_cast(batch, schema), row_group_size=ROWS_PER_GROUP)
                        rows += batch.num_rows
            if rows or first:
                yield file
            first = False


def _cast(batch: pa.RecordBatch, schema: pa.Schema) -> pa.Table:
    arrays = []
    for field in schema:
        if field.name not in batch.schema.names:
            raise BoathouseError(
                f"The column {field.name} is missing, and the table lets it be null in no row.", code="columns"
            )
        array = batch.column(field.name)
        array = array.storage if isinstance(array, pa.ExtensionArray) else array
        try:
            # Finer fractions than the table's microseconds are let go; any other loss is refused.
            loses_time_only = pa.types.is_timestamp(array.type) and pa.types.is_timestamp(field.type)
            arrays.append(array.cast(field.type, safe=not loses_time_only))
        except pa.ArrowException as error:
            raise BoathouseError(f"Column {field.name!r} does not fit {field.type}: {error}", code="columns") from error
    return pa.Table.from_arrays(arrays, schema=schema)


_WIDER = {
    pa.uint8(): pa.int16(),
    pa.uint16(): pa.int32(),
    pa.uint32(): pa.int64(),
    pa.uint64(): pa.int64(),
    pa.float16(): pa.float32(),
}


def _kept(kind: pa.DataType, column: str) -> pa.DataType:
    """The type in which a table keeps a column."""
    types = pa.types
    if isinstance(kind, pa.BaseExtensionType):
        return _kept(kind.storage_type, column)
    if types.is_dictionary(kind):
        return _kept(kind.value_type, column)
    if kind in _WIDER:
        return _WIDER[kind]
    if types.is_large_string(kind) or "string_view" in str(kind):
        return pa.string()
    if types.is_large_binary(kind) or types.is_fixed_size_binary(kind) or "binary_view" in str(kind):
        return pa.binary()
    if types.is_timestamp(kind):
        return pa.timestamp("us", "UTC" if kind.tz else None)
    if types.is_date(kind):
        return pa.date32()
    if types.is_map(kind):
        return pa.map_(_kept(kind.key_type, column), _kept(kind.item_type, column))
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return pa.list_(pa.field("element", _kept(kind.value_type, column)))
    if types.is_struct(kind):
        return pa.struct(
            [pa.field(kind.field(i).name, _kept(kind.field(i).type, column)) for i in range(kind.num_fields)]
        )
    if types.is_null(kind):
        return pa.string()
    return kind
