"""Tokens: how programs and guests show who they act for. Shown once, stored as a hash, dead at once when revoked."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from datetime import datetime, timedelta

from django.db import connection

from apps.access.actor import Actor
from apps.access.models import Token, User, Workspace
from apps.foundation.clock import now
from apps.foundation.errors import Invalid

PREFIX = "bh_"
SCOPE_WORDS = ("all", "read")


def digest(raw: str) -> bytes:
    """What is stored of a token: 32 bytes. A token has 256 random bits, so a plain hash cannot be guessed back."""
    return hashlib.sha256(raw.encode()).digest()


def new_token(
    user: User,
    *,
    name: str,
    expires_at: datetime | None = None,
    scopes: list[str] | None = None,
    kind: Token.Kind = Token.Kind.PERSONAL,
    activity: str = "",
) -> tuple[Token, str]:
    """A new token of the current workspace and its text, which is never to be had again."""
    raw = PREFIX + base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()
    token = Token(
        user=user,
        name=name,
        kind=kind,
        prefix=raw[:8],
        hash=digest(raw),
        scopes=scopes or ["all"],
        activity=activity,
        expires_at=expires_at,
    )
    token.save()
    return token, raw


def check_scopes(scopes: list[str], rooms: set[str]) -> None:
    """Raises Invalid for a scope that is none of `all`, `read`, `<room>`, `<room>:read`."""
    for scope in scopes:
        name, _, limit = scope.partition(":")
        if name not in rooms | set(SCOPE_WORDS) or limit not in ("", "read"):
            raise Invalid(fields={"scopes": f"“{scope}” is no scope. Use all, read, a room, or a room with :read."})


def resolve(raw: str) -> Actor | None:
    """Who a token acts for, or None when it is unknown, expired, revoked, or its person is suspended. One statement."""
    if not raw or len(raw) > 200 or not raw.isascii():
        return None
    with connection.cursor() as cursor:
        cursor.execute("select * from access_resolve_token(%s)", [digest(raw)])
        row = cursor.fetchone()
    if row is None:
        return None
    workspace_id, workspace_name, user_id, token_id, scopes, activity, user_kind, email, user_name = row
    user = User(id=user_id, kind=user_kind, email=email, name=user_name)
    user._state.adding, user._state.db = False, connection.alias
    workspace = Workspace(id=workspace_id, name=workspace_name)
    workspace._state.adding, workspace._state.db = False, connection.alias
    return Actor(user=user, workspace=workspace, token_id=token_id, scopes=tuple(json.loads(scopes)), activity=activity)


def issue_run_key(actor: Actor, activity: str, seconds: int) -> str:
    """A key for one activity (`job_run:<id>`) that acts as the actor's person, narrowed as the actor is. Renew it by heartbeat."""
    if actor.user is None:
        raise TypeError("the installation itself has no run keys")
    _, raw = new_token(
        actor.user,
        name=activity,
        kind=Token.Kind.RUN,
        activity=activity,
        scopes=list(actor.scopes),
        expires_at=now() + timedelta(seconds=seconds),
    )
    return raw


def renew_run_keys(activity: str, seconds: int) -> int:
    """Move the expiry of an activity's living keys; how many there were."""
    living = Token.objects.filter(activity=activity, revoked_at__isnull=True, expires_at__gt=now())
    return living.update(expires_at=now() + timedelta(seconds=seconds))


def revoke_run_keys(activity: str) -> int:
    """End an activity's keys now; how many there were."""
    return Token.objects.filter(activity=activity, revoked_at__isnull=True).update(revoked_at=now())
