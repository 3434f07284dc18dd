"""The one style of our API: a GenericViewSet per noun, explicit methods, an In shape that validates, an Out shape that shows."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from apps.foundation.errors import Forbidden, Invalid
from apps.foundation.paging import Page


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
    # Whether any token may ask, whatever its scopes.
    any_scope = False

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """DRF's checks, then: do the token's scopes cover this room? Raises Forbidden."""
        super().initial(request, *args, **kwargs)
        actor = getattr(request, "actor", None)
        room = type(self).__module__.split(".")[1]
        if actor is not None and not self.any_scope and not actor.allows(room, writing=False):
            raise Forbidden(f"The scopes of this token do not cover {room}.", code="scope")

    def paging(self, request: Request) -> dict[str, Any]:
        """`token` and `size` for paging.page, from `page_token` and `page_size`."""
        return {"token": request.query_params.get("page_token") or None, "size": request.query_params.get("page_size")}


def empty() -> Response:
    """204: done, nothing to show."""
    return Response(status=204)
