"""What happened, and what was refused. Also the stream that notifications and other rooms follow, after commit."""

from __future__ import annotations

import contextlib
import datetime
import decimal
import logging
import uuid
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from enum import Enum
from typing import Any

from django.db import models, transaction

from apps.access.actor import Actor
from apps.access.models import AuditEntry, Resource
from apps.access.policy import resource_of

logger = logging.getLogger(__name__)
_recorded: ContextVar[list[AuditEntry] | None] = ContextVar("boathouse_recorded", default=None)
request_id: ContextVar[str] = ContextVar("boathouse_request_id", default="")
_subscribers: list[tuple[str, Callable[[AuditEntry], None]]] = []
_witnesses: list[tuple[str, Callable[[AuditEntry], None]]] = []


def record(
    actor: Actor,
    verb: str,
    thing: models.Model,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    comment: str = "",
) -> AuditEntry:
    """Append what `actor` did. Values are made plain; never pass a secret."""
    entry = _entry(actor, verb, thing, AuditEntry.Outcome.DONE)
    entry.before, entry.after, entry.comment = plain(before or {}), plain(after or {}), comment
    entry.save()
    seen = _recorded.get()
    if seen is not None:
        seen.append(entry)
    for prefix, callback in _witnesses:
        if verb.startswith(prefix):
            callback(entry)
    transaction.on_commit(lambda: _announce(entry), robust=True)
    return entry


def record_refusal(actor: Actor, verb: str, thing: models.Model, *, needs: str) -> AuditEntry:
    """Append a refused attempt. Called by the edge, in a scope of its own, after the attempt's transaction is gone."""
    entry = _entry(actor, verb, thing, AuditEntry.Outcome.REFUSED)
    entry.after = {"needs": needs}
    entry.save()
    return entry


def subscribe(prefix: str, callback: Callable[[AuditEntry], None]) -> None:
    """Call `callback` with each committed entry whose verb starts with `prefix`. Register in apps.py; keep it short."""
    _subscribers.append((prefix, callback))


def witness(prefix: str, callback: Callable[[AuditEntry], None]) -> None:
    """Call `callback` within the transaction of each such entry, for what must not be lost: it leaves a row, a task does the rest."""
    _witnesses.append((prefix, callback))


@contextlib.contextmanager
def recording() -> Iterator[list[AuditEntry]]:
    """The entries recorded inside; operations use it to refuse going unrecorded."""
    entries: list[AuditEntry] = []
    outer = _recorded.get()
    token = _recorded.set(entries)
    try:
        yield entries
    finally:
        _recorded.reset(token)
        if outer is not None:
            outer.extend(entries)


def plain(value: Any) -> Any:
    """JSON values that mean the same: ids, moments and enums as text."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, models.Model):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime.datetime | datetime.date):
        return value.isoformat()
    if isinstance(value, uuid.UUID | decimal.Decimal):
        return str(value)
    return value


def _entry(actor: Actor, verb: str, thing: models.Model, outcome: AuditEntry.Outcome) -> AuditEntry:
    resource = thing if isinstance(thing, Resource) else _resource(thing)
    return AuditEntry(
        verb=verb,
        outcome=outcome,
        actor_id=actor.user_id,
        actor_label=actor.label,
        token_id=actor.token_id,
        activity=actor.activity,
        request_id=request_id.get(),
        resource_id=resource.pk if resource else None,
        resource_kind=resource.kind if resource else "",
        thing_id=str(thing.pk),
        thing_label=str(thing)[:1000],
    )


def _resource(thing: models.Model) -> Resource | None:
    try:
        return resource_of(thing)
    except TypeError:
        return None


def _announce(entry: AuditEntry) -> None:
    for prefix, callback in _subscribers:
        if entry.verb.startswith(prefix):
            try:
                callback(entry)
            except Exception:
                logger.exception("a subscriber of %s failed on %s", prefix, entry.verb)
