"""The short way: a request's rows straight to the model, without MLflow's frames, where that gives the same answer.

A plan is used only after it has answered probes with exactly the text that MLflow's own scoring code gives; a request
that it does not plainly understand goes MLflow's way, which also words every error.
"""

from __future__ import annotations

import functools
import inspect
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from . import estimators, rows
from .answers import as_json

FORMATS = ("dataframe_split", "dataframe_records", "instances", "inputs")
MAX_SHARED_ROWS = 64  # a request with more rows gains nothing from company
PROBE_SIZES = (1, 2, 7, 100)
SLOW_SECONDS = 0.5  # a model that thinks this long over a row gains nothing here, and would start late


class Plan:
    """How the fast way goes for one model: reading rows, predicting, and what may be predicted together."""

    def __init__(self, name: str, model: Any, batching: str, columns: tuple[rows.Column, ...]) -> None:
        self.name = name
        self.batching = batching
        self.formats: set[str] = set()
        self._columns = columns
        self._predict = model.pyfunc._predict_fn
        self._transforms: list[Any] = []
        self._last: Any = None
        if batching == "transforms":
            self._transforms, last = estimators.split(sklearn_model(model.pyfunc))
            self._last = getattr(last, predict_method(model.pyfunc))

    def read(self, form: str, value: Any) -> Any | None:
        """Return one request's rows as what the model takes, or None when this is not plainly right."""
        raise NotImplementedError

    def join(self, parts: list[Any]) -> Any:
        """Return the rows of several requests as one."""
        raise NotImplementedError

    def answer_all(self, bodies: list[bytes]) -> list[bytes | None]:
        """Return the JSON answers; None where MLflow must be asked."""
        answers: list[bytes | None] = [None] * len(bodies)
        shared: list[tuple[int, Any]] = []
        for place, body in enumerate(bodies):
            parsed = rows.parse(body)
            if parsed is None or parsed[0] not in self.formats:
                continue
            taken = self.read(*parsed)
            if taken is None:
                continue
            if self.batching != "none" and len(taken) <= MAX_SHARED_ROWS and len(bodies) > 1:
                shared.append((place, taken))
            else:
                answers[place] = self._answer(taken)
        if len(shared) == 1:
            answers[shared[0][0]] = self._answer(shared[0][1])
        elif shared:
            for (place, taken), found in zip(shared, self._answer_shared([t for _, t in shared]), strict=True):
                answers[place] = found if found is not None else self._answer(taken)
        return answers

    def _answer(self, taken: Any) -> bytes | None:
        try:
            return as_json(self._predict(taken))
        except Exception:
            return None  # MLflow's way fails again and says why in its own words

    def _answer_shared(self, parts: list[Any]) -> list[bytes | None]:
        """Predict several requests at once; all None when one of them spoils it, so that each is tried alone."""
        ends = np.cumsum([len(part) for part in parts]).tolist()
        slices = [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]
        try:
            taken = self.join(parts)
            if self.batching == "whole":
                predictions = self._predict(taken)
                return [as_json(predictions[piece]) for piece in slices]
            for step in self._transforms:
                taken = step.transform(taken)
            return [as_json(self._last(_contiguous(taken[piece]))) for piece in slices]
        except Exception:
            return [None] * len(parts)


class ArrayPlan(Plan):
    """Numbers in named columns, for estimators to whom names say nothing."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        if terms := estimators.linear_terms(sklearn_model(args[1].pyfunc), predict_method(args[1].pyfunc)):
            self.name = "linear"
            self._predict = functools.partial(_linear, *terms)

    def read(self, form: str, value: Any) -> np.ndarray | None:
        table = rows.table_of(form, value, self._columns)
        return None if table is None else rows.matrix(table, self._columns)

    def join(self, parts: list[np.ndarray]) -> np.ndarray:
        return np.concatenate(parts)


class FramePlan(Plan):
    """Plain named columns, for everything that takes a frame."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        import pandas

        self._pandas = pandas
        self._names = pandas.DataFrame(columns=[column.name for column in self._columns]).columns
        self._predict = python_model_predict(args[1].pyfunc) or self._predict

    def read(self, form: str, value: Any) -> Any | None:
        table = rows.table_of(form, value, self._columns)
        return None if table is None else rows.frame(table, self._columns, self._names, self._pandas)

    def join(self, parts: list[Any]) -> Any:
        return self._pandas.concat(parts, ignore_index=True)


class TensorPlan(Plan):
    """One unnamed matrix of numbers."""

    def __init__(self, name: str, model: Any, batching: str, width: int, dtype: np.dtype) -> None:
        super().__init__(name, model, batching, ())
        self._width, self._dtype = width, dtype

    def read(self, form: str, value: Any) -> np.ndarray | None:
        return rows.tensor(form, value, self._width, self._dtype)

    def join(self, parts: list[np.ndarray]) -> np.ndarray:
        return np.concatenate(parts)


def _linear(coefficients: np.ndarray, intercept: Any, values: np.ndarray) -> np.ndarray:
    """What a linear model computes, without its checks around it, which take twenty times as long."""
    if values.dtype != np.float64 or not np.isfinite(values).all():
        raise ValueError("left to the model itself")
    return values @ coefficients + intercept


def _contiguous(piece: Any) -> Any:
    return np.ascontiguousarray(piece) if isinstance(piece, np.ndarray) else piece


