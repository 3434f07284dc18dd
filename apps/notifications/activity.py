"""Activity: what was done to the resources that the reader may view, from the audit, in human words."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import F, QuerySet
from django.utils.html import strip_tags
from django.utils.safestring import SafeString

from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.models import AuditEntry, Resource, User
from apps.access.policy import authorise, visible
from apps.access.reach import Reaches, reach_of
from apps.foundation.ids import parse_id
from apps.notifications import words


@dataclass(frozen=True)
class Deed:
    """One line of activity: who (an account, or a label), what they did as safe HTML, on what, when."""

    id: int
    who: Any
    actor_label: str
    sentence: SafeString
    resource: Resource | None
    at: Any


def list_activity(
    actor: Actor, *, resource: Resource | None = None, person: object = None, kind: str = ""
) -> QuerySet[AuditEntry]:
    """Entries of what the actor may view now: of one resource, by one account, about one kind. Order by -id."""
    if resource is not None:
        authorise(actor, Level.VIEW, resource, room="notifications")
        done = deeds_of(resource)
    else:
        reach, done = reach_of(actor, Level.VIEW), _done()
        # What concerns the workspace as such (members, groups, links) is for its audit.
        done = done.filter(resource_id__isnull=False).exclude(resource_kind="workspace")
        done = done if reach.is_everything else done.filter(Reaches(F("resource_id"), reach))
    if person:
        done = done.filter(actor_id=parse_id(person))
    return done.filter(resource_kind=kind) if kind else done


def deeds_of(resource: Resource) -> QuerySet[AuditEntry]:
    """Entries of a resource that the reader is known to view: no check of its own. Order by -id."""
    return _done().filter(resource_id=resource.pk)


def _done() -> QuerySet[AuditEntry]:
    return AuditEntry.objects.filter(outcome=AuditEntry.Outcome.DONE).exclude(verb__in=words.HIDDEN)


def show(
    actor: Actor,
    entries: list[AuditEntry],
    link: Callable[[Resource], SafeString],
    *,
    resource: Resource | None = None,
) -> list[Deed]:
    """Entries in words; `link` writes a resource as the page wants it. What lies in the trash is named and not linked.

    `resource` is the one that all entries are about, where the page has it already.
    """
    live: dict[Any, Resource] = {resource.pk: resource} if resource else {}
    if not resource:
        live = {row.pk: row for row in visible(Resource, actor).filter(pk__in={row.resource_id for row in entries})}
    accounts = {entry.actor_id for entry in entries if entry.actor_id}
    people: dict[Any, User] = {row.pk: row for row in User.objects.filter(pk__in=accounts)}
    deeds = []
    for entry in entries:
        about = live.get(entry.resource_id)
        thing = link(about) if about else words.named(entry)
        sentence = words.phrase(entry, thing)
        who = people.get(entry.actor_id) or entry.actor_label
        deeds.append(Deed(entry.pk, who, entry.actor_label if entry.actor_id else "", sentence, about, entry.at))
    return deeds


def list_people(actor: Actor) -> list[User]:
    """Those whom one can filter activity by: the members, whom everybody knows, by name."""
    from apps.access.queries import list_members

    return [member.user for member in list_members().order_by("user__email", "user__name")[:500]]


def plain(entry: AuditEntry) -> dict[str, Any]:
    """An entry as the API shows it: the same sentence without markup."""
    said = html.unescape(strip_tags(words.phrase(entry, words.named(entry))))
    who = f"{entry.actor_label} " if entry.actor_id else ""
    shown = {name: getattr(entry, name) for name in ("id", "at", "verb", "actor_label", "resource_id", "resource_kind")}
    return {**shown, "text": who + said}
