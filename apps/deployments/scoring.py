"""The scoring route, in front of Django: token, level and state in one statement, a scorer's answer, the journal, the reply."""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from django.conf import settings

from apps.access.levels import Level
from apps.deployments import journal, record
from apps.deployments.counters import Counters
from apps.deployments.gate import Gate, GateClosed, Pass, digest
from apps.deployments.replicas import Links, ReplicaLost, Scored
from apps.foundation.ids import new_id

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 16 * 1024 * 1024
ANSWER_SECONDS = 120.0
MAX_WAITING_PER_REPLICA = 256
_PREFIX, _SUFFIX = "/serving-endpoints/", "/invocations"
_USE, _DISCOVER = int(Level.USE), int(Level.DISCOVER)

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Refused(Exception):
    """The request is answered with an error of ours."""

    def __init__(self, status: int, code: str, message: str, retry_after: int = 0) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.retry_after = status, code, message, retry_after


class Route(NamedTuple):
    """Where an endpoint's requests go at the moment."""

    model_name: str
    model_version: str
    served_id: str
    sockets: list[str]


class Answer(NamedTuple):
    """A scorer's answer, with what the reply says about it."""

    scored: Scored
    request_id: str
    route: Route


class Scoring:
    """What one web process needs to score: the gate, the connections, the journal, the counters."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.links = Links()
        self.counters = Counters()
        self._writer: journal.Writer | None = None
        self._routes: dict[str, tuple[str, Route]] = {}

    async def admit(self, token: str, user_name: str, endpoint: str) -> Pass:
        """Return the pass of a caller who may use the endpoint. Raises Refused, and never tells absent from hidden."""
        try:
            found = await self.gate.ask(digest(token), endpoint)
        except GateClosed as error:
            logger.warning("the scoring gate cannot be asked: %s", error)
            raise Refused(503, "TEMPORARILY_UNAVAILABLE", "The database is not available at the moment.", 2) from error
        if found is None or (user_name and user_name.lower() != found.email.lower()):
            raise Refused(401, "UNAUTHENTICATED", "The token is unknown, expired or revoked.")
        if found.endpoint_id is None or found.level < _DISCOVER:
            raise Refused(
                404, "RESOURCE_DOES_NOT_EXIST", f"There is no endpoint “{endpoint}”, or it is not shared with you."
            )
        if found.level < _USE:
            raise Refused(403, "PERMISSION_DENIED", "Scoring needs the level “use” on this endpoint.")
        if not _covers(found.scopes):
            raise Refused(403, "PERMISSION_DENIED", "The scopes of this token do not cover scoring.")
        return found

    async def score(
        self, found: Pass, endpoint: str, content_type: str, body: bytes, again: Callable[[], Awaitable[Pass]]
    ) -> Answer:
        """Return a scorer's answer that is in the journal. `again` asks the gate anew, for when all replicas have just changed."""
        began = time.time()
        clock = time.perf_counter()
        route, scored = await self._ask_replicas(found, content_type, body, again)
        micros = int((time.perf_counter() - clock) * 1e6)
        request_id = str(new_id())
        served = record.Served(
            found.workspace_id, found.endpoint_id or "", request_id, int(began * 1e6), micros, scored.status, endpoint,
            route.model_name, route.model_version, route.served_id, found.user_label, content_type, body, scored.body,
        )  # fmt: skip
        try:
            await self.journal().append(record.encode(served))
        except OSError as error:
            logger.error("the journal cannot be written: %s", error)
            raise Refused(
                503, "TEMPORARILY_UNAVAILABLE", "The prediction could not be logged, so it is not given.", 5
            ) from error
        self.counters.count(found.endpoint_id or "", scored.status, micros)
        return Answer(scored, request_id, route)

    async def _ask_replicas(
        self, found: Pass, content_type: str, body: bytes, again: Callable[[], Awaitable[Pass]]
    ) -> tuple[Route, Scored]:
        tried: set[str] = set()
        ended = 0
        asked_again = False
        while True:
            route = self._route(found)
            try:
                path, link = await self.links.pick(route.sockets, tried)
            except ReplicaLost:
                if asked_again:
                    raise _no_replica(found.state) from None
                asked_again = True
                found = await again()
                continue
            if link.load >= MAX_WAITING_PER_REPLICA:
                raise Refused(429, "REQUEST_LIMIT_EXCEEDED", "The endpoint has more requests than it can answer.", 1)
            tried.add(path)
            try:
                return route, await link.score(content_type, body, ANSWER_SECONDS)
            except TimeoutError:
                raise Refused(
                    504, "DEADLINE_EXCEEDED", f"The model took longer than {ANSWER_SECONDS:.0f} seconds."
                ) from None
            except ReplicaLost as error:
                ended += error.sent
                # a request that ended two scorers is likely to be the reason, and others still need the rest
                if ended > 1:
                    raise Refused(
                        502, "MODEL_ENDED", "The model's process ended while it answered this request."
                    ) from None

    def _route(self, found: Pass) -> Route:
        known = self._routes.get(found.endpoint_id or "")
        if known is not None and known[0] == found.routing:
            return known[1]
        route = route_of(found.routing)
        if known is not None:
            self.links.keep_only(known[1].sockets, route.sockets)
        self._routes[found.endpoint_id or ""] = (found.routing, route)
        return route

    def journal(self) -> journal.Writer:
        """This process's part of the journal."""
        if self._writer is None:
            self._writer = journal.Writer(journal_root())
        return self._writer


