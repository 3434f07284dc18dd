"""MLflow's wire: JSON forms of protobuf messages, read strictly into frozen shapes that name the field which cannot be taken.

A shape is a `Message` whose fields are `Text`, `Int`, `Double`, `Flag`, `Annotated[str | None, (names in the order of their numbers)]`, another message, a list of these, or `Labels`.
Unknown fields and unknown enum values are ignored, as MLflow does; duplicate keys, NUL, bare NaN and 64-bit overflow are refused.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

import msgspec
import orjson

from apps.foundation.errors import Invalid

Text = str
Int = Annotated[int, "int64"]
Double = Annotated[float, "double"]
Flag = bool
BODY_MAX = 32 * 1024 * 1024
_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
M = TypeVar("M", bound="Message")
Convert = Callable[[Any], Any]


class Columns(dict[str, list[Any]]):
    """A long list of messages read column by column: by field, each with a value for every message."""

    def __len__(self) -> int:
        return len(next(iter(self.values())))


class ByColumn(NamedTuple):
    """Marks a list that becomes Columns when its messages hold nothing but these fields, plainly right; else it stays a list."""

    fields: tuple[str, ...]


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message. Fields without a default are required and not empty."""


def parse_json(raw: bytes) -> dict[str, Any]:
    """The JSON object in a body; an empty body is an empty message. Raises Invalid."""
    if not raw:
        return {}
    if (plain := _parse_plain(raw)) is not None:
        return plain
    try:
        found = json.loads(raw.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"The request body is not JSON that can be taken: {error}.") from None
    if not isinstance(found, dict):
        raise Invalid("The request body must be a JSON object.")
    return found


def _parse_plain(raw: bytes) -> dict[str, Any] | None:
    """The object in a body that is plainly right, five times as fast; None when the strict way must say.

    A pair has one colon and no other colon is counted less, so with a key twice there are more colons than pairs.
    """
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(found, dict):
        return None
    pairs = len(found)
    for value in found.values():
        if type(value) is list and value and set(map(type, value)) == {dict}:
            pairs += sum(map(len, value))
    return found if raw.count(b":") == pairs else None


class _Refused(Exception):
    """A value that cannot be taken; its path grows on the way out. `reason` completes MLflow's sentence."""

    def __init__(self, value: Any, reason: str = "") -> None:
        self.value, self.reason, self.path, self.is_missing = value, reason, "", False

    def within(self, step: str) -> _Refused:
        self.path = f"{step}{'.' if self.path and not self.path.startswith('[') else ''}{self.path}"
        return self

    def as_invalid(self) -> Invalid:
        if self.is_missing:
            return Invalid(f"Missing value for required parameter '{self.path}'.")
        shown = "" if self.reason else f" {str(self.value)[:100]}"
        return Invalid(
            f"Invalid value{shown} for parameter '{self.path}' supplied{self.reason and ': ' + self.reason}."
        )


def decode(shape: type[M], fields: Mapping[str, Any]) -> M:
    """The message in a JSON object. Raises Invalid that names the field."""
    try:
        return _read(shape, fields)
    except _Refused as refused:
        raise refused.as_invalid() from None


def decode_query(shape: type[M], query: Mapping[str, list[str]]) -> M:
    """The message in a query string, whose repeated keys are lists."""
    lists = {name for name, _, many, _ in _plan(shape) if many}
    return decode(shape, {name: values if name in lists else values[-1] for name, values in query.items() if values})


def _read(shape: type[M], fields: Mapping[str, Any]) -> M:
    found = {}
    for name, convert, _, required in _plan(shape):
        value = fields.get(name)
        if value is not None:
            try:
                value = convert(value)
            except _Refused as refused:
                raise refused.within(name) from None
        if required and value in (None, "", []):
            missing = _Refused(value)
            missing.is_missing = True
            raise missing.within(name)
        if value is not None:
            found[name] = value
    return shape(**found)


@cache
def _plan(shape: type[Message]) -> tuple[tuple[str, Convert, bool, bool], ...]:
    hints = get_type_hints(shape, include_extras=True)
    return tuple(
        (field.name, _converter(hints[field.name]), _is_list(hints[field.name]), field.required)
        for field in msgspec.structs.fields(shape)
    )


def _is_list(hint: Any) -> bool:
    return get_origin(get_args(hint)[0] if get_origin(hint) is Annotated else hint) is list


