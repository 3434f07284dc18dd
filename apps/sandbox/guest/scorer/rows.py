"""Reading a request's rows by the model's signature, strictly: what is not plainly right is left to MLflow itself.

Every function here answers None when in doubt. The caller then asks MLflow's own code, which either accepts the
request after all or words the error.
"""

from __future__ import annotations

import array
import itertools
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

try:
    import orjson  # our builder adds it to a model's environment; nothing depends on it being there
except ImportError:
    orjson = None  # type: ignore[assignment]

INT_RANGES = {"long": (-(2**63), 2**63 - 1), "integer": (-(2**31), 2**31 - 1)}
NUMPY_TYPES = {"double": "float64", "float": "float32", "long": "int64", "integer": "int32", "boolean": "bool"}
NUMERIC_KINDS = {"double", "float", "long", "integer"}
_NUMBERS_OR_NULL = {float, int, type(None)}


class Column(NamedTuple):
    """One input column of a signature: its name and MLflow's word for its type."""

    name: str
    kind: str


def read_signature(schema: Any) -> tuple[Column, ...] | None:
    """Return the columns of a signature made of plain named columns, or None for any other."""
    if schema is None or schema.is_tensor_spec() or not schema.has_input_names():
        return None
    columns = []
    for spec in schema.inputs:
        kind = getattr(spec.type, "name", "")
        if kind != "string" and kind not in NUMPY_TYPES:
            return None
        columns.append(Column(spec.name, kind))
    if not columns or len({column.name for column in columns}) != len(columns):
        return None
    return tuple(columns)


def read_tensor(schema: Any) -> tuple[int, np.dtype] | None:
    """Return (width, dtype) of a signature that is one unnamed matrix of numbers, or None for any other."""
    if schema is None or not schema.is_tensor_spec() or schema.has_input_names() or len(schema.inputs) != 1:
        return None
    spec = schema.inputs[0]
    if len(spec.shape) != 2 or spec.shape[0] != -1 or spec.shape[1] < 1 or spec.type.kind not in "fiu":
        return None
    return int(spec.shape[1]), np.dtype(spec.type)


def parse(body: bytes) -> tuple[str, Any] | None:
    """Return (format, value) of a JSON body that holds exactly one of MLflow's formats and nothing else."""
    try:
        request = orjson.loads(body) if orjson is not None else json.loads(body)
    except (ValueError, RecursionError):
        return None
    if type(request) is not dict:
        return None
    if len(request) == 2:
        request.pop("client_request_id", None)
    return next(iter(request.items())) if len(request) == 1 else None


def table_of(form: str, value: Any, columns: tuple[Column, ...]) -> list[list[Any]] | None:
    """Return the rows with the signature's columns in the signature's order, extra columns dropped."""
    names = [column.name for column in columns]
    if form == "dataframe_split":
        if type(value) is not dict or value.keys() != {"columns", "data"}:
            return None
        given, rows = value["columns"], value["data"]
        if type(given) is not list or type(rows) is not list or not rows:
            return None
        width = len(given)
        if set(map(type, rows)) != {list} or set(map(len, rows)) != {width}:
            return None
        if given == names:
            return rows
        if set(map(type, given)) != {str} or len(set(given)) != width or not set(names) <= set(given):
            return None
        places = [given.index(name) for name in names]
        return [[row[place] for place in places] for row in rows]
    if form in ("dataframe_records", "instances"):
        if type(value) is not list or not value or set(map(type, value)) != {dict}:
            return None
        try:
            return [[record[name] for name in names] for record in value]
        except KeyError:
            return None
    if form == "inputs":
        if type(value) is not dict or not value.keys() >= set(names):
            return None
        values = [value[name] for name in names]
        lengths = {len(column) if type(column) is list else -1 for column in value.values()}
        if len(lengths) != 1 or min(lengths) < 1:
            return None
        return [list(row) for row in zip(*values, strict=True)]
    return None


