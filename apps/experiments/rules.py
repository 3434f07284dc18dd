"""Which comparisons and orders a run search can answer. The MLflow door's grammar says the same in MLflow's words."""

from __future__ import annotations

from apps.experiments.search import Comparison, Entity, Operator, RunSearch
from apps.experiments.sets import ATTRIBUTES
from apps.foundation.errors import Invalid

NUMERIC = {Operator.EQ, Operator.NE, Operator.LT, Operator.LE, Operator.GT, Operator.GE}
TEXT = {Operator.EQ, Operator.NE, Operator.LIKE, Operator.ILIKE}
LISTS = {Operator.IN, Operator.NOT_IN}
NULLS = {Operator.IS_NULL, Operator.IS_NOT_NULL}
DATASET_FIELDS = ("name", "digest", "context")


def check_search(search: RunSearch) -> RunSearch:
    """The search, when it can be answered. Raises Invalid that names the condition."""
    for index, comparison in enumerate(search.where):
        problem = _problem(comparison)
        if problem:
            raise Invalid(fields={f"where[{index}]": problem})
    for index, order in enumerate(search.order):
        known = order.entity is not Entity.DATASET and (order.entity is not Entity.ATTRIBUTE or order.key in ATTRIBUTES)
        if not known or any((order.entity, order.key) == (other.entity, other.key) for other in search.order[:index]):
            raise Invalid(fields={f"order[{index}]": "Order by a field, metric, param or tag, each once."})
    return search


def _problem(comparison: Comparison) -> str:
    entity, operator, value = comparison.entity, comparison.operator, comparison.value
    if entity is Entity.ATTRIBUTE and comparison.key not in ATTRIBUTES:
        return f"There is no field “{comparison.key}”; there are {', '.join(ATTRIBUTES)}."
    if entity is Entity.DATASET and comparison.key not in DATASET_FIELDS:
        return f"There is no field “{comparison.key}”; there are {', '.join(DATASET_FIELDS)}."
    numeric = entity is Entity.METRIC or entity is Entity.ATTRIBUTE and not ATTRIBUTES[comparison.key].text
    allowed = NUMERIC if numeric else TEXT
    if entity in (Entity.PARAM, Entity.TAG):
        allowed = allowed | NULLS
    if entity is Entity.DATASET or comparison.key == "run_id" and entity is Entity.ATTRIBUTE:
        allowed = allowed | LISTS
    if operator not in allowed:
        return f"{operator} cannot be asked here; ask one of {', '.join(sorted(allowed))}."
    if operator in NULLS:
        return ""
    if operator in LISTS:
        return (
            ""
            if isinstance(value, tuple) and value and all(isinstance(item, str) for item in value)
            else "Give a list of texts."
        )
    if numeric:
        return "" if isinstance(value, int | float) and not isinstance(value, bool) else "Give a number."
    return "" if isinstance(value, str) else "Give a text."
