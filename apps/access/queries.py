"""Reads about access that need more than one queryset."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, F, IntegerField, Max, Q, QuerySet, Sum
from django.db.models.expressions import RawSQL

from apps.access.actor import Actor
from apps.access.kinds import list_kinds
from apps.access.levels import Level
from apps.access.models import (
    AccessRequest,
    AuditEntry,
    GrantPeriod,
    Group,
    GroupGrant,
    GroupMember,
    Membership,
    Resource,
    Session,
    StorageUse,
    Token,
    User,
)
from apps.access.policy import Reason, authorise, explain, fetch, fetch_path, level_of, visible
from apps.access.resources import root_resource
from apps.foundation.clock import now
from apps.foundation.errors import Invalid, NotFound
from apps.foundation.ids import parse_id

CONTAINERS = ("workspace", "folder", "catalog", "schema")


def list_members(*, kind: str = "") -> QuerySet[Membership]:
    """The workspace's members; all of them know each other."""
    members = Membership.objects.select_related("user")
    return members.filter(user__kind=kind) if kind else members


def find_members(
    *, text: str = "", state: str = "", group: str = "", kind: str = "", unseen_for: timedelta | None = None
) -> QuerySet[Membership]:
    """Members by a part of their address or name, by state (active, suspended, invited), by group, by how long they stay away."""
    found = list_members(kind=kind)
    if unseen_for is not None:
        found = found.filter(Q(seen_at__isnull=True) | Q(seen_at__lt=now() - unseen_for))
    if text:
        found = found.filter(Q(user__email__icontains=text) | Q(user__name__icontains=text))
    if state:
        new = Q(user__last_login__isnull=True, user__kind=User.Kind.PERSON, seen_at__isnull=True)
        chosen = {
            "suspended": Q(suspended_at__isnull=False),
            "invited": new,
            "active": Q(suspended_at__isnull=True) & ~new,
        }
        found = found.filter(chosen.get(state, Q(pk__isnull=True)))
    # One subquery, so that a member counts once.
    return found.filter(user__in=GroupMember.objects.filter(group__name=group).values("user")) if group else found


def count_members() -> dict[str, int]:
    """How many people are active, invited (never signed in) and suspended."""
    return {state: find_members(state=state, kind="person").count() for state in ("active", "invited", "suspended")}


def count_admin() -> dict[str, int]:
    """The numbers beside the sections of Admin."""
    kinds = dict(Membership.objects.order_by().values_list("user__kind").annotate(Count("pk")))
    return {
        "Members": kinds.get(User.Kind.PERSON, 0),
        "Groups": Group.objects.count(),
        "Service principals": kinds.get(User.Kind.SERVICE, 0),
    }


def list_ancestors(resource: Resource) -> list[Resource]:
    """The containers of a resource from the top down, without itself."""
    links = resource.ancestry.select_related("ancestor").filter(depth__gt=0).order_by("-depth")
    return [link.ancestor for link in links]


def get_membership(user_id: object) -> Membership:
    """The membership of an account. Raises NotFound."""
    found = Membership.objects.select_related("user").filter(user_id=parse_id(user_id)).first()
    if found is None:
        raise NotFound
    return found


def own_membership(actor: Actor) -> Membership:
    """The actor's own membership."""
    return get_membership(actor.user_id)


def list_sessions(actor: Actor) -> list[Session]:
    """The browsers in which the actor is signed in, the latest seen first."""
    return list(Session.objects.filter(user=actor.user, expire_date__gt=now()).order_by("-seen_at")[:50])


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


def list_all_tokens(actor: Actor) -> QuerySet[Token]:
    """Everybody's personal tokens, for whoever manages the workspace."""
    authorise(actor, Level.MANAGE, root_resource())
    return Token.objects.filter(kind=Token.Kind.PERSONAL).select_related("user")


def find_parent(actor: Actor, parent_id: Any, parent_path: str | None) -> Resource:
    """The folder to make something in: by id, by path, or the top without either. The operation checks the level."""
    if parent_id and parent_path not in (None, "", "/"):
        raise Invalid(fields={"parent_id": "Give the parent's id or its path, not both."})
    if parent_id:
        return fetch(Resource, parent_id, actor=actor, needs=Level.DISCOVER)
    if parent_path and parent_path != "/":
        return fetch_path(Resource, "folder", parent_path, actor=actor, needs=Level.DISCOVER)
    return root_resource()


def list_groups() -> QuerySet[Group]:
    """The workspace's groups with their size (`size`)."""
    return Group.objects.annotate(size=Count("members"))


def groups_of(users: Iterable[User]) -> dict[Any, list[str]]:
    """The groups of each account, by account id; `everyone` goes without saying."""
    rows = GroupMember.objects.filter(user__in=users).exclude(group__name="everyone", group__built_in=True)
    found: dict[Any, list[str]] = {}
    for user_id, name in rows.order_by("group__name").values_list("user_id", "group__name"):
        found.setdefault(user_id, []).append(name)
    return found


