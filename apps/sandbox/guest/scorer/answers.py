"""Predictions as text: the very bytes that MLflow writes, made faster where they are plain numbers."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from .rows import orjson

FEW = 8  # fewer numbers than this are not worth looking at twice


def as_json(predictions: Any) -> bytes:
    """Return `{"predictions": ...}` in the very text MLflow writes; raises for what only MLflow knows to write."""
    if isinstance(predictions, np.ndarray) and predictions.dtype.kind in "fiubUO":
        return b'{"predictions": ' + (_numbers(predictions) or json.dumps(predictions.tolist()).encode()) + b"}"
    if type(predictions) is list:
        return json.dumps({"predictions": predictions}).encode()
    import pandas

    if isinstance(predictions, pandas.Series):
        name = 0 if predictions.name is None else predictions.name
        if type(name) in (int, str) and (text := _numbers(predictions.to_numpy())):
            key = json.dumps({name: 0}).encode()[1:-2]
            return b'{"predictions": [{' + key + text[1:-1].replace(b", ", b"}, {" + key) + b"}]}"
        return json.dumps({"predictions": [{name: value} for value in predictions.tolist()]}).encode()
    if isinstance(predictions, pandas.DataFrame):
        return json.dumps({"predictions": predictions.to_dict(orient="records")}).encode()
    raise TypeError(f"no short way to write a {type(predictions).__name__}")


def _numbers(values: np.ndarray) -> bytes | None:
    """Return the numbers as Python's own JSON writes them, or None where orjson would write one of them otherwise."""
    if orjson is None or values.dtype not in (np.float64, np.int64) or values.size < FEW or values.ndim > 2:
        return None
    if values.dtype == np.float64:
        sizes = np.abs(values)
        # outside of these Python writes an exponent of another look, and NaN is no number; exact zero has none
        if not ((sizes >= 1e-4) & (sizes < 1e16) | (sizes == 0)).all():
            return None
    text = orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY)
    return text.replace(b",", b", ")
