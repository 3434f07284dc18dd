"""The one style of our API: a GenericViewSet per noun, explicit methods, an In shape that validates, an Out shape that shows."""

from __future__ import annotations

import json
from typing import Any

import orjson
from rest_framework import serializers, viewsets
from rest_framework.authentication import BaseAuthentication
from rest_framework.parsers import JSONParser
from rest_framework.permissions import BasePermission
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from apps.foundation.errors import Invalid, Unauthenticated
from apps.foundation.paging import Page

DEPTH_MAX = 32


class ActorAuthentication(BaseAuthentication):
    """Takes over who the middleware found; DRF itself identifies nobody."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        actor = getattr(request._request, "actor", None)
        return (actor.user, actor) if actor else None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class HasActor(BasePermission):
    """The default door is shut: no actor, no answer."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if getattr(request._request, "actor", None) is None:
            raise Unauthenticated
        return True


class Anyone(BasePermission):
    """For the few addresses that strangers may ask."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return True


class StrictJSONParser(JSONParser):
    """JSON without surprises: no duplicate keys, no bare NaN, no NUL, 64-bit integers, bounded depth."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: dict[str, Any] | None = None) -> Any:
        return parse_json(stream.read())


def parse_json(raw: bytes) -> Any:
    """The value of a JSON body. Raises Invalid with what is wrong."""
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
        _check(value, DEPTH_MAX)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"The body is not JSON that can be taken: {error}.", code="invalid_json") from None
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is not JSON; send it as text")


def _check(value: Any, depth: int) -> None:
    if depth == 0:
        raise ValueError("nested too deeply")
    if isinstance(value, dict):
        for key, item in value.items():
            _check(key, depth)
            _check(item, depth - 1)
    elif isinstance(value, list):
        for item in value:
            _check(item, depth - 1)
    elif isinstance(value, str):
        if "\0" in value:
            raise ValueError("a text contains NUL")
        value.encode("utf-8")
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError("a number does not fit in 64 bits")


class FastJSONRenderer(JSONRenderer):
    """JSON by orjson."""

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: dict[str, Any] | None = None
    ) -> bytes:
        return b"" if data is None else orjson.dumps(data, default=str, option=orjson.OPT_NON_STR_KEYS)


class In(serializers.Serializer[Any]):
    """What a request may say. Unknown fields are refused, so that a misspelt one is noticed."""

    @classmethod
    def parse(cls, request: Request, *, partial: bool = False) -> dict[str, Any]:
        """The validated body (or query, for GET). Raises Invalid with a sentence per field."""
        source = request.query_params.dict() if request.method == "GET" else request.data
        if not isinstance(source, dict):
            raise Invalid("The body must be a JSON object.")
        shape = cls(data=source, partial=partial)
        unknown = set(source) - set(shape.fields)
        if unknown and request.method != "GET":
            raise Invalid(fields=dict.fromkeys(sorted(unknown), "There is no such field here."))
        shape.is_valid(raise_exception=True)
        return dict(shape.validated_data)


class Out(serializers.Serializer[Any]):
    """What an answer shows."""

    @classmethod
    def response(cls, thing: Any, status: int = 200, **headers: str) -> Response:
        """One thing."""
        return Response(cls(thing).data, status=status, headers=headers)

    @classmethod
    def page(cls, source: Page[Any]) -> Response:
        """A page: `{items, next_token}`."""
        return Response({"items": cls(source.items, many=True).data, "next_token": source.next_token})


class RoomViewSet(viewsets.GenericViewSet[Any]):
    """The base of each noun's viewset."""

    lookup_value_regex = "[^/]+"

    def paging(self, request: Request) -> dict[str, Any]:
        """`token` and `size` for paging.page, from `page_token` and `page_size`."""
        return {"token": request.query_params.get("page_token") or None, "size": request.query_params.get("page_size")}


def empty() -> Response:
    """204: done, nothing to show."""
    return Response(status=204)
