"""Reads about access that need more than one queryset."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.models import AuditEntry, Group, Membership, Resource, Token
from apps.access.policy import authorise, visible
from apps.access.resources import root_resource
from apps.foundation.errors import NotFound
from apps.foundation.ids import parse_id


def list_members(*, kind: str = "") -> QuerySet[Membership]:
    """The workspace's members; all of them know each other."""
    members = Membership.objects.select_related("user")
    return members.filter(user__kind=kind) if kind else members


def get_membership(user_id: object) -> Membership:
    """The membership of an account. Raises NotFound."""
    found = Membership.objects.select_related("user").filter(user_id=parse_id(user_id)).first()
    if found is None:
        raise NotFound
    return found


def own_membership(actor: Actor) -> Membership:
    """The actor's own membership."""
    return get_membership(actor.user_id)


def list_groups() -> QuerySet[Group]:
    """The workspace's groups."""
    return Group.objects.all()


def get_group(group_id: object) -> Group:
    """A group of the workspace. Raises NotFound."""
    text = str(group_id)
    found = Group.objects.filter(pk=int(text)).first() if text.isdecimal() and len(text) < 10 else None
    if found is None:
        raise NotFound
    return found


def get_grantee(kind: str, grantee_id: object) -> Any:
    """The account or group that a grant names. Raises NotFound."""
    return get_group(grantee_id) if kind == "group" else get_membership(grantee_id).user


def find_grantee(text: str) -> Any:
    """The member or group with this e-mail address or name. Raises NotFound."""
    member = Membership.objects.select_related("user").filter(user__email__iexact=text).first()
    if member is None:
        member = Membership.objects.select_related("user").filter(user__kind="service", user__name=text).first()
    if member is not None:
        return member.user
    group = Group.objects.filter(name=text).first()
    if group is None:
        raise NotFound(f"No member or group is called “{text}”.")
    return group


def list_tokens(actor: Actor, *, user_id: object = None) -> QuerySet[Token]:
    """The actor's own personal tokens; of another account for whoever manages the workspace."""
    if user_id is not None and parse_id(user_id) != actor.user_id:
        authorise(actor, Level.MANAGE, root_resource())
        user_id = get_membership(user_id).user_id
    return Token.objects.filter(user_id=user_id or actor.user_id, kind=Token.Kind.PERSONAL).select_related("user")


def get_token(actor: Actor, token_id: object) -> Token:
    """One personal token, the actor's own or, for whoever manages the workspace, anybody's. Raises NotFound."""
    token = Token.objects.select_related("user").filter(pk=parse_id(token_id), kind=Token.Kind.PERSONAL).first()
    if token is None:
        raise NotFound
    if token.user_id != actor.user_id:
        authorise(actor, Level.MANAGE, root_resource())
    return token


def list_audit(
    actor: Actor,
    *,
    resource: Resource | None = None,
    verb: str = "",
    outcome: str = "",
    actor_label: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[AuditEntry]:
    """Audit entries: of one resource for whoever manages it, of the whole workspace for whoever manages that."""
    authorise(actor, Level.MANAGE, resource or root_resource())
    entries = AuditEntry.objects.all()
    wanted: dict[str, Any] = {
        "resource_id": resource.pk if resource else None,
        "outcome": outcome,
        "actor_label": actor_label,
        "at__gte": since,
        "at__lt": until,
    }
    entries = entries.filter(**{name: value for name, value in wanted.items() if value})
    # A range instead of LIKE, which row-level security would keep from its index.
    return entries.filter(verb__gte=verb, verb__lt=verb + "\uffff") if verb else entries


def list_resources(
    actor: Actor, *, kind: str = "", parent: Resource | None = None, text: str = "", trashed: bool = False
) -> QuerySet[Resource]:
    """Resources that the actor may discover, narrowed by kind, container and a part of the name."""
    found = visible(Resource, actor, Level.DISCOVER, trashed=trashed).select_related("owner").exclude(kind="workspace")
    if kind:
        found = found.filter(kind=kind)
    if parent is not None:
        found = found.filter(parent=parent)
    return found.filter(name__icontains=text) if text else found
