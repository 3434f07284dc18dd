"""Whom `@handles` name, and whether they could read what is said. Only members and groups, whom every member knows anyway."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Q, TextField, Value
from django.db.models.functions import Cast, Lower, StrIndex, Substr

from apps.access.levels import Level
from apps.access.models import Group, GroupMember, Membership, Resource, User
from apps.access.queries import who_may

SUGGESTED = 8
# A group whose name has a space or the like cannot be written as a mention.
HANDLE = r"^[A-Za-z0-9][A-Za-z0-9_.+-]*[A-Za-z0-9_]$"


@dataclass(frozen=True)
class Named:
    """Somebody whom a text names: a person or a group, and which of them may read it (ids)."""

    handle: str
    user: User | None
    group: Group | None
    reached: frozenset[Any]

    @property
    def label(self) -> str:
        """The name that people know."""
        return self.group.name if self.group else self.user.label  # type: ignore[union-attr]


def resolve(handles: Iterable[str], resource: Resource) -> list[Named]:
    """Whom the handles name: a whole address, its part before the @ when only one member has it, or a group. Others name nobody."""
    wanted = list(handles)
    if not wanted:
        return []
    found: dict[str, User | Group | None] = {}
    for member in _people().filter(Q(whole__in=wanted) | Q(short__in=wanted)):
        for handle in {member.whole, member.short} & set(wanted):
            exact = handle == member.whole
            # Two members with one short name: nobody is meant until the address is whole.
            found[handle] = member.user if exact or handle not in found else None
    for group in Group.objects.annotate(small=Lower("name")).filter(small__in=wanted):
        found.setdefault(group.small, group)
    members = _members_of([thing for thing in found.values() if isinstance(thing, Group)])
    people = {thing.pk for thing in found.values() if isinstance(thing, User)} | set().union(*members.values())
    reached = who_may(resource, Level.VIEW, people) if people else set()
    named = []
    for handle, thing in found.items():
        if isinstance(thing, User):
            named.append(Named(handle, thing, None, frozenset({thing.pk} & reached)))
        elif thing is not None:
            named.append(Named(handle, None, thing, frozenset(members[thing.pk] & reached)))
    return named


def suggest(start: str, resource: Resource) -> list[dict[str, Any]]:
    """Members and groups whose name or address begins so: handle, label, kind, and whether they can read the resource."""
    start = start.lower()
    people = list(
        _people()
        .filter(Q(short__startswith=start) | Q(user__name__istartswith=start))
        .order_by("short", "whole")[:SUGGESTED]
    )
    groups = list(Group.objects.filter(name__istartswith=start, name__regex=HANDLE).order_by("name")[:SUGGESTED])
    shorts = [row.short for row in _people().filter(short__in=[member.short for member in people])]
    reached = who_may(resource, Level.VIEW, [member.user_id for member in people]) if people else set()
    found = [
        {
            "handle": member.short if shorts.count(member.short) == 1 else member.whole,
            "who": member.user,
            "label": member.user.name or member.user.label,
            "reached": member.user_id in reached,
        }
        for member in people
    ]
    found += [{"handle": group.name, "who": group, "label": "group", "reached": True} for group in groups]
    return found[:SUGGESTED]


def _people() -> Any:
    """Members who are people and may come in, with their address whole and up to the @, in small letters."""
    members = Membership.objects.filter(
        suspended_at__isnull=True, user__is_active=True, user__kind=User.Kind.PERSON
    ).select_related("user")
    whole = Lower(Cast("user__email", TextField()))
    return members.annotate(whole=whole).annotate(short=Substr("whole", 1, StrIndex(F("whole"), Value("@")) - 1))


def _members_of(groups: list[Group]) -> dict[Any, set[Any]]:
    found: dict[Any, set[Any]] = {group.pk: set() for group in groups}
    for group_id, user_id in GroupMember.objects.filter(group__in=groups).values_list("group_id", "user_id"):
        found[group_id].add(user_id)
    return found
