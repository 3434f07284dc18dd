"""Kinds of text in a CSV cell: which one a cell is, which one a column is, and the value it stands for."""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

BAD: Final[Any] = object()
MISSING = "missing"
MISSING_WORDS = frozenset(
    {"", "NA", "N/A", "n/a", "#N/A", "null", "NULL", "Null", "None", "NaN", "nan", "-nan", "<NA>"}
)
KINDS = {
    "long": "whole number",
    "integer": "whole number",
    "short": "whole number",
    "byte": "whole number",
    "double": "number",
    "float": "number",
    "boolean": "true or false",
    "date": "date",
    "timestamp": "time",
    "timestamp_ntz": "time",
    "string": "text",
}
_LONG = re.compile(r"[+-]?\d{1,19}")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?|[+-]?(inf|Inf|infinity|Infinity)")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?( ?(Z|UTC|[+-]\d\d:?(\d\d)?))?")
_BOOLEAN = {"true": True, "false": False}
_RANGES = {"long": 63, "integer": 31, "short": 15, "byte": 7}
# A column keeps its kind although a few cells are something else: those are told as bad rows.
STRAY_SHARE = 0.01


def classify(text: str) -> str:
    """The narrowest kind that holds this cell."""
    text = text.strip()
    if text in MISSING_WORDS:
        return MISSING
    first = text[0]
    if first.isdigit() or first in "+-.iI":
        if _LONG.fullmatch(text):
            digits = text.lstrip("+-")
            if len(digits) > 1 and digits[0] == "0":
                return "string"
            return "long" if -(2**63) <= int(text) < 2**63 else "string"
        if _NUMBER.fullmatch(text):
            return "double"
        if _DATE.fullmatch(text):
            return "date" if _date(text) is not BAD else "string"
        if _TIME.fullmatch(text):
            moment = _moment(text)
            return "string" if moment is BAD else "timestamp" if moment.tzinfo else "timestamp_ntz"
    return "boolean" if text.lower() in _BOOLEAN else "string"


def decide(kinds: Mapping[str, int], missing: Mapping[str, int]) -> str:
    """The type of a column from the kinds of all its cells."""
    counts = Counter({kind: many for kind, many in kinds.items() if kind != MISSING and many})
    total = sum(counts.values())
    if not total:
        return "string"
    counts["double"] += counts["long"] if counts["double"] else 0
    # A date among times is a time at midnight; a time without a zone among zoned ones is a stray.
    for kind in ("timestamp", "timestamp_ntz"):
        counts[kind] += counts["date"] if counts[kind] else 0
    best = max(("long", "double", "date", "timestamp", "timestamp_ntz", "boolean"), key=lambda kind: counts[kind])
    stray = total - counts[best]
    if stray == 0 or (stray <= max(1, total * STRAY_SHARE) and counts[best] > 2 * stray):
        return best
    return "string"


def convert(text: str, kind: str) -> Any:
    """The value of a cell in a column of `kind`: None where it is missing, BAD where it is no such thing."""
    if kind == "string":
        return text or None
    text = text.strip()
    if text in MISSING_WORDS:
        return None
    if kind in _RANGES:
        if not _LONG.fullmatch(text):
            whole = convert(text, "double") if _NUMBER.fullmatch(text) else BAD
            return (
                int(whole)
                if whole is not BAD and whole == whole // 1 and abs(whole) < 2 ** min(_RANGES[kind], 53)
                else BAD
            )
        value = int(text)
        return value if -(2 ** _RANGES[kind]) <= value < 2 ** _RANGES[kind] else BAD
    if kind in ("double", "float"):
        return float(text) if _NUMBER.fullmatch(text) else BAD
    if kind == "boolean":
        return _BOOLEAN.get(text.lower(), {"1": True, "0": False, "t": True, "f": False}.get(text.lower(), BAD))
    if kind == "date":
        return _date(text)
    if kind in ("timestamp", "timestamp_ntz"):
        moment = _moment(text) if _TIME.fullmatch(text) or _DATE.fullmatch(text) else BAD
        if moment is BAD or (kind == "timestamp_ntz" and moment.tzinfo):
            return BAD
        # Without a zone, a time of a zoned column is taken as UTC.
        return moment if kind == "timestamp_ntz" or moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
    if kind == "binary":
        return text.encode()
    return _decimal(text, kind)


def _date(text: str) -> Any:
    try:
        return datetime.date.fromisoformat(text) if _DATE.fullmatch(text) else BAD
    except ValueError:
        return BAD


def _moment(text: str) -> Any:
    text = text.replace(" UTC", "Z").replace("UTC", "Z").replace(" Z", "Z").replace(" +", "+")
    text = re.sub(r"(\.\d{6})\d+", r"\1", text)
    try:
        return datetime.datetime.fromisoformat(text)
    except ValueError:
        return BAD


def _decimal(text: str, kind: str) -> Any:
    precision, scale = (int(part) for part in kind[8:-1].split(","))
    try:
        value = Decimal(text)
        exact = value.quantize(Decimal(1).scaleb(-scale))
    except InvalidOperation:
        return BAD
    return exact if exact == value and len(exact.as_tuple().digits) <= precision else BAD
