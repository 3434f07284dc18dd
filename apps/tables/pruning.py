"""Row filters as lists, and which files cannot hold a row that passes. Pure.

A filter is a list of alternatives, each a list of conditions that all hold: `[[["month", "<=", 9], ["origin", "=", "JFK"]]]`.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any, Protocol

from apps.foundation.errors import Invalid
from apps.tables.arrow import pa

OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "in", "not in", "is null", "is not null")
CONDITIONS_MAX = 200
VALUES_MAX = 10_000
Condition = tuple[str, str, Any]


class HasStatistics(Protocol):
    """What pruning knows of a file."""

    @property
    def rows(self) -> int: ...
    @property
    def low(self) -> dict[str, object]: ...
    @property
    def high(self) -> dict[str, object]: ...
    @property
    def nulls(self) -> dict[str, int]: ...


def parse(filter: Any, schema: pa.Schema) -> list[list[Condition]]:
    """The filter, checked against a schema, with values in the kinds that statistics have. Raises Invalid."""
    if not isinstance(filter, list | tuple):
        raise _wrong("is a list of [column, operator, value], or a list of such lists")
    alternatives = filter if filter and filter[0] and isinstance(filter[0][0], list | tuple) else [filter]
    if sum(len(alternative) for alternative in alternatives) > CONDITIONS_MAX:
        raise _wrong(f"has more than {CONDITIONS_MAX} conditions")
    return [[_condition(item, schema) for item in alternative] for alternative in alternatives]


def may_match(file: HasStatistics, alternatives: Sequence[Sequence[Condition]]) -> bool:
    """False only when the file's statistics prove that no row of it passes."""
    return not alternatives or any(
        all(_possible(file, *condition) for condition in conditions) for conditions in alternatives
    )


def _condition(item: Any, schema: pa.Schema) -> Condition:
    if (
        not isinstance(item, list | tuple)
        or len(item) not in (2, 3)
        or not all(isinstance(part, str) for part in item[:2])
    ):
        raise _wrong("has conditions of the form [column, operator, value]")
    column, operator = item[0], {"==": "="}.get(item[1].lower(), item[1].lower())
    if column not in schema.names:
        raise _wrong(f"names the column “{column[:60]}”, which is not there")
    if operator not in OPERATORS:
        raise _wrong(f"has the operator “{item[1][:20]}”; use {', '.join(OPERATORS)}")
    kind = schema.field(column).type
    if operator.startswith("is"):
        return column, operator, None
    if len(item) < 3:
        raise _wrong(f"lacks a value for “{column}”")
    if operator in ("in", "not in"):
        if not isinstance(item[2], list | tuple) or len(item[2]) > VALUES_MAX:
            raise _wrong(f"needs a list of at most {VALUES_MAX} values for “{column}”")
        return column, operator, [_value(value, kind) for value in item[2]]
    return column, operator, _value(item[2], kind)


def _value(value: Any, kind: pa.DataType) -> Any:
    """The value in the kind of the column's statistics; None when it has none to compare with."""
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None
    if pa.types.is_string(kind):
        return value if isinstance(value, str) else None
    if isinstance(value, str) and (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        try:
            moment = datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
        except ValueError:
            return None
        if pa.types.is_date(kind):
            return moment.date() if moment.time() == datetime.time() else None
        if kind.tz:
            return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
        return moment if moment.tzinfo is None else None
    return None


def _possible(file: HasStatistics, column: str, operator: str, value: Any) -> bool:
    nulls = file.nulls.get(column)
    if operator == "is null":
        return nulls != 0
    if operator == "is not null":
        return nulls is None or nulls < file.rows
    low, high = file.low.get(column), file.high.get(column)
    if value is None or low is None or high is None or operator in ("!=", "not in"):
        return True
    try:
        match operator:
            case "=":
                return bool(low <= value <= high)  # type: ignore[operator]
            case "<":
                return bool(low < value)  # type: ignore[operator]
            case "<=":
                return bool(low <= value)  # type: ignore[operator]
            case ">":
                return bool(high > value)  # type: ignore[operator]
            case ">=":
                return bool(high >= value)  # type: ignore[operator]
            case "in":
                return any(item is None or low <= item <= high for item in value)
    except TypeError:
        return True
    return True


def _wrong(why: str) -> Invalid:
    return Invalid(fields={"filter": f"A filter {why}."})
