"""What access shows on the front page: who is here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db.models import F
from django.http import HttpRequest

from apps.access import queries
from apps.foundation.clock import now

SHOWN = 6
HERE = timedelta(minutes=10)


def people(request: HttpRequest) -> Mapping[str, Any]:
    """The people of the workspace, who was here last first."""
    found = queries.list_members(kind="person").filter(suspended_at__isnull=True)
    members = list(found.order_by(F("seen_at").desc(nulls_last=True), "created_at", "id")[:SHOWN])
    since = now() - HERE
    for member in members:
        member.is_here = member.seen_at is not None and member.seen_at > since  # type: ignore[attr-defined]
    return {"members": members, "total": found.count(), "here": found.filter(seen_at__gt=since).count()}
