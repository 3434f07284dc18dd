"""The edge: meanings become statuses and shapes here, for our API (problem+json) and for pages. Doors have their own."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable
from typing import Any

import orjson
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from rest_framework import exceptions as drf
from rest_framework.authentication import BaseAuthentication
from rest_framework.parsers import JSONParser
from rest_framework.permissions import BasePermission
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from apps.foundation.errors import (
    BoathouseError,
    Forbidden,
    Invalid,
    NotFound,
    TooLarge,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from apps.foundation.pages import render_broken, render_error

logger = logging.getLogger(__name__)
DEPTH_MAX = 32
API_PREFIXES = ("/api/", "/ajax-api/", "/delta-sharing/", "/serving-endpoints/", "/v2/", "/v1/")
CSP = (
    "default-src 'self'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


class SecurityHeaders:
    """Numbers each request and puts the content policy and its sisters on each answer."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.request_id = secrets.token_hex(8)  # type: ignore[attr-defined]
        response = self._refused(request) or self.get_response(request)
        response.setdefault("Content-Security-Policy", CSP)
        response.setdefault("X-Content-Type-Options", "nosniff")
        response.setdefault("Referrer-Policy", "same-origin")
        response.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        response.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        response.setdefault("X-Frame-Options", "DENY")
        response.setdefault("Cache-Control", "no-store")
        response["X-Request-Id"] = request.request_id  # type: ignore[attr-defined]
        return response

    def _refused(self, request: HttpRequest) -> HttpResponse | None:
        # PostgreSQL takes no NUL in any text, so an address with one can name nothing.
        if "\0" in request.path or "%00" in request.META.get("QUERY_STRING", ""):
            return error_response(request, NotFound())
        return None


def is_api(request: HttpRequest) -> bool:
    """Whether a program asks (and so gets JSON, never a page)."""
    return request.path.startswith(API_PREFIXES)


def to_meaning(error: Exception) -> BoathouseError:
    """Our error for anything that was raised; what we do not know stays a fault of ours, logged and without detail."""
    if isinstance(error, BoathouseError):
        return error
    if isinstance(error, Http404 | drf.NotFound):
        return NotFound()
    if isinstance(error, drf.NotAuthenticated | drf.AuthenticationFailed):
        return Unauthenticated()
    if isinstance(error, PermissionDenied | drf.PermissionDenied):
        return Forbidden(str(error) or "")
    if isinstance(error, drf.ValidationError):
        return Invalid(fields=flatten(error.detail))
    if isinstance(error, drf.MethodNotAllowed | drf.UnsupportedMediaType | drf.NotAcceptable | drf.ParseError):
        meaning = Invalid(str(error.detail), code=str(error.default_code))
        meaning.status = error.status_code  # type: ignore[misc]
        return meaning
    if isinstance(error, RequestDataTooBig):
        return TooLarge()
    if isinstance(error, OperationalError | InterfaceError):
        logger.error("the database does not answer: %s", error)
        return Unavailable()
    if isinstance(error, SuspiciousOperation):
        meaning = Invalid("The request cannot be taken.", code="bad_request")
        meaning.status = 400  # type: ignore[misc]
        return meaning
    logger.error("unexpected failure", exc_info=error)
    return BoathouseError()


def flatten(detail: Any, prefix: str = "") -> dict[str, str]:
    """DRF's nested messages as `field.path -> sentence`."""
    if isinstance(detail, dict):
        found: dict[str, str] = {}
        for key, value in detail.items():
            found |= flatten(value, f"{prefix}.{key}" if prefix else str(key))
        return found
    if isinstance(detail, list) and any(isinstance(item, dict | list) for item in detail):
        found = {}
        for index, item in enumerate(detail):
            found |= flatten(item, f"{prefix}[{index}]")
        return found
    sentences = detail if isinstance(detail, list) else [detail]
    return {prefix or "non_field_errors": " ".join(str(sentence) for sentence in sentences)}


def problem(error: BoathouseError, request_id: str = "") -> dict[str, Any]:
    """The body of an error in our API (RFC 9457)."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": error.title,
        "status": error.status,
        "code": error.code,
        "detail": error.message,
    }
    if isinstance(error, Invalid) and error.fields:
        body["fields"] = error.fields
    if isinstance(error, Forbidden) and error.needs:
        body["needs"] = error.needs
    if error.status >= 500 and request_id:
        body["request_id"] = request_id
    return body


def headers_of(error: BoathouseError) -> dict[str, str]:
    """Headers that belong to an error: when to try again."""
    return {"Retry-After": str(error.retry_after_seconds)} if isinstance(error, TooMany | Unavailable) else {}


def api_exception(error: Exception, context: dict[str, Any]) -> Response:
    """DRF's exception handler."""
    request: HttpRequest = context["request"]._request
    meaning = to_meaning(error)
    request.refusal = meaning  # type: ignore[attr-defined]
    body = problem(meaning, getattr(request, "request_id", ""))
    return Response(body, status=meaning.status, headers=headers_of(meaning), content_type="application/problem+json")


_doors: list[tuple[tuple[str, ...], Callable[[HttpRequest, Exception], HttpResponse]]] = []


def register_door(prefixes: tuple[str, ...], answer: Callable[[HttpRequest, Exception], HttpResponse]) -> None:
    """Have errors below these address prefixes answered in the shape of a protocol door."""
    _doors.append((prefixes, answer))


def error_response(request: HttpRequest, error: Exception) -> HttpResponse:
    """The answer for an error outside DRF: a door's shape below its prefixes, else problem+json for programs, a page for people."""
    for prefixes, answer in _doors:
        if request.path.startswith(prefixes):
            return answer(request, error)
    meaning = to_meaning(error)
    request.refusal = meaning  # type: ignore[attr-defined]
    if is_api(request):
        body = problem(meaning, getattr(request, "request_id", ""))
        return JsonResponse(
            body, status=meaning.status, content_type="application/problem+json", headers=headers_of(meaning)
        )
    return (
        render_broken(request)
        if meaning.status >= 500 and type(meaning) is BoathouseError
        else render_error(request, meaning)
    )


def page_not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """handler404: an address that nobody has."""
    return error_response(request, NotFound())


def server_error(request: HttpRequest) -> HttpResponse:
    """handler500: ours; an error number to quote and nothing more."""
    return error_response(request, BoathouseError())


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """handler400."""
    return error_response(request, exception if exception is not None else SuspiciousOperation())


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form that did not come from our pages, or from one that is too old."""
    return error_response(
        request, Forbidden("This form is no longer valid; reload the page and send it again.", code="csrf")
    )


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
