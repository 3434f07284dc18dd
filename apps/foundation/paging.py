"""Keyset paging: every list of the product is read through `page`. Tokens are signed and carry order and position."""

from __future__ import annotations

import datetime
import decimal
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.core import signing
from django.db.models import Q, QuerySet

from apps.foundation.errors import Invalid

T = TypeVar("T")
DEFAULT_SIZE = 50
SALT = "boathouse.page"


@dataclass(frozen=True)
class Page(Generic[T]):
    """Items in order, and the token of the next page or None at the end."""

    items: list[T]
    next_token: str | None


def page(
    queryset: QuerySet[Any],
    *,
    order: Sequence[str] = ("-created_at", "-id"),
    token: str | None = None,
    size: int | str | None = None,
    cap: int = 1000,
) -> Page[Any]:
    """One page of `queryset`. `order` ends in a unique field, and its fields are not null. Raises Invalid on a bad token or size."""
    limit = parse_size(size, cap)
    rows = queryset.order_by(*order)
    if token:
        rows = rows.filter(_after(order, _positions(token, order)))
    items = list(rows[: limit + 1])
    if len(items) <= limit:
        return Page(items, None)
    items = items[:limit]
    values = [_encode(_read(items[-1], field.lstrip("-"))) for field in order]
    return Page(items, signing.dumps({"o": list(order), "v": values}, salt=SALT, compress=True))


def map_page(source: Page[Any], shape: Callable[[Any], T]) -> Page[T]:
    """The same page with each item shaped."""
    return Page([shape(item) for item in source.items], source.next_token)


def parse_size(size: int | str | None, cap: int) -> int:
    """The page size asked for, between 1 and `cap`. Raises Invalid otherwise."""
    if size in (None, ""):
        return min(DEFAULT_SIZE, cap)
    try:
        number = int(size)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = 0
    if number < 1:
        raise Invalid(fields={"page_size": f"Give a whole number between 1 and {cap}."})
    return min(number, cap)


def _positions(token: str, order: Sequence[str]) -> list[Any]:
    try:
        content = signing.loads(token, salt=SALT)
    except signing.BadSignature:
        raise Invalid(fields={"page_token": "Not a page token of this list; start again without one."}) from None
    if content["o"] != list(order):
        raise Invalid(fields={"page_token": "The order changed since this token was made; start again without one."})
    return [_decode(value) for value in content["v"]]


def _after(order: Sequence[str], values: Sequence[Any]) -> Q:
    """Rows strictly after `values`: (a > x) or (a = x and b > y) or ..."""
    condition, equal = Q(), Q()
    for field, value in zip(order, values, strict=True):
        name = field.lstrip("-")
        condition |= equal & Q(**{f"{name}__{'lt' if field.startswith('-') else 'gt'}": value})
        equal &= Q(**{name: value})
    return condition


def _read(item: Any, path: str) -> Any:
    for step in path.split("__"):
        item = item[step] if isinstance(item, dict) else getattr(item, step)
    return item


def _encode(value: Any) -> Any:
    if isinstance(value, datetime.datetime):
        return {"t": value.isoformat()}
    if isinstance(value, uuid.UUID):
        return {"u": value.hex}
    if isinstance(value, decimal.Decimal):
        return {"d": str(value)}
    return value


def _decode(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    kind, text = next(iter(value.items()))
    readers: dict[str, Callable[[str], Any]] = {
        "t": datetime.datetime.fromisoformat,
        "u": uuid.UUID,
        "d": decimal.Decimal,
    }
    return readers[kind](text)
