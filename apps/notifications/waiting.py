"""What waits for a person's decision, for Home's "Needs you": rooms register where theirs come from."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass

from django.utils.safestring import SafeString

from apps.access.actor import Actor
from apps.notifications import inbox
from apps.notifications.kinds import KINDS

MOST = 20


@dataclass(frozen=True)
class Waiting:
    """One thing to decide or look at: `sentence` is safe HTML, `url` below /w/<workspace>/, `action` the word on its button."""

    icon: str
    tone: str
    sentence: SafeString
    detail: str
    url: str
    action: str
    at: datetime.datetime
    notice_id: str = ""


Source = Callable[[Actor], list[Waiting]]
_sources: list[Source] = []


def register_waiting(source: Source) -> None:
    """Have `source(actor)` asked for what waits for the actor; register in apps.py."""
    _sources.append(source)


def list_waiting(actor: Actor) -> list[Waiting]:
    """What waits for the actor, newest first: requests to decide, mentions, failures."""
    found = [item for source in _sources for item in source(actor)]
    return sorted(found, key=lambda item: item.at, reverse=True)[:MOST]


def unread_that_asks(actor: Actor) -> list[Waiting]:
    """Unread notices of kinds that want somebody to look: mentions, failures."""
    asking = [kind.name for kind in KINDS.values() if kind.asks]
    rows = list(inbox.list_notices(actor, state="unread").filter(kind__in=asking).order_by("-created_at", "-id")[:MOST])
    return [
        Waiting(
            told.kind.icon,
            told.kind.tone,
            told.sentence,
            told.words,
            f"notifications/{told.notice.pk}",
            {"mention": "Reply", "job_failed": "Open log"}.get(told.kind.name, "Look"),
            told.notice.created_at,
            str(told.notice.pk),
        )
        for told in inbox.show(actor, rows)
    ]
