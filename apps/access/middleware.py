"""The request door: finds who asks and in which workspace, opens the scope, and audits what was refused."""

from __future__ import annotations

import base64
import binascii
import logging
import time
from typing import Any

from django.contrib.auth import get_user
from django.db import InterfaceError, OperationalError, transaction
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware

from apps.access import audit
from apps.access.actor import Actor
from apps.access.idempotency import answered_once
from apps.access.levels import Level
from apps.access.models import Membership, Token
from apps.access.scope import workspace_scope
from apps.access.tokens import resolve
from apps.access.workspaces import find_membership
from apps.foundation.clock import now
from apps.foundation.errors import BoathouseError, Forbidden, NotFound, Unauthenticated
from apps.foundation.http import error_response, is_api

logger = logging.getLogger(__name__)
SAFE = ("GET", "HEAD", "OPTIONS")
SEEN_EVERY_SECONDS = 60
_seen: dict[object, float] = {}


class ActorMiddleware:
    """Sets `request.actor` (or None) and keeps everything below in that workspace's scope and one transaction."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.actor = None  # type: ignore[attr-defined]
        audit.request_id.set(getattr(request, "request_id", ""))
        try:
            actor = identify(request)
        except (BoathouseError, OperationalError, InterfaceError) as error:
            return error_response(request, error)
        if actor is None:
            return self.get_response(request)
        request.actor = actor  # type: ignore[attr-defined]
        try:
            response = self._answer(request, actor)
        except (OperationalError, InterfaceError) as error:
            return error_response(request, error)
        try:
            self._audit_refusal(request, actor)
            _note_seen(actor)
        except (OperationalError, InterfaceError):
            # What was asked for is done and committed: the answer stands.
            logger.exception("the database went away after the answer")
        return response

    def _answer(self, request: HttpRequest, actor: Actor) -> HttpResponse:
        with workspace_scope(actor.workspace):
            try:
                response = answered_once(request, actor, self.get_response)
            except BoathouseError as error:
                response = error_response(request, error)
            if response.status_code >= 400:
                transaction.set_rollback(True)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Our meanings, raised in plain views."""
        return error_response(request, exception) if isinstance(exception, BoathouseError) else None

    def _audit_refusal(self, request: HttpRequest, actor: Actor) -> None:
        refusal = getattr(request, "refusal", None)
        resource = getattr(refusal, "resource", None)
        if not isinstance(refusal, NotFound | Forbidden) or resource is None:
            return
        with workspace_scope(actor.workspace):
            needs: Level = refusal.level  # type: ignore[union-attr]
            audit.record_refusal(actor, f"{request.method} {request.path}"[:100], resource, needs=needs.word)


def identify(request: HttpRequest) -> Actor | None:
    """Who asks: by token, else by session with the workspace of the address or header; None for strangers.

    Raises Unauthenticated for a bad token, NotFound for a workspace that the person may not enter, Forbidden for a forged form.
    """
    raw = token_of(request.headers.get("Authorization", ""))
    if raw is not None:
        actor = resolve(raw)
        if actor is None:
            raise Unauthenticated("This token is unknown, expired or revoked.")
        if _workspace_name(request) not in ("", actor.workspace.name):
            raise NotFound  # a token opens its own workspace, whichever the address or header names
        return actor
    name = _workspace_name(request)
    user = get_user(request) if name else None
    if not name or user is None or not user.is_authenticated:
        return None
    workspace = find_membership(user, name)  # type: ignore[arg-type]
    if workspace is None:
        raise NotFound
    if is_api(request) and request.method not in SAFE:
        _check_csrf(request)
    return Actor(user=user, workspace=workspace)  # type: ignore[arg-type]


def token_of(header: str) -> str | None:
    """The token in an Authorization header (Bearer, or the password of Basic), or None when there is none. May be empty."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value.strip(), validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return None if not header else ""


def _workspace_name(request: HttpRequest) -> str:
    if is_api(request):
        return request.headers.get("X-Boathouse-Workspace", "")
    parts = request.path.split("/", 3)
    return parts[2] if len(parts) > 2 and parts[1] == "w" else ""


def _check_csrf(request: HttpRequest) -> None:
    check: Any = CsrfViewMiddleware(lambda _: HttpResponse())
    check.process_request(request)
    if check.process_view(request, lambda: None, (), {}) is not None:
        raise Forbidden("A session may write only from our own pages: send the CSRF token.", code="csrf")


def _note_seen(actor: Actor) -> None:
    moment, key = time.monotonic(), actor.token_id or actor.user_id
    if moment - _seen.get(key, -SEEN_EVERY_SECONDS) < SEEN_EVERY_SECONDS:
        return
    if len(_seen) > 10_000:
        _seen.clear()
    _seen[key] = moment
    with workspace_scope(actor.workspace):
        if actor.token_id:
            Token.objects.filter(pk=actor.token_id).update(used_at=now())
        Membership.objects.filter(user=actor.user).update(seen_at=now())
