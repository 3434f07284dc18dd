"""Lists as PostgreSQL's own bytes, for batches: written here in one go, as a driver goes through a list item by item."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import psycopg
from psycopg.adapt import Buffer, Dumper
from psycopg.pq import Format

_HEAD = struct.Struct(">iiIii")  # dimensions, whether there are nulls, type of an item, length, lower bound
_TEXT, _INT8, _FLOAT8 = 25, 20, 701


class Packed:
    """An array that is ready to be sent."""

    __slots__ = ("content",)

    def __init__(self, item_type: int, length: int, items: bytes) -> None:
        self.content = (
            _HEAD.pack(1, 0, item_type, length, 1) if length else struct.pack(">iiI", 0, 0, item_type)
        ) + items


class Texts(Packed):
    """A `text[]`."""


class Integers(Packed):
    """A `bigint[]`."""


class Doubles(Packed):
    """A `float8[]`."""


def pack(kind: str, value: Any) -> Any:
    """The value as it is best sent for a parameter of this type: packed when it is a list of such items, else as it is."""
    if type(value) is not list:
        return value
    if kind == "text[]":
        items = {text: _text(text) for text in set(value)}
        return Texts(_TEXT, len(value), b"".join(map(items.__getitem__, value)))
    if kind == "bigint[]":
        return Integers(_INT8, len(value), _numbers("q", value))
    if kind == "float8[]":
        return Doubles(_FLOAT8, len(value), _numbers("d", value))
    return value


def _text(text: str) -> bytes:
    raw = text.encode()
    return len(raw).to_bytes(4) + raw


def _numbers(code: str, values: Sequence[Any]) -> bytes:
    cells = [8] * (2 * len(values))
    cells[1::2] = values
    return _format(code, len(values)).pack(*cells)


@lru_cache(maxsize=256)
def _format(code: str, length: int) -> struct.Struct:
    return struct.Struct(">" + f"i{code}" * length)


def register(connection: psycopg.AsyncConnection[Any]) -> None:
    """Let a connection take packed arrays."""
    for kind, oid in ((Texts, 1009), (Integers, 1016), (Doubles, 1022)):
        connection.adapters.register_dumper(kind, type(f"{kind.__name__}Dumper", (_PackedDumper,), {"oid": oid}))


class _PackedDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Packed) -> Buffer | None:
        return obj.content
