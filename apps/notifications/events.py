"""Tells open pages that something changed: a message to all web processes, which pass it to whoever may know of it.

A message says which topic to read anew and nothing of what changed. It may get lost; pages read anew when they reconnect.
"""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Iterable
from typing import Any

import orjson
import redis
from django.conf import settings
from django.db import transaction

from apps.access.models import AuditEntry

logger = logging.getLogger(__name__)
CHANNEL = "boathouse:events"
# After a failure nobody waits for Redis again for a while: a change must not be slow because the news of it is.
PAUSE_SECONDS = 5.0
_silent_until = 0.0


def changed(workspace_id: Any, names: Iterable[str], *, resource_id: Any = None, people: Iterable[Any] = ()) -> None:
    """Say, after commit, that these topics of a resource, or of these people alone, changed: `runs` becomes `runs:<resource id>`."""
    message = {
        "workspace": str(workspace_id),
        "names": list(names),
        "resource": str(resource_id) if resource_id else "",
        "people": [str(person) for person in people],
    }
    transaction.on_commit(lambda: _publish(message), robust=True)


def follow_audit(entry: AuditEntry) -> None:
    """Each change of a resource is news to the pages that show its activity, a change in its threads to those that show these."""
    if entry.resource_id is None:
        return
    names = ["activity", "comments"] if entry.verb.startswith("comments.") else ["activity"]
    _publish({"workspace": str(entry.workspace_id), "names": names, "resource": str(entry.resource_id), "people": []})


def _publish(message: dict[str, Any]) -> None:
    global _silent_until
    if time.monotonic() < _silent_until:
        return
    try:
        _client().publish(CHANNEL, orjson.dumps(message))
    except (redis.RedisError, OSError) as error:
        _silent_until = time.monotonic() + PAUSE_SECONDS
        logger.warning("pages are not told of changes for %.0f s: %s", PAUSE_SECONDS, error)


@functools.cache
def _client() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1, max_connections=8)
