"""Our meanings in MLflow's words: `{"error_code", "message"}` and the status that its clients expect of each."""

from __future__ import annotations

from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse

from apps.foundation import errors
from apps.foundation.http import headers_of, to_meaning

_CODES: tuple[tuple[type[errors.BoathouseError], int, str], ...] = (
    (errors.Unauthenticated, 401, "UNAUTHENTICATED"),
    (errors.NotFound, 404, "RESOURCE_DOES_NOT_EXIST"),
    (errors.Forbidden, 403, "PERMISSION_DENIED"),
    (errors.Invalid, 400, "INVALID_PARAMETER_VALUE"),
    (errors.AlreadyExists, 400, "RESOURCE_ALREADY_EXISTS"),
    (errors.Conflict, 409, "RESOURCE_CONFLICT"),
    (errors.Stale, 409, "ABORTED"),
    (errors.TooLarge, 413, "BAD_REQUEST"),
    (errors.TooMany, 429, "REQUEST_LIMIT_EXCEEDED"),
    (errors.Unavailable, 503, "TEMPORARILY_UNAVAILABLE"),
    (errors.UserCodeFailed, 400, "BAD_REQUEST"),
)
# Codes that one of our errors may carry to be told apart there. None is a 5xx: clients would repeat the request for minutes.
_SPECIAL = {"invalid_state": (409, "INVALID_STATE"), "not_implemented": (501, "NOT_IMPLEMENTED")}


class EndpointNotFound(errors.NotFound):
    """An address that the door does not have; clients then try an older one, so it must never look like a missing object."""

    code, title = "endpoint_not_found", "There is no such endpoint here"


def to_mlflow(error: errors.BoathouseError) -> tuple[int, dict[str, str]]:
    """The status and body of an error."""
    if isinstance(error, EndpointNotFound):
        return 404, {"error_code": "ENDPOINT_NOT_FOUND", "message": error.message}
    if error.code in _SPECIAL:
        status, word = _SPECIAL[error.code]
        return status, {"error_code": word, "message": error.message}
    for meaning, status, word in _CODES:
        if isinstance(error, meaning):
            return status, {"error_code": word, "message": error.message}
    return 500, {"error_code": "INTERNAL_ERROR", "message": error.message}


def headers_for(error: errors.BoathouseError, user_agent: str) -> dict[str, str]:
    """Headers of an error. Browsers are not sent the challenge that would open a password prompt."""
    headers = headers_of(error)
    if isinstance(error, errors.Unauthenticated) and not user_agent.startswith("Mozilla"):
        headers["WWW-Authenticate"] = 'Basic realm="mlflow"'
    return headers


def error_answer(request: HttpRequest, raised: Exception) -> HttpResponse:
    """The answer for anything that was raised while a request of this door was worked on."""
    meaning = to_meaning(raised)
    request.refusal = meaning  # type: ignore[attr-defined]
    status, body = to_mlflow(meaning)
    headers: dict[str, Any] = headers_for(meaning, request.headers.get("User-Agent", ""))
    return HttpResponse(orjson.dumps(body), status=status, content_type="application/json", headers=headers)
