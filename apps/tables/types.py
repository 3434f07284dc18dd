"""Column types: what a table may hold, how each is named, and how a value of it is shown in JSON."""

from __future__ import annotations

import base64
import datetime
import decimal
import math
import re
import uuid
from collections.abc import Iterable, Mapping
from functools import cache

from apps.foundation.errors import Invalid
from apps.tables.arrow import pa

MAX_COLUMNS = 4000
MAX_DEPTH = 12
_ALIASES = {
    "bigint": "long",
    "int": "integer",
    "smallint": "short",
    "tinyint": "byte",
    "text": "string",
    "bool": "boolean",
}
_WIDER = {
    "uint8": "int16",
    "uint16": "int32",
    "uint32": "int64",
    "uint64": "int64 or decimal(20, 0)",
    "halffloat": "float32",
}


@cache
def _names() -> dict[str, pa.DataType]:
    return {
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


def canonical(kind: pa.DataType, column: str = "", depth: int = 0) -> pa.DataType:
    """The type a table keeps for `kind`; Invalid, with what to use instead, for one that no table can hold."""
    types = pa.types
    if depth > MAX_DEPTH:
        raise _unfit(column, f"nests deeper than {MAX_DEPTH} levels")
    if isinstance(kind, pa.BaseExtensionType):
        raise _unfit(column, "is an extension type; send its storage type")
    if types.is_dictionary(kind):
        return canonical(kind.value_type, column, depth + 1)
    if types.is_large_string(kind) or types.is_string_view(kind):
        return pa.string()
    if types.is_large_binary(kind) or types.is_binary_view(kind) or types.is_fixed_size_binary(kind):
        return pa.binary()
    if types.is_timestamp(kind):
        return pa.timestamp("us", "UTC" if kind.tz else None)
    if types.is_date64(kind):
        return pa.date32()
    if types.is_decimal(kind):
        if kind.precision > 38 or kind.scale < 0:
            raise _unfit(column, f"is {kind}; a table holds decimals of up to 38 digits")
        return pa.decimal128(kind.precision, kind.scale)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        item = kind.value_field
        return pa.list_(pa.field("element", canonical(item.type, column, depth + 1), item.nullable))
    if types.is_struct(kind):
        fields = [kind.field(i) for i in range(kind.num_fields)]
        check_names([field.name for field in fields])
        return pa.struct(
            [pa.field(f.name, canonical(f.type, f"{column}.{f.name}", depth + 1), f.nullable) for f in fields]
        )
    if types.is_map(kind):
        return pa.map_(canonical(kind.key_type, column, depth + 1), canonical(kind.item_type, column, depth + 1))
    if kind in _names().values():
        return kind
    if types.is_null(kind):
        raise _unfit(column, "holds nothing but nulls, so its type is unknown; cast it first")
    raise _unfit(column, f"is {kind}; no table can hold that, use {_WIDER.get(str(kind), 'another type')}")


def canonical_schema(schema: pa.Schema) -> pa.Schema:
    """The schema a table keeps for data of `schema`, without any metadata."""
    if not 0 < len(schema) <= MAX_COLUMNS:
        raise Invalid(f"A table has 1 to {MAX_COLUMNS} columns; this has {len(schema)}.")
    check_names(schema.names)
    return pa.schema([pa.field(field.name, canonical(field.type, field.name), field.nullable) for field in schema])


def check_names(names: Iterable[str]) -> None:
    """Invalid when a column's name is empty, too long, unprintable, or met twice (capital letters do not tell apart)."""
    seen: dict[str, str] = {}
    for name in names:
        if not name or len(name) > 255 or not name.isprintable():
            raise Invalid(f"{name[:40]!r} cannot name a column: 1 to 255 printable characters.")
        other = seen.setdefault(name.lower(), name)
        if other is not name:
            raise Invalid(f"Two columns are called {other!r} and {name!r}; capital letters do not tell columns apart.")


def name_of(kind: pa.DataType) -> str:
    """The name of a column type, as people read it: `long`, `decimal(10,2)`, `array<string>`."""
    for name, known in _names().items():
        if kind == known:
            return name
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    if pa.types.is_list(kind):
        return f"array<{name_of(kind.value_type)}>"
    if pa.types.is_map(kind):
        return f"map<{name_of(kind.key_type)},{name_of(kind.item_type)}>"
    if pa.types.is_struct(kind):
        return (
            "struct<"
            + ",".join(f"{kind.field(i).name}:{name_of(kind.field(i).type)}" for i in range(kind.num_fields))
            + ">"
        )
    return str(kind)


def parse_name(text: str) -> pa.DataType:
    """The column type that `text` names; arrays of plain types included."""
    text = text.strip().lower()
    if found := _names().get(_ALIASES.get(text, text)):
        return found
    if match := re.fullmatch(r"decimal\(\s*(\d{1,2})\s*,\s*(\d{1,2})\s*\)", text):
        precision, scale = int(match[1]), int(match[2])
        if 0 < precision <= 38 and scale <= precision:
            return pa.decimal128(precision, scale)
    if match := re.fullmatch(r"array<(.+)>", text):
        return pa.list_(pa.field("element", parse_name(match[1])))
    raise Invalid(f"{text[:60]!r} is no column type; use one of {', '.join(_names())}, decimal(p,s) or array<type>.")


def schema_from(columns: Iterable[Mapping[str, object]]) -> pa.Schema:
    """The schema that a list of {name, type, nullable} describes."""
    fields = []
    for column in columns:
        kind = parse_name(str(column.get("type", "")))
        fields.append(pa.field(str(column.get("name", "")), kind, bool(column.get("nullable", True))))
    return canonical_schema(pa.schema(fields))


def ipc(schema: pa.Schema) -> str:
    """A schema as text that pyarrow reads back (Arrow IPC, base64)."""
    return base64.b64encode(schema.serialize().to_pybytes()).decode()


def describe(schema: pa.Schema) -> list[dict[str, object]]:
    """The columns of a schema as plain values."""
    return [{"name": field.name, "type": name_of(field.type), "nullable": field.nullable} for field in schema]


def plain(value: object) -> object:
    """A cell as JSON can carry it: exact numbers that JSON cannot hold become strings, bytes base64."""
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if -(2**53) <= value <= 2**53 else str(value)
        case float():
            return value if math.isfinite(value) else {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")
        case datetime.datetime():
            text = value.isoformat()
            return text.replace("+00:00", "Z")
        case datetime.date() | datetime.time():
            return value.isoformat()
        case decimal.Decimal() | uuid.UUID():
            return str(value)
        case bytes():
            return base64.b64encode(value).decode()
        case dict():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
    return str(value)


def _unfit(column: str, why: str) -> Invalid:
    return Invalid(f"Column {column!r} {why}.", fields={column: why} if column else None)