def sklearn_model(pyfunc: Any) -> Any | None:
    """Return the scikit-learn object behind a pyfunc of that flavor."""
    if pyfunc.loader_module != "mlflow.sklearn":
        return None
    return getattr(pyfunc._model_impl, "sklearn_model", None)


def predict_method(pyfunc: Any) -> str:
    """Return which method of the estimator the pyfunc calls."""
    return pyfunc.metadata.flavors["python_function"].get("predict_fn", "predict")


def python_model_predict(pyfunc: Any) -> Callable[[Any], Any] | None:
    """Return what calls a plain Python model as MLflow's wrapper does, which looks at its signature anew with every call; or None."""
    wrapper = pyfunc._model_impl
    if type(wrapper).__name__ != "_PythonModelPyfuncWrapper" or pyfunc._predict_fn.__name__ != "predict":
        return None
    try:
        if wrapper.python_model.predict_type_hints.input is not None:
            return None
        names = list(inspect.signature(wrapper.python_model.predict).parameters)
    except (AttributeError, TypeError, ValueError):
        return None
    given = {"params": None} if "params" in names else {}
    # MLflow's rule: the context is called so, or is one of two
    if "context" in names or len([name for name in names if name not in ("self", "params")]) == 2:
        return lambda frame: wrapper.python_model.predict(wrapper.context, frame, **given)
    return lambda frame: wrapper.python_model.predict(frame, **given)


def find_plan(model: Any) -> Plan | None:
    """Return the shortest plan that agrees with MLflow on every probe, or None."""
    metadata = model.pyfunc.metadata
    if metadata.get_params_schema() is not None or any(
        getattr(metadata, name, lambda: False)()
        for name in ("_is_signature_from_type_hint", "_is_type_hint_from_example")
    ):
        return None
    estimator = sklearn_model(model.pyfunc)
    batching = "none" if estimator is None else estimators.batching(estimator, predict_method(model.pyfunc))
    columns = rows.read_signature(model.schema)
    candidates: list[Plan] = []
    if columns and estimator is not None and {column.kind for column in columns} <= rows.NUMERIC_KINDS:
        if estimators.takes_arrays(estimator, [column.name for column in columns]):
            candidates.append(ArrayPlan("array", model, batching, columns))
    if columns:
        candidates.append(FramePlan("frame", model, batching, columns))
    if (matrix := rows.read_tensor(model.schema)) and estimator is not None:
        if estimators.takes_arrays(estimator, []) and not hasattr(estimator, "feature_names_in_"):
            candidates.append(TensorPlan("tensor", model, batching, *matrix))
    for plan in candidates:
        if _proven(plan, model):
            return plan
    return None


def _proven(plan: Plan, model: Any) -> bool:
    """Ask both ways the same; keep the formats in which every answer has the same bytes."""
    table = _probe_rows(model)
    if not table:
        return False
    names = [column.name for column in rows.read_signature(model.schema) or ()]
    probes = [_repeat(table, size) for size in PROBE_SIZES]
    bodies = {form: [body for probe in probes if (body := _body(form, names, probe))] for form in FORMATS}
    expected: dict[bytes, bytes] = {}
    for first in (bodies[form][0] for form in FORMATS if bodies[form]):
        started = time.monotonic()
        model.answer_by_mlflow("application/json", first)
        if time.monotonic() - started > SLOW_SECONDS:
            return False
        break
    for form in FORMATS:
        plan.formats = {form}
        good = bool(bodies[form])
        for body in bodies[form]:
            by_mlflow = model.answer_by_mlflow("application/json", body)
            good = good and by_mlflow.status == 200 and plan.answer_all([body]) == [by_mlflow.body]
            expected[body] = by_mlflow.body
        if not good:
            bodies[form] = []
    plan.formats = {form for form in FORMATS if bodies[form]}
    together = [body for form in FORMATS for body in bodies[form]]
    if plan.batching != "none" and plan.answer_all(together) != [expected[body] for body in together]:
        plan.batching = "none"
    return bool(plan.formats)


def _repeat(table: list[list[Any]], size: int) -> list[list[Any]]:
    """`size` rows, each number moved a little, so that no two are alike."""
    return [
        [cell * (1 + place / 64) if type(cell) is float else cell for cell in table[place % len(table)]]
        for place in range(size)
    ]


def _body(form: str, names: list[str], table: list[list[Any]]) -> bytes | None:
    if form == "dataframe_split":
        value: Any = {"columns": names, "data": table} if names else None
    elif form == "dataframe_records" or (form == "instances" and names):
        value = [dict(zip(names, row, strict=True)) for row in table] if names else None
    elif names:
        value = {name: list(cells) for name, cells in zip(names, zip(*table, strict=True), strict=True)}
    else:
        value = table
    return None if value is None else json.dumps({form: value}).encode()


def _probe_rows(model: Any) -> list[list[Any]]:
    """Rows of the model's input example, or, for numbers only, rows made up by the signature."""
    columns = rows.read_signature(model.schema)
    parsed = rows.parse(model.example) if model.example else None
    if columns:
        table = rows.table_of(*parsed, columns) if parsed else None
        if table is None and "string" not in {column.kind for column in columns}:
            made = {"double": 0.375, "float": 0.375, "long": 3, "integer": 3, "boolean": True}
            table = [[made[column.kind] for column in columns]]
        return table or []
    if matrix := rows.read_tensor(model.schema):
        width, dtype = matrix
        if parsed and rows.tensor(*parsed, width, dtype) is not None:
            return parsed[1]
        return [[0.375 if dtype.kind == "f" else 3] * width]
    return []