def tokens_of(users: Iterable[User]) -> dict[Any, int]:
    """How many live personal tokens each account has, by account id."""
    live = Token.objects.filter(user__in=users, kind=Token.Kind.PERSONAL, revoked_at__isnull=True)
    live = live.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now()))
    return dict(live.order_by().values_list("user_id").annotate(Count("pk")))


def list_reach(actor: Actor, group: Group, limit: int = 50) -> list[tuple[Resource, Level]]:
    """What a group was given itself, among what the actor may discover: resource and level, by path."""
    seen = visible(Resource, actor, Level.DISCOVER).values("pk")
    rows = GroupGrant.objects.filter(group_id=group.pk, content_object__in=seen).select_related("content_object")
    return [(row.content_object, Level(row.level)) for row in rows.order_by("content_object__path")[:limit]]


def list_grantee_names(limit: int = 500) -> list[tuple[str, str]]:
    """Names that can be typed into Share: (name, what it is)."""
    people = list_members().order_by("created_at")[:limit]
    names = [(m.user.label, "service principal" if m.user.kind == "service" else m.user.name) for m in people]
    return [*((group.name, "group") for group in Group.objects.order_by("name")[:limit]), *names]


def count_reached(resource: Resource) -> int:
    """How many members and programs hold a level on a resource, through whatever."""
    return len(who_may(resource, Level.DISCOVER))


def list_managers(resource: Resource, limit: int = 3) -> list[User]:
    """People who can answer a request for a resource, its owner first."""
    people = User.objects.filter(pk__in=who_may(resource, Level.MANAGE), kind=User.Kind.PERSON).order_by("created_at")
    return sorted(people, key=lambda user: user.pk != resource.owner_id)[:limit]


@dataclass(frozen=True)
class Effect:
    """What giving a level would change: the level before (of a person), or how many people of a group gain and how many have it."""

    before: Level | None
    gaining: int
    unchanged: int


def foresee(resource: Resource, grantee: Any, level: Level) -> Effect:
    """What giving `grantee` this level on the resource would change. One statement."""
    if isinstance(grantee, Group):
        people = "select m.user_id from access_groupmember m where m.group_id = %s"
    else:
        people = "select u.id from access_user u where u.id = %s"
    with connection.cursor() as cursor:
        cursor.execute(
            f"""select count(*) filter (where held < %s), count(*) filter (where held >= %s), max(held)
            from (select coalesce(access_level(id, %s), 0) as held from ({people}) as p(id)) as levels""",
            [int(level), int(level), resource.pk, grantee.pk],
        )
        gaining, unchanged, held = cursor.fetchone()
    before = Level(held) if held and not isinstance(grantee, Group) else None
    return Effect(before, gaining, unchanged)


def explain_member(actor: Actor, resource: Resource, user: User) -> list[Reason]:
    """Why somebody else holds a level on a resource, for whoever manages it."""
    authorise(actor, Level.MANAGE, resource)
    return explain(Actor(user=user, workspace=actor.workspace), resource)


def list_access_requests(actor: Actor, *, mine: bool = False, waiting: bool = True) -> QuerySet[AccessRequest]:
    """Requests for access that the actor may answer, or with `mine` those that they made; only what waits unless told."""
    found = AccessRequest.objects.select_related("resource", "user", "answered_by")
    if waiting:
        found = found.filter(state=AccessRequest.State.WAITING)
    if mine:
        return found.filter(user_id=actor.user_id, resource__deleted_at__isnull=True)
    return visible(found, actor, Level.MANAGE)


def get_access_request(actor: Actor, request_id: object) -> AccessRequest:
    """A request that the actor made or may answer. Raises NotFound."""
    found = AccessRequest.objects.select_related("resource", "user").filter(pk=parse_id(request_id)).first()
    if found is None or found.user_id != actor.user_id and (level_of(actor, found.resource) or 0) < Level.MANAGE:
        raise NotFound
    return found


def last_access_request(actor: Actor, resource: Resource) -> AccessRequest | None:
    """The newest request of the actor for a resource."""
    return AccessRequest.objects.filter(resource=resource, user_id=actor.user_id).order_by("-created_at").first()


