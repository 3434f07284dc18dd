"""Parquet files that others made, looked at without trust: the footer only, every number checked against the file itself."""

from __future__ import annotations

import base64
import binascii
import datetime
import json
import math
from dataclasses import dataclass
from pathlib import Path

from apps.foundation.errors import Invalid
from apps.tables.arrow import pa, pq
from apps.tables.types import canonical_schema, name_of

MAX_FOOTER_BYTES = 32 * 1024**2
MAX_GROUP_BYTES = 2 * 1024**3
MAX_GROUPS = 20_000
STATISTICS_COLUMNS = 32
LONGEST_STATISTIC = 64


@dataclass(frozen=True)
class Footer:
    """What one Parquet file says of itself, after checking."""

    rows: int
    bytes: int
    schema: pa.Schema
    stats: str


def inspect(path: Path) -> Footer:
    """The checked footer of the Parquet file at `path`; Invalid when it is none, or lies about its own shape."""
    size = _check_frame(path)
    try:
        meta = pq.read_metadata(path, memory_map=False)
        _check_metadata(meta, size)
        schema = meta.schema.to_arrow_schema()
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise Invalid(f"This is no readable Parquet file: {str(error)[:200]}") from error
    return Footer(meta.num_rows, size, _fitting(schema), _statistics(meta, schema))


def open_file(path: Path) -> pq.ParquetFile:
    """A Parquet file of a table, opened to read; extension types stay plain storage."""
    return pq.ParquetFile(path, memory_map=False, pre_buffer=False, arrow_extensions_enabled=False)


def _check_frame(path: Path) -> int:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        if size < 12:
            raise Invalid("This is no Parquet file: it is too short.")
        file.seek(0)
        head = file.read(4)
        file.seek(size - 8)
        tail = file.read(8)
    if head != b"PAR1" or tail[4:] != b"PAR1":
        raise Invalid("This is no Parquet file, or an encrypted one.")
    footer = int.from_bytes(tail[:4], "little")
    if not 0 < footer <= min(size - 12, MAX_FOOTER_BYTES):
        raise Invalid("The Parquet footer is damaged or too large.")
    return size


def _check_metadata(meta: pq.FileMetaData, size: int) -> None:
    if meta.num_row_groups > MAX_GROUPS:
        raise Invalid(f"The file has {meta.num_row_groups} row groups; at most {MAX_GROUPS} are taken.")
    hint = (meta.metadata or {}).get(b"ARROW:schema", b"")
    try:
        if b"ARROW:extension:name" in base64.b64decode(hint, validate=True):
            raise Invalid("The file uses Arrow extension types; write it with their storage types.")
    except binascii.Error as error:
        raise Invalid("The file's Arrow schema is damaged.") from error
    rows = 0
    for number in range(meta.num_row_groups):
        group = meta.row_group(number)
        rows += group.num_rows
        if group.num_rows < 0 or not 0 <= group.total_byte_size <= MAX_GROUP_BYTES:
            raise Invalid(f"Row group {number} is larger than {MAX_GROUP_BYTES} bytes, or damaged.")
        for index in range(group.num_columns):
            chunk = group.column(index)
            starts = [at for at in (chunk.dictionary_page_offset, chunk.data_page_offset) if at is not None]
            if chunk.file_path or min(starts, default=-1) < 4 or min(starts) + chunk.total_compressed_size > size:
                raise Invalid(f"Row group {number} points outside the file.")
    if rows != meta.num_rows:
        raise Invalid(f"The file says {meta.num_rows} rows, its row groups hold {rows}.")


def _fitting(schema: pa.Schema) -> pa.Schema:
    """The table schema of a file, which must hold its values as a table does (the reader changes nothing later)."""
    wanted = canonical_schema(schema)
    for field, fits in zip(schema, wanted, strict=True):
        if pa.types.is_timestamp(field.type) and (
            field.type.unit != "us" or field.type.tz not in (None, "UTC", "+00:00")
        ):
            raise Invalid(f"Column {field.name!r} is {field.type}; write timestamps in microseconds, and zones as UTC.")
        if pa.types.is_fixed_size_binary(field.type) or pa.types.is_date64(field.type):
            raise Invalid(f"Column {field.name!r} is {field.type}; write it as {name_of(fits)}.")
    return wanted


def _statistics(meta: pq.FileMetaData, schema: pa.Schema) -> str:
    """Row count, smallest and largest value and nulls per column, as the Delta log carries them."""
    low: dict[str, object] = {}
    high: dict[str, object] = {}
    nulls: dict[str, int] = {}
    flat = {field.name for field in schema if not pa.types.is_nested(field.type) and "." not in field.name}
    for index in range(min(meta.num_columns, STATISTICS_COLUMNS)):
        name = meta.schema.column(index).path
        if name not in flat:
            continue
        found = [meta.row_group(number).column(index).statistics for number in range(meta.num_row_groups)]
        if found and all(item is not None and item.has_null_count for item in found):
            nulls[name] = sum(item.null_count for item in found)
        bounded = [item for item in found if item is not None and item.has_min_max]
        unknown = [item for item in found if item is None or not (item.has_min_max or item.num_values == 0)]
        if unknown or not bounded:
            continue
        try:
            least = _bound(min(item.min for item in bounded))
            most = _bound(max(item.max for item in bounded))
        except (TypeError, ValueError, pa.ArrowException):
            continue
        if least is not None and most is not None:
            low[name], high[name] = least, most
    return json.dumps({"numRecords": meta.num_rows, "minValues": low, "maxValues": high, "nullCount": nulls})


def _bound(value: object) -> object:
    """A statistic as the log writes it; None for kinds whose bounds are not exact there."""
    match value:
        case bool() | bytes():
            return None
        case int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case str():
            return value if len(value) <= LONGEST_STATISTIC and value.isprintable() else None
        case datetime.datetime():
            return value.replace(tzinfo=None).isoformat(timespec="microseconds") + ("Z" if value.tzinfo else "")
        case datetime.date():
            return value.isoformat()
    return None