def _converter(hint: Any) -> Convert:
    if get_origin(hint) is list:
        return _many(_converter(get_args(hint)[0]))
    if get_origin(hint) is dict:
        return _labels
    if get_origin(hint) is Annotated:
        kind = get_args(hint)[1]
        if isinstance(kind, ByColumn):
            return _by_column(get_args(get_args(hint)[0])[0], kind)
        return _enum(kind) if isinstance(kind, tuple) else {"int64": _int, "double": _double}[kind]
    if isinstance(hint, type) and issubclass(hint, Message):
        return _one(hint)
    if hint in (str, bool):
        return _text if hint is str else _flag
    inner = [each for each in get_args(hint) if each is not type(None)]
    if len(inner) == 1:
        return _converter(inner[0])
    raise TypeError(f"{hint} is no type of the wire")


def _many(item: Convert) -> Convert:
    def read(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise _Refused(value)
        found: list[Any] = []
        try:
            for each in value:
                found.append(item(each))
        except _Refused as refused:
            raise refused.within(f"[{len(found)}]") from None
        return found

    return read


def _by_column(shape: type[Message], kind: ByColumn) -> Convert:
    many, hints = _many(_one(shape)), get_type_hints(shape, include_extras=True)
    fields = [(each.name, hints[each.name], each.required, each.default) for each in msgspec.structs.fields(shape)]
    fields = [each for each in fields if each[0] in kind.fields]

    def read(value: Any) -> Any:
        if type(value) is not list or not value or set(map(type, value)) != {dict}:
            return many(value)
        if not set().union(*value).issubset(kind.fields):
            return many(value)
        found = Columns()
        for name, hint, required, default in fields:
            try:
                cells = [item[name] for item in value] if required else [item.get(name, default) for item in value]
            except KeyError:
                return many(value)
            if (column := _column(hint, cells, required)) is None:
                return many(value)
            found[name] = column
        return found

    return read


def _column(hint: Any, cells: list[Any], required: bool) -> list[Any] | None:
    """The cells when all are plainly right, None when they must be looked at one by one."""
    types = set(map(type, cells))
    if hint is str:
        different = set(cells) if types == {str} else {""}
        return None if any("\0" in text or required and not text for text in different) else cells
    if hint == Int:
        return cells if types == {int} and -(2**63) <= min(cells) and max(cells) < 2**63 else None
    if hint == Double and types <= {float, int}:
        return cells if types == {float} else list(map(float, cells))
    return None


def _one(shape: type[Message]) -> Convert:
    def read(value: Any) -> Message:
        if not isinstance(value, dict):
            raise _Refused(value)
        return _read(shape, value)

    return read


def _text(value: Any) -> str:
    if type(value) is not str:
        raise _Refused(value)
    if "\0" in value:
        raise _Refused(value, "a NUL character cannot be stored")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _Refused(value, "it is not Unicode text") from None
    return value


def _int(value: Any) -> int:
    if type(value) is int and -(2**63) <= value < 2**63:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _Refused(value)
    try:
        number = value if isinstance(value, int) else int(float(value)) if isinstance(value, float) else _int_of(value)
    except (ValueError, OverflowError):
        raise _Refused(value) from None
    if not -(2**63) <= number < 2**63:
        raise _Refused(value, "it does not fit in 64 bits")
    return number


def _int_of(text: str) -> int:
    if len(text) > 40 or not text.isascii():
        raise ValueError
    return int(text) if text.lstrip("-").isdigit() else int(float(text))


def _double(value: Any) -> float:
    if type(value) is float:
        if math.isinf(value):
            raise _Refused(value, "it does not fit in a double")
        return value
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise _Refused(value)
    if isinstance(value, str):
        if value in _WORDS:
            return _WORDS[value]
        if (
            len(value) > 400
            or "_" in value
            or not value.isascii()
            or value.strip().lstrip("+-").lower().startswith(("i", "n"))
        ):
            raise _Refused(value)
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise _Refused(value) from None
    if math.isinf(number):
        raise _Refused(value, "it does not fit in a double")
    return number


def _flag(value: Any) -> bool:
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise _Refused(value)
    return value


def _labels(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise _Refused(value)
    return {_text(key): _text(item) for key, item in value.items()}


def _enum(words: tuple[str, ...]) -> Convert:
    def one(value: Any) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise _Refused(value)
        if isinstance(value, str):
            if not value.isdigit():
                return value if value and value in words else None
            value = int(value[:4])
        return (words[value] or None) if 0 <= value < len(words) else None

    return one


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is not JSON; send it as text")