def route_of(routing: str) -> Route:
    """What an endpoint's routing says."""
    told = json.loads(routing or "{}")
    return Route(
        told.get("model_name", ""), told.get("model_version", ""), told.get("served_id", ""), told.get("sockets", [])
    )


def journal_root() -> Path:
    """Where this machine's journals lie."""
    return Path(settings.BOATHOUSE_HOME) / "journal" / "scoring"


def _no_replica(state: str) -> Refused:
    why = {
        "stopped": "The endpoint is stopped.",
        "failed": "The endpoint has failed; its page says why.",
        "starting": "The endpoint is starting.",
    }.get(state, "No replica of the endpoint answers at the moment.")
    return Refused(503, "TEMPORARILY_UNAVAILABLE", why, 5 if state == "starting" else 2)


def _covers(scopes: tuple[str, ...]) -> bool:
    """Scoring reads: any scope over everything or over this room does."""
    return any(scope.partition(":")[0] in ("all", "read", "deployments") for scope in scopes)


_scoring = Scoring()


def scoring() -> Scoring:
    """This process's scoring."""
    return _scoring


async def app(scope: dict[str, Any], receive: Any, send: Send) -> bool | None:
    """`POST /serving-endpoints/<name>/invocations`; False for any other path, which is Django's."""
    path = scope["path"]
    if scope["type"] != "http" or not path.startswith(_PREFIX) or not path.endswith(_SUFFIX):
        return False
    endpoint = unquote(path[len(_PREFIX) : -len(_SUFFIX)])
    try:
        answer = await _answer(scope, receive, endpoint)
    except Refused as refusal:
        body = json.dumps({"error_code": refusal.code, "message": refusal.message}).encode()
        headers = [(b"retry-after", str(refusal.retry_after).encode())] if refusal.retry_after else []
        if refusal.status == 401:
            headers.append((b"www-authenticate", b'Bearer realm="boathouse"'))
        await _reply(send, refusal.status, "application/json", body, headers)
    else:
        scored = answer.scored
        headers = [
            (
                b"served-model-name",
                f"{answer.route.model_name}-{answer.route.model_version}".encode("latin-1", "replace"),
            ),
            (b"x-request-id", answer.request_id.encode()),
        ]
        await _reply(send, scored.status, scored.content_type, scored.body, headers)
    return None


async def _answer(scope: dict[str, Any], receive: Any, endpoint: str) -> Answer:
    if not endpoint or "/" in endpoint or "\0" in endpoint:
        raise Refused(404, "RESOURCE_DOES_NOT_EXIST", "There is no such endpoint.")
    if scope["method"] != "POST":
        raise Refused(405, "BAD_REQUEST", "Score with POST.")
    authorization = content_type = b""
    length = 0
    for name, value in scope["headers"]:
        if name == b"authorization":
            authorization = value
        elif name == b"content-type":
            content_type = value
        elif name == b"content-length":
            length = int(value) if value.isdigit() else 0
        elif name == b"content-encoding" and value != b"identity":
            raise Refused(415, "BAD_REQUEST", "Send the body without content encoding.")
    user_name, token = _credentials(authorization)
    mine = scoring()
    found = await mine.admit(token, user_name, endpoint)
    if length > MAX_BODY_BYTES:
        raise _too_large()
    body = await _read(receive)
    kind = content_type.decode("latin-1") or "application/json"
    return await mine.score(found, endpoint, kind, body, lambda: mine.admit(token, user_name, endpoint))


def _too_large() -> Refused:
    return Refused(
        413, "REQUEST_TOO_LARGE", f"A scoring request may have {MAX_BODY_BYTES >> 20} MiB; score more rows in several."
    )


def _credentials(header: bytes) -> tuple[str, str]:
    """The user name (of basic authentication) and the token. Raises Refused when there is none."""
    scheme, _, value = header.partition(b" ")
    value = value.strip()
    # what does not decode is no token, and is answered like none
    with contextlib.suppress(UnicodeDecodeError, binascii.Error):
        if scheme.lower() == b"bearer" and 0 < len(value) <= 200:
            return "", value.decode("ascii")
        if scheme.lower() == b"basic" and len(value) <= 1000:
            user_name, separator, token = base64.b64decode(value, validate=True).decode().partition(":")
            if separator and token:
                return user_name or "-", token
    raise Refused(401, "UNAUTHENTICATED", "Send a token: Authorization: Bearer <token>.")


async def _read(receive: Any) -> bytes:
    message = await receive()
    body = message.get("body", b"")
    if not message.get("more_body"):
        if message["type"] == "http.disconnect":
            raise Refused(400, "BAD_REQUEST", "The request ended early.")
        if len(body) > MAX_BODY_BYTES:
            raise _too_large()
        return body
    parts, size = [body], len(body)
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, "BAD_REQUEST", "The request ended early.")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY_BYTES:
            raise _too_large()
    return b"".join(parts)


async def _reply(send: Send, status: int, content_type: str, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": status if 200 <= status < 600 else 502,
            "headers": [
                (b"content-type", _header(content_type)),
                (b"content-length", str(len(body)).encode()),
                (b"x-content-type-options", b"nosniff"),
                (b"cache-control", b"no-store"),
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


def _header(content_type: str) -> bytes:
    """Only what we know a scorer to answer with: its word is a guest's."""
    known = {"application/json", "text/plain", "application/vnd.apache.arrow.stream"}
    return (content_type if content_type in known else "application/octet-stream").encode()
