"""MLflow's wire: JSON forms of protobuf messages, read strictly into frozen shapes that name the field which cannot be taken.

A shape is a `Message` whose fields are `Text`, `Int`, `Double`, `Flag`, `Annotated[str | None, (names in the order of their numbers)]`, another message, a list of these, or `Labels`.
Unknown fields and unknown enum values are ignored, as MLflow does; duplicate keys, NUL, bare NaN and 64-bit overflow are refused.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from apps.foundation.errors import Invalid

Text = str
Int = Annotated[int, "int64"]
Double = Annotated[float, "double"]
Flag = bool
DEPTH_MAX = 16
BODY_MAX = 32 * 1024 * 1024
_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
M = TypeVar("M", bound="Message")
Convert = Callable[[Any, str], Any]


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message. Fields without a default are required and not empty."""


def parse_json(raw: bytes) -> dict[str, Any]:
    """The JSON object in a body; an empty body is an empty message. Raises Invalid."""
    if not raw:
        return {}
    try:
        found = json.loads(raw.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"The request body is not JSON that can be taken: {error}.") from None
    if not isinstance(found, dict):
        raise Invalid("The request body must be a JSON object.")
    return found


def decode(shape: type[M], fields: Mapping[str, Any]) -> M:
    """The message in a JSON object. Raises Invalid that names the field."""
    return _read(shape, fields, "")


def decode_query(shape: type[M], query: Mapping[str, list[str]]) -> M:
    """The message in a query string, whose repeated keys are lists."""
    lists = {name for name, _, many, _ in _plan(shape) if many}
    return _read(shape, {name: values if name in lists else values[-1] for name, values in query.items() if values}, "")


def _read(shape: type[M], fields: Mapping[str, Any], path: str) -> M:
    found = {}
    for name, convert, _, required in _plan(shape):
        value = fields.get(name)
        if value is None:
            if required:
                raise Invalid(f"Missing value for required parameter '{path}{name}'.")
            continue
        value = convert(value, f"{path}{name}" if path else name)
        if value is None:
            continue
        if required and value in ("", []):
            raise Invalid(f"Missing value for required parameter '{path}{name}'.")
        found[name] = value
    return shape(**found)


@cache
def _plan(shape: type[Message]) -> tuple[tuple[str, Convert, bool, bool], ...]:
    hints = get_type_hints(shape, include_extras=True)
    return tuple(
        (field.name, _converter(hints[field.name]), get_origin(hints[field.name]) is list, field.required)
        for field in msgspec.structs.fields(shape)
    )


def _converter(hint: Any) -> Convert:
    if get_origin(hint) is list:
        item = _converter(get_args(hint)[0])

        def many(value: Any, path: str) -> Any:
            if not isinstance(value, list):
                raise refuse(value, path)
            return [item(each, f"{path}[{index}]") for index, each in enumerate(value)]

        return many
    if get_origin(hint) is dict:
        return _labels
    if get_origin(hint) is Annotated:
        kind = get_args(hint)[1]
        return _enum(kind) if isinstance(kind, tuple) else {"int64": _int, "double": _double}[kind]
    if isinstance(hint, type) and issubclass(hint, Message):
        return lambda value, path: _message(hint, value, path)
    if hint in (str, bool):
        return _text if hint is str else _flag
    inner = [each for each in get_args(hint) if each is not type(None)]
    if len(inner) == 1:
        return _converter(inner[0])
    raise TypeError(f"{hint} is no type of the wire")


def refuse(value: Any, path: str) -> Invalid:
    """The error for a value of the wrong type, in MLflow's words."""
    shown = str(value)
    return Invalid(f"Invalid value {shown[:100]} for parameter '{path}' supplied.")


def _message(shape: type[Message], value: Any, path: str) -> Any:
    if not isinstance(value, dict) or path.count(".") > DEPTH_MAX:
        raise refuse(value, path)
    return _read(shape, value, f"{path}.")


def _text(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise refuse(value, path)
    if "\0" in value:
        raise Invalid(f"Invalid value for parameter '{path}' supplied: a NUL character cannot be stored.")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Invalid(f"Invalid value for parameter '{path}' supplied: it is not Unicode text.") from None
    return value


def _int(value: Any, path: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise refuse(value, path)
    try:
        number = value if isinstance(value, int) else int(float(value)) if isinstance(value, float) else _int_of(value)
    except (ValueError, OverflowError):
        raise refuse(value, path) from None
    if not -(2**63) <= number < 2**63:
        raise Invalid(f"Invalid value {value} for parameter '{path}' supplied: it does not fit in 64 bits.")
    return number


def _int_of(text: str) -> int:
    if len(text) > 40 or not text.isascii():
        raise ValueError
    return int(text) if text.lstrip("-").isdigit() else int(float(text))


def _double(value: Any, path: str) -> float:
    if isinstance(value, float):
        if math.isinf(value):
            raise Invalid(f"Invalid value for parameter '{path}' supplied: it does not fit in a double.")
        return value
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise refuse(value, path)
    if isinstance(value, str):
        if value in _WORDS:
            return _WORDS[value]
        if (
            len(value) > 400
            or "_" in value
            or not value.isascii()
            or value.strip().lstrip("+-").lower().startswith(("i", "n"))
        ):
            raise refuse(value, path)
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise refuse(value, path) from None
    if math.isinf(number):
        raise Invalid(f"Invalid value for parameter '{path}' supplied: it does not fit in a double.")
    return number


def _flag(value: Any, path: str) -> bool:
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise refuse(value, path)
    return value


def _labels(value: Any, path: str) -> dict[str, str]:
    if not isinstance(value, dict):
        raise refuse(value, path)
    return {_text(key, path): _text(item, f"{path}.{key}") for key, item in value.items()}


def _enum(words: tuple[str, ...]) -> Convert:
    def one(value: Any, path: str) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise refuse(value, path)
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
