"""Types of columns, as a table names and keeps them."""

from __future__ import annotations

import pyarrow as pa

from .parse_lines import Refused

_PLAIN = {
    "string": pa.string(),
    "long": pa.int64(),
    "integer": pa.int32(),
    "short": pa.int16(),
    "byte": pa.int8(),
    "double": pa.float64(),
    "float": pa.float32(),
    "boolean": pa.bool_(),
    "binary": pa.binary(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
    "timestamp_ntz": pa.timestamp("us"),
}


def arrow_type(name: str) -> pa.DataType:
    """The Arrow type of a column type's name. Raises Refused."""
    if name in _PLAIN:
        return _PLAIN[name]
    if name.startswith("decimal("):
        precision, scale = (int(part) for part in name[8:-1].split(","))
        return pa.decimal128(precision, scale)
    raise Refused(f"{name!r} is no type that a file can be read as.")


def name_of(kind: pa.DataType) -> str:
    """What a table calls an Arrow type."""
    return next((name for name, known in _PLAIN.items() if known == kind), str(kind))


def kept_type(kind: pa.DataType, column: str) -> pa.DataType:
    """The type in which a table keeps a Parquet column; wider where a table has no such type."""
    types = pa.types
    wider = {
        pa.uint8(): pa.int16(),
        pa.uint16(): pa.int32(),
        pa.uint32(): pa.int64(),
        pa.uint64(): pa.int64(),
        pa.float16(): pa.float32(),
    }
    if types.is_dictionary(kind):
        return kept_type(kind.value_type, column)
    if kind in wider:
        return wider[kind]
    if types.is_large_string(kind) or types.is_string_view(kind):
        return pa.string()
    if types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return pa.binary()
    if types.is_timestamp(kind):
        return pa.timestamp("us", "UTC" if kind.tz else None)
    if types.is_date64(kind):
        return pa.date32()
    if types.is_list(kind) or types.is_large_list(kind):
        return pa.list_(pa.field("element", kept_type(kind.value_type, column)))
    if types.is_struct(kind):
        return pa.struct(
            [pa.field(kind.field(i).name, kept_type(kind.field(i).type, column)) for i in range(kind.num_fields)]
        )
    if types.is_map(kind):
        return pa.map_(kept_type(kind.key_type, column), kept_type(kind.item_type, column))
    if kind in _PLAIN.values() or types.is_decimal128(kind):
        return kind
    raise Refused(f"Column {column!r} is {kind}, which no table can hold.")