def list_near(actor: Actor, text: str, limit: int = 5) -> list[Resource]:
    """What the actor may discover whose name begins like `text`: help for an address that leads nowhere."""
    stem = text.strip().rpartition(".")[2][:40]
    stem = stem[: max(3, len(stem) * 2 // 3)]
    if len(stem) < 3 or parse_id(text) is not None:
        return []
    return list(list_resources(actor, text=stem).order_by("name", "id")[:limit])


def find_accounts(label: str) -> set[Any]:
    """The ids of the members with this e-mail address or service name; an audit entry names people so."""
    named = Q(user__email__iexact=label) | Q(user__kind=User.Kind.SERVICE, user__name=label)
    return set(Membership.objects.filter(named).values_list("user_id", flat=True))


def who_may(resource: Resource, level: Level, users: Iterable[Any] | None = None) -> set[Any]:
    """The ids of the active members, among `users` when given, who hold at least this level on a resource right now."""
    members = Membership.objects.filter(suspended_at__isnull=True, user__is_active=True)
    if users is not None:
        members = members.filter(user__in=list(users))
    own = RawSQL("access_level(access_membership.user_id, %s)", [resource.pk], output_field=IntegerField())
    return set(members.annotate(level=own).filter(level__gte=int(level)).values_list("user_id", flat=True))


def list_trash(actor: Actor) -> QuerySet[Resource]:
    """What lies in the trash by itself (not with its container), among what the actor may discover."""
    return list_resources(actor, trashed=True).filter(deleted_with=F("pk"))


def list_changed(actor: Actor, limit: int) -> list[Resource]:
    """The things, not containers, that changed last among what the actor may read; the newest of each kind by its index."""
    seen = visible(Resource, actor).exclude(owner=None)
    kinds = [kind.name for kind in list_kinds() if kind.name not in CONTAINERS]
    newest = [
        row
        for kind in kinds
        for row in seen.filter(kind=kind).order_by("-updated_at", "-id").values_list("updated_at", "pk")[:limit]
    ]
    rows = Resource.objects.select_related("owner").in_bulk([pk for _, pk in sorted(newest, reverse=True)[:limit]])
    return sorted(rows.values(), key=lambda row: (row.updated_at, row.pk), reverse=True)


def kinds_present(actor: Actor, kinds: Iterable[str]) -> set[str]:
    """Those of some kinds of which the actor may read at least one."""
    seen = visible(Resource, actor)
    return {kind for kind in kinds if seen.filter(kind=kind).exists()}


def list_audit(
    actor: Actor,
    *,
    resource: Resource | None = None,
    verb: str = "",
    outcome: str = "",
    actor_label: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    thing: str = "",
) -> QuerySet[AuditEntry]:
    """Audit entries: of one resource for whoever manages it, of the whole workspace for whoever manages that."""
    authorise(actor, Level.MANAGE, resource or root_resource())
    entries = AuditEntry.objects.all()
    wanted: dict[str, Any] = {
        "resource_id": resource.pk if resource else None,
        "outcome": outcome,
        "actor_label": actor_label,
        "thing_label": thing,
        "at__gte": since,
        "at__lt": until,
    }
    entries = entries.filter(**{name: value for name, value in wanted.items() if value})
    # A range instead of LIKE, which row-level security would keep from its index.
    return entries.filter(verb__gte=verb, verb__lt=verb + "\uffff") if verb else entries


def list_grants_as_of(actor: Actor, moment: datetime, *, grantee: str = "") -> QuerySet[GrantPeriod]:
    """The grants that held at a moment, for whoever manages the workspace; of what is gone since then too."""
    authorise(actor, Level.MANAGE, root_resource())
    found = GrantPeriod.objects.filter(valid_from__lte=moment).filter(Q(valid_to__isnull=True) | Q(valid_to__gt=moment))
    return found.filter(grantee_label=grantee) if grantee else found


def list_storage(actor: Actor) -> QuerySet[StorageUse]:
    """What each resource takes on disk as last measured, for whoever manages the workspace."""
    authorise(actor, Level.MANAGE, root_resource())
    return StorageUse.objects.select_related("resource__owner")


def total_storage(actor: Actor) -> list[dict[str, Any]]:
    """Bytes and files by kind, the most first, with how much of them lies in the trash (`trashed`)."""
    found = list_storage(actor).order_by().values("resource__kind")
    trashed = Sum("bytes", filter=Q(resource__deleted_at__isnull=False), default=0)
    totals = found.annotate(total=Sum("bytes"), count=Sum("files"), trashed=trashed, measured_at=Max("measured_at"))
    rows: Iterable[Any] = totals.order_by("-total")
    return list(rows)


def default_level() -> Level | None:
    """What every member may do with everything in the workspace."""
    everyone = Group.objects.filter(name="everyone", built_in=True).values("pk")
    found = GroupGrant.objects.filter(content_object=root_resource(), group__in=everyone)
    level = found.values_list("level", flat=True).first()
    return Level(level) if level else None


def name_resources(ids: Iterable[Any]) -> dict[Any, Resource]:
    """The resources with these ids, in the trash or not, by id."""
    return Resource.objects.in_bulk(list(ids))


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