def matrix(rows: list[list[Any]], columns: tuple[Column, ...]) -> np.ndarray | None:
    """Return rows of numbers as one array of the columns' common type, laid out as a frame's values are."""
    kinds = {column.kind for column in columns}
    if kinds == {"double"}:
        return doubles(rows)
    if not set(map(type, itertools.chain.from_iterable(rows))) <= _NUMBERS_OR_NULL:
        return None
    for place, column in enumerate(columns):
        if column.kind in INT_RANGES:
            low, high = INT_RANGES[column.kind]
            for row in rows:
                cell = row[place]
                if type(cell) is not int or not low <= cell <= high:
                    return None
    try:
        if "double" in kinds and kinds <= {"double", "long", "integer"}:
            values = np.array(rows, dtype=np.float64)
            # a frame keeps columns together, and BLAS adds in another order for another layout
            return values if len(rows) == 1 else np.asfortranarray(values)
        arrays = [_array([row[place] for row in rows], column.kind) for place, column in enumerate(columns)]
        values = np.empty((len(columns), len(rows)), dtype=np.result_type(*arrays))
        for place, array in enumerate(arrays):
            values[place] = array
        return values.T
    except (OverflowError, ValueError, TypeError):
        return None


def doubles(rows: list[list[Any]]) -> np.ndarray | None:
    """Return rows of numbers as one array of float64, laid out as a frame's values are; None when a cell is no number."""
    cells = list(itertools.chain.from_iterable(rows))
    found = set(map(type, cells))
    if not found <= _NUMBERS_OR_NULL:
        return None
    try:
        # three times as fast as numpy's own way through a list, which is needed only for nulls
        flat = np.array(cells, np.float64) if type(None) in found else np.frombuffer(array.array("d", cells))
    except OverflowError:
        return None
    values = flat.reshape(len(rows), -1)
    return values if len(rows) == 1 else np.asfortranarray(values)


def _array(cells: Sequence[Any], kind: str) -> np.ndarray:
    if kind == "float":
        return np.array(cells, dtype=np.float64).astype(np.float32)
    return np.array(cells, dtype=NUMPY_TYPES[kind])


def frame(rows: list[list[Any]], columns: tuple[Column, ...], names: Any, pandas: Any) -> Any | None:
    """Return the rows as the frame that MLflow's own parsing and enforcement would make of them; `names` is its index of columns."""
    if all(column.kind == "double" for column in columns):
        values = doubles(rows)
        # A copy of the index shares what was looked up in it, and is the model's to rename.
        return None if values is None else pandas.DataFrame(values, columns=names.copy())
    series = {}
    for (name, kind), cells in zip(columns, zip(*rows, strict=True), strict=True):
        found = set(map(type, cells))
        if kind in INT_RANGES:
            low, high = INT_RANGES[kind]
            if found != {int} or min(cells) < low or max(cells) > high:
                return None
        elif kind == "boolean":
            if found != {bool}:
                return None
        elif kind == "string":
            if found != {str}:
                return None
            series[name] = list(cells)
            continue
        elif not found <= _NUMBERS_OR_NULL:
            return None
        try:
            series[name] = _array(cells, kind)
        except (OverflowError, ValueError, TypeError):
            return None
    return pandas.DataFrame(series)


def tensor(form: str, value: Any, width: int, dtype: np.dtype) -> np.ndarray | None:
    """Return the rows of an unnamed matrix signature."""
    if form not in ("instances", "inputs") or type(value) is not list or not value:
        return None
    if set(map(type, value)) != {list} or set(map(len, value)) != {width}:
        return None
    allowed = {float, int} if dtype.kind == "f" else {int}
    if not set(map(type, itertools.chain.from_iterable(value))) <= allowed:
        return None
    try:
        return np.array(value, dtype=dtype)
    except (OverflowError, ValueError, TypeError):
        return None
