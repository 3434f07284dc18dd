"""Grants: who has how much on what. The only file that writes guardian's tables; each change also writes its period."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import Permission
from django.db.models import Count

from apps.access.levels import Level
from apps.access.models import GrantPeriod, Group, GroupGrant, Resource, User, UserGrant
from apps.foundation.clock import now

Grantee = User | Group


@dataclass(frozen=True)
class GrantRow:
    """One line of the Share dialog: who, how much, where it was given (`inherited` when above), until when; a group's size."""

    grantee_kind: str
    grantee_id: str
    label: str
    level: Level
    resource: Resource
    inherited: bool
    expires_at: datetime | None
    owner: bool = False
    name: str = ""
    size: int | None = None


def set_grant(
    resource: Resource, grantee: Grantee, level: Level, *, by: User | None, expires_at: datetime | None = None
) -> Level | None:
    """Give exactly this level; the one before, or None."""
    model, who = _table(grantee)
    values = {"permission_id": _permission(level), "level": level, "expires_at": expires_at, "granted_by": by}
    before = model.objects.filter(content_object=resource, **who).first()
    if before is None:
        row = model(content_object=resource, **who, **values)
        row.stamp()
        row.save()
    else:
        model.objects.filter(pk=before.pk).update(**values)
    _close_period(resource, grantee)
    GrantPeriod(
        resource_id=resource.pk,
        grantee_kind=kind_of(grantee),
        grantee_id=str(grantee.pk),
        grantee_label=label_of(grantee),
        level=level,
        valid_to=expires_at,
    ).save()
    return Level(before.level) if before else None


def remove_grant(resource: Resource, grantee: Grantee) -> Level | None:
    """Take the grant away; the level that it was, or None when there was none."""
    model, who = _table(grantee)
    before = model.objects.filter(content_object=resource, **who).first()
    if before is None:
        return None
    model.objects.filter(pk=before.pk).delete()
    _close_period(resource, grantee)
    return Level(before.level)


def list_grants(resource: Resource) -> list[GrantRow]:
    """Everybody who has something on the resource, own grants first, then what comes from above, nearest first."""
    above = {row.ancestor_id: row for row in resource.ancestry.select_related("ancestor__owner").order_by("depth")}
    rows: list[tuple[int, GrantRow]] = []
    for link in above.values():
        place, inherited = link.ancestor, link.depth > 0
        if place.owner is not None:
            owner = GrantRow(
                kind_of(place.owner),
                str(place.owner.pk),
                place.owner.label,
                Level.MANAGE,
                place,
                inherited,
                None,
                owner=True,
                name=place.owner.name,
            )
            rows.append((link.depth * 2, owner))
    of_people = UserGrant.objects.filter(content_object__in=above).select_related("user")
    of_groups = GroupGrant.objects.filter(content_object__in=above).select_related("group__group")
    for found in (of_people, of_groups.annotate(size=Count("group__group__members"))):
        for grant in found:
            link = above[grant.content_object_id]
            grantee: Any = grant.user if found is of_people else grant.group.group
            row = GrantRow(
                kind_of(grantee),
                str(grantee.pk),
                label_of(grantee),
                Level(grant.level),
                link.ancestor,
                link.depth > 0,
                grant.expires_at,
                name=grantee.name,
                size=getattr(grant, "size", None),
            )
            rows.append((link.depth * 2 + 1, row))
    return [row for _, row in sorted(rows, key=lambda pair: (pair[0], -pair[1].level, pair[1].label))]


def kind_of(grantee: Grantee) -> str:
    """`person`, `service` or `group`."""
    return "group" if isinstance(grantee, Group) else grantee.kind


def label_of(grantee: Grantee) -> str:
    """The name that people know it by."""
    return grantee.name if isinstance(grantee, Group) else grantee.label


def _table(grantee: Grantee) -> tuple[Any, dict[str, Any]]:
    return (GroupGrant, {"group_id": grantee.pk}) if isinstance(grantee, Group) else (UserGrant, {"user": grantee})


@functools.cache
def _permission(level: Level) -> int:
    found = Permission.objects.get(
        content_type__app_label="access", content_type__model="resource", codename=level.word
    )
    return found.pk


def _close_period(resource: Resource, grantee: Grantee) -> None:
    moment = now()
    GrantPeriod.objects.filter(resource_id=resource.pk, grantee_id=str(grantee.pk), valid_from__lte=moment).exclude(
        valid_to__lte=moment
    ).update(valid_to=moment)
