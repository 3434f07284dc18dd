"""May they? The one place that answers: authorise, visible, fetch, explain.

Not discoverable answers as absent (NotFound); discoverable but too low answers Forbidden with the level that is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar, cast

from django.core.exceptions import FieldDoesNotExist
from django.db import connection, models
from django.db.models import F, Q

from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.models import GroupGrant, GroupMember, Resource, User, UserGrant
from apps.access.reach import Reaches, reach_of
from apps.access.scope import current_workspace
from apps.foundation.clock import now
from apps.foundation.errors import Forbidden, NotFound
from apps.foundation.ids import parse_id

M = TypeVar("M", bound=models.Model)


@dataclass(frozen=True)
class Reason:
    """One way in which somebody comes to a level: owning, a grant of their own, or one through a group; where it was given."""

    level: Level
    through: str
    resource: Resource
    group: str = ""
    expires_at: Any = None
    grant_id: Any = None
    granted_by: str = ""
    granted_at: Any = None


def resource_lookup(model: type[models.Model]) -> str:
    """The ORM path from a model to its Resource: `resource`, `experiment__resource`, or empty for Resource itself."""
    if model is Resource:
        return ""
    steps = getattr(model, "resource_path", "")
    for step in steps.split(".") if steps else []:
        model = cast(type[models.Model], model._meta.get_field(step).related_model)
    container = [*steps.split(".")] if steps else []
    if model is not Resource:
        try:
            model._meta.get_field("resource")
        except FieldDoesNotExist:
            raise TypeError(f"{model.__name__} names no way to its resource: give it resource_path") from None
        container.append("resource")
    return "__".join(container)


def resource_of(thing: models.Model) -> Resource:
    """The Resource that a row is or lives in."""
    for step in resource_lookup(type(thing)).split("__"):
        thing = getattr(thing, step) if step else thing
    return thing  # type: ignore[return-value]


def level_of(actor: Actor, resource: Resource) -> Level | None:
    """The actor's level on a resource right now, or None. One statement."""
    if actor.is_system:
        return Level.MANAGE
    with connection.cursor() as cursor:
        cursor.execute("select access_level(%s, %s)", [actor.user_id, resource.pk])
        value = cursor.fetchone()[0]
    return Level(value) if value else None


def authorise(actor: Actor, needs: Level, thing: models.Model, *, room: str = "") -> Level:
    """The actor's level, when it suffices. Raises NotFound or Forbidden; the edge audits either."""
    resource = resource_of(thing)
    if resource.workspace_id != actor.workspace.pk or actor.workspace.pk != current_workspace().pk:
        raise NotFound
    level = level_of(actor, resource)
    if level is None:
        raise refused(NotFound(), resource, needs)
    room = room or thing._meta.app_label
    if level < needs:
        raise refused(
            Forbidden(f"This needs the level {needs.word}; yours is {level.word}.", needs=needs.word), resource, needs
        )
    if not actor.allows(room, writing=needs > Level.VIEW):
        raise refused(
            Forbidden("The scopes of this token do not cover this.", needs=needs.word, code="scope"), resource, needs
        )
    return level


def refused(error: NotFound | Forbidden, resource: Resource, needs: Level) -> NotFound | Forbidden:
    """The error, carrying what was refused so that the edge can audit it after the transaction is gone."""
    error.resource, error.level = resource, needs  # type: ignore[union-attr]
    return error


def visible(
    source: type[M] | models.QuerySet[M], actor: Actor, at_least: Level = Level.VIEW, *, trashed: bool = False
) -> models.QuerySet[M]:
    """Rows on which the actor holds at least this level. `trashed` shows what lies in the trash instead."""
    queryset = source if isinstance(source, models.QuerySet) else source.objects.all()  # type: ignore[attr-defined]
    way = resource_lookup(queryset.model)
    prefix = f"{way}__" if way else ""
    queryset = queryset.filter(**{f"{prefix}deleted_at__isnull": not trashed})
    if not actor.is_system and not actor.allows(queryset.model._meta.app_label, writing=False):
        return queryset.none()
    if actor.is_system:
        return queryset
    reach = reach_of(actor, at_least)
    return queryset if reach.is_everything else queryset.filter(Reaches(F(f"{prefix}pk"), reach))


def fetch(
    model: type[M], id: object, *, actor: Actor, needs: Level = Level.VIEW, trashed: bool | None = False, by: str = "pk"
) -> M:
    """The row with this id, when the actor holds `needs` on it. `trashed=None` takes live and trashed ones alike."""
    way = resource_lookup(model)
    value = parse_id(id) if isinstance(model._meta.pk, models.UUIDField) or by == "pk" and way == "resource" else id
    if value is None:
        raise NotFound
    queryset = model.objects.filter(**{by: value})  # type: ignore[attr-defined]
    if way:
        queryset = queryset.select_related(way)
    try:
        thing = queryset.first()
    except (ValueError, TypeError, OverflowError):
        raise NotFound from None
    if thing is None:
        raise NotFound
    if trashed is not None and (resource_of(thing).deleted_at is not None) != trashed:
        raise NotFound
    authorise(actor, needs, thing)
    return thing


def fetch_path(model: type[M], kind: str, path: str, *, actor: Actor, needs: Level = Level.VIEW) -> M:
    """The live resource of this kind at a path (`/Shared/x`, `main.flights.flights`), as its own model."""
    resource = Resource.objects.live().filter(kind=kind, path=path).first()
    if resource is None:
        raise NotFound
    return fetch(model, resource.pk, actor=actor, needs=needs)


def explain(actor: Actor, resource: Resource) -> list[Reason]:
    """Every reason why the actor holds a level on the resource, strongest first; empty when there is none."""
    reasons: list[Reason] = []
    above = {row.ancestor_id: row.ancestor for row in resource.ancestry.select_related("ancestor").order_by("depth")}
    for ancestor in above.values():
        if ancestor.owner_id is not None and ancestor.owner_id == actor.user_id:
            reasons.append(Reason(Level.MANAGE, "owner", ancestor))
    own = UserGrant.objects.filter(user=actor.user, content_object__in=above).select_related("granted_by")
    for grant in _current(own):
        reasons.append(
            Reason(
                Level(grant.level),
                "grant",
                above[grant.content_object_id],
                expires_at=grant.expires_at,
                grant_id=grant.pk,
                granted_by=grant.granted_by.label if grant.granted_by else "",
                granted_at=grant.created_at,
            )
        )
    groups = GroupGrant.objects.filter(group__in=_groups(actor.user), content_object__in=above)
    for grant in _current(groups.select_related("group__group", "granted_by")):
        reasons.append(
            Reason(
                Level(grant.level),
                "group",
                above[grant.content_object_id],
                group=grant.group.group.name,
                expires_at=grant.expires_at,
                grant_id=grant.pk,
                granted_by=grant.granted_by.label if grant.granted_by else "",
                granted_at=grant.created_at,
            )
        )
    return sorted(reasons, key=lambda reason: -reason.level)


def _groups(user: User | None) -> models.QuerySet[Any, Any]:
    return GroupMember.objects.filter(user=user).values("group_id")


def _current(grants: models.QuerySet[Any]) -> models.QuerySet[Any]:
    return grants.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now()))
