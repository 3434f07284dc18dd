"""How people are told: notices in their inbox, news to their open pages, mail. Called inside a workspace scope and transaction."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import models

from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.models import AuditEntry, Membership, Resource
from apps.access.policy import resource_of
from apps.access.queries import who_may
from apps.access.scope import current_workspace
from apps.access.tasks import after_commit
from apps.notifications import events
from apps.notifications.kinds import KINDS
from apps.notifications.models import Notice, Outbox, Preference, Watch
from apps.notifications.rules import RULES, Telling

PEOPLE_MAX = 2000


def notify(
    people: Iterable[Any],
    *,
    kind: str,
    thing: models.Model,
    text: str,
    url: str,
    actor: Actor | None = None,
    label: str = "",
    detail: str = "",
    level: Level | None = Level.VIEW,
) -> int:
    """Tell people (accounts or their ids) that `actor` did something; how many are told. Left out: the actor, who may not view it,
    who does not want the kind.

    `text` follows the actor's name, `{thing}` in it is `label` (else the thing's own): "asks you to move {thing} to Production".
    `url` is below /w/<workspace>/. `level=None` is for what is meant for them whatever they may see.
    """
    resource = resource_of(thing)
    told = [person.pk if isinstance(person, models.Model) else person for person in people]
    telling = Telling(kind, told, text, label or str(thing), url, detail=detail, level=level)
    return _tell(telling, resource, actor.label if actor else "", {actor.user_id} if actor else set(), None)


def keep_for_later(entry: AuditEntry) -> None:
    """Note, with the entry, that it has to be told, and queue the telling."""
    from apps.notifications.tasks import tell

    if entry.verb in RULES and entry.resource_id is not None:
        Outbox(entry_id=entry.pk).save(force_insert=True)
        after_commit(tell, current_workspace().pk, entry.pk)


def tell_entry(entry_id: int) -> int:
    """Tell whom an audit entry concerns, once, however often this is asked; how many were told."""
    if not Outbox.objects.filter(entry_id=entry_id).delete()[0]:
        return 0
    entry = AuditEntry.objects.filter(pk=entry_id).first()
    resource = Resource.objects.live().select_related("owner").filter(pk=entry.resource_id).first() if entry else None
    if entry is None or resource is None:
        return 0
    count, done = 0, {entry.actor_id}
    for telling in RULES[entry.verb](entry, resource):
        people = set(telling.people) - done
        done |= people
        count += _tell(telling, resource, entry.actor_label, set(), entry, people)
    if entry.verb in ("comments.start_thread", "comments.reply") and entry.actor_id:
        watch_unless_muted(entry.actor_id, resource)
    return count


def watch_unless_muted(user_id: Any, resource: Resource) -> None:
    """Have somebody who takes part in a resource hear of it, unless they said that they do not want to."""
    row = Watch(user_id=user_id, resource=resource)
    Watch.objects.bulk_create([row], ignore_conflicts=True)


def _tell(
    telling: Telling,
    resource: Resource,
    actor_label: str,
    without: set[Any],
    entry: AuditEntry | None,
    people: set[Any] | None = None,
) -> int:
    wanted = (set(telling.people) if people is None else people) - without - {None}
    if telling.level is None:
        active = Membership.objects.filter(user__in=wanted, suspended_at__isnull=True, user__is_active=True)
        wanted = set(active.values_list("user_id", flat=True))
    elif wanted:
        wanted = who_may(resource, telling.level, wanted)
    chosen = {row.user_id: row for row in Preference.objects.filter(user__in=wanted)}
    kind = KINDS[telling.kind]
    wanted = {person for person in wanted if person not in chosen or kind.name not in chosen[person].off}
    notices = [
        Notice(
            user_id=person,
            kind=kind.name,
            resource=resource,
            level=int(telling.level or 0),
            actor_label=actor_label if entry is None or entry.actor_id else "",
            text=telling.text[:500],
            label=telling.label[:1000],
            detail=telling.detail[:500],
            about=telling.about,
            url=telling.url,
            entry_id=entry.pk if entry else None,
        )
        for person in sorted(wanted, key=str)[:PEOPLE_MAX]
    ]
    Notice.objects.bulk_create(notices, ignore_conflicts=True)
    if not notices:
        return 0
    workspace = current_workspace()
    events.changed(workspace.pk, ["inbox"], people=[notice.user_id for notice in notices])
    from apps.notifications.tasks import send_mail

    for notice in notices:
        row = chosen.get(notice.user_id)
        if kind.name in row.mail if row else kind.mail:
            after_commit(send_mail, workspace.pk, notice.pk)
    return len(notices)
