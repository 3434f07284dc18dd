"""Idempotency-Key on POST: the first answer is kept with what it did, in one transaction; a repeat gets that answer again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import orjson
from django.db import connection
from django.http import HttpRequest, HttpResponse

from apps.access.actor import Actor
from apps.access.models import IdempotentAnswer
from apps.foundation.errors import Conflict, Invalid
from apps.foundation.http import problem

BODY_MAX = 1_000_000


def answered_once(request: HttpRequest, actor: Actor, answer: Callable[[HttpRequest], HttpResponse]) -> HttpResponse:
    """`answer(request)`, or the kept answer of the same key. Raises Conflict when the key came with another request."""
    key = request.headers.get("Idempotency-Key", "")
    if request.method != "POST" or not key or actor.user is None:
        return answer(request)
    if len(key) > 200:
        raise Invalid("An Idempotency-Key has at most 200 characters.")
    content = request.body if int(request.headers.get("Content-Length") or 0) <= BODY_MAX else b""
    # Who holds less, by another token of the same account, does not get the answer either.
    asked = f"{request.method} {request.get_full_path()}\n{actor.activity} {sorted(actor.scopes)}\n"
    digest = hashlib.sha256(asked.encode() + content).digest()
    # A second request with the key waits here until the first one's transaction has ended.
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into access_idempotentanswer (workspace_id, user_id, key, request_hash, status, content_type, body, created_at)"
            " values (%s, %s, %s, %s, 0, '', '', now()) on conflict do nothing",
            [actor.workspace.pk, actor.user.pk, key, digest],
        )
        first = cursor.rowcount == 1
    kept = IdempotentAnswer.objects.get(user=actor.user, key=key)
    if first:
        response = answer(request)
        if getattr(response, "shows_secret", False):
            once = problem(Conflict("This was done; its answer held a secret, which is shown once.", code="shown_once"))
            kept.status, kept.body, kept.content_type = 409, orjson.dumps(once), "application/problem+json"
            kept.save()
        elif not response.streaming and len(response.content) <= BODY_MAX:
            kept.status, kept.body, kept.content_type = response.status_code, response.content, response["Content-Type"]
            kept.save()
        return response
    if bytes(kept.request_hash) != digest:
        raise Conflict("This Idempotency-Key was used for another request.", code="idempotency_key_reused")
    return HttpResponse(
        bytes(kept.body), status=kept.status, content_type=kept.content_type, headers={"Idempotent-Replay": "true"}
    )
