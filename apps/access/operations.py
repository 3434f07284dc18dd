"""What people can do about access: members, groups, service principals, tokens, sharing, folders, trash."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from apps.access import audit, grants, policy, resources, sessions, signin, tokens, workspaces
from apps.access.actor import Actor
from apps.access.grants import Grantee
from apps.access.levels import Level
from apps.access.models import (
    AccessRequest,
    Group,
    GroupMember,
    Membership,
    Resource,
    Token,
    User,
    UserGrant,
    Workspace,
)
from apps.access.operation import operation, operations
from apps.foundation.clock import now
from apps.foundation.errors import AlreadyExists, Conflict, Forbidden, Invalid, TooMany

REQUESTS_AT_ONCE = 50

# Members and service principals


@operation(needs=Level.MANAGE, on="root")
def add_member(*, actor: Actor, root: Resource, email: str, is_admin: bool = False) -> Membership:
    """Take a person into the workspace by e-mail address; they sign in by link or with the account they have."""
    person = workspaces.find_or_create_person(email)
    membership = workspaces.join_workspace(person, is_admin=is_admin)
    audit.record(actor, "access.add_member", root, after={"member": person.label, "admin": is_admin})
    return membership


@operation(needs=Level.MANAGE, on="root")
def create_service_principal(*, actor: Actor, root: Resource, name: str) -> Membership:
    """Make an account for a program; give it grants like a person's and tokens of its own."""
    resources.check_name(name)
    if Membership.objects.filter(user__kind=User.Kind.SERVICE, user__name=name).exists():
        raise AlreadyExists(f"There is already a service principal called “{name}”.")
    principal = User(kind=User.Kind.SERVICE, name=name)
    principal.set_unusable_password()
    principal.save()
    membership = workspaces.join_workspace(principal)
    audit.record(actor, "access.create_service_principal", root, after={"name": name})
    return membership


@operation(needs=Level.MANAGE, on="root")
def suspend_member(*, actor: Actor, root: Resource, membership: Membership) -> Membership:
    """Shut somebody out at once: sessions, tokens and run keys stop with the next request. Grants stay."""
    _keep_an_admin(membership)
    Membership.objects.filter(pk=membership.pk).update(suspended_at=now())
    membership.refresh_from_db()
    audit.record(actor, "access.suspend_member", root, after={"member": membership.user.label})
    return membership


@operation(needs=Level.MANAGE, on="root")
def reinstate_member(*, actor: Actor, root: Resource, membership: Membership) -> Membership:
    """Let a suspended member back in, with the grants they had."""
    Membership.objects.filter(pk=membership.pk).update(suspended_at=None)
    membership.refresh_from_db()
    audit.record(actor, "access.reinstate_member", root, after={"member": membership.user.label})
    return membership


@operation(needs=Level.MANAGE, on="root")
def remove_member(*, actor: Actor, root: Resource, membership: Membership) -> None:
    """End a membership with its grants, groups and tokens. What they own stays, owned by the actor."""
    _keep_an_admin(membership)
    user = membership.user
    for resource in Resource.objects.filter(user_grants__user=user):
        grants.remove_grant(resource, user)
    GroupMember.objects.filter(user=user).delete()
    Token.objects.filter(user=user, revoked_at__isnull=True).update(revoked_at=now())
    Resource.objects.filter(owner=user).update(owner=actor.user)
    Membership.objects.filter(pk=membership.pk).delete()
    audit.record(actor, "access.remove_member", root, before={"member": user.label})


@operation(needs=Level.MANAGE, on="root")
def make_invitation_link(*, actor: Actor, root: Resource, membership: Membership) -> str:
    """The path of a one-time sign-in link for a member who never signed in; others would be acted for."""
    _refuse_run_keys(actor)
    person = membership.user
    elsewhere = [workspace.name for workspace in workspaces.memberships_of(person) if workspace != actor.workspace]
    if person.kind != User.Kind.PERSON or person.last_login or person.has_usable_password() or elsewhere:
        raise Conflict(f"{person.label} has an account already and signs in with it.")
    path, link = signin.make_link(actor.workspace, person)
    audit.record(
        actor, "access.make_invitation_link", root, after={"member": person.label, "expires_at": link.expires_at}
    )
    return path


@operation(needs=None, on="membership")
def change_password(*, actor: Actor, membership: Membership, old: str, new: str) -> None:
    """Set one's own password; the old one is asked for when there is one."""
    person = membership.user
    _refuse_run_keys(actor)
    if membership.user_id != actor.user_id:
        raise Conflict("A password is changed by its person.")
    if person.has_usable_password() and not person.check_password(old):
        raise Invalid(fields={"old": "That is not your password."})
    workspaces.set_password(person, new)
    person.save(update_fields=["password"])
    audit.record(actor, "access.change_password", membership)


@operation(needs=None, on="membership")
def change_name(*, actor: Actor, membership: Membership, name: str) -> None:
    """Change what others read beside one's e-mail address."""
    _refuse_run_keys(actor)
    if membership.user_id != actor.user_id:
        raise Conflict("A name is changed by its person.")
    name = " ".join(name.split())
    if len(name) > 200:
        raise Invalid(fields={"name": "At most 200 characters."})
    before = membership.user.name
    User.objects.filter(pk=membership.user_id).update(name=name)
    audit.record(actor, "access.change_name", membership, before={"name": before}, after={"name": name})


@operation(needs=None, on="membership")
def end_session(*, actor: Actor, membership: Membership, number: str) -> None:
    """Sign one of one's own browsers out, at once."""
    _refuse_run_keys(actor)
    if membership.user_id != actor.user_id:
        raise Conflict("A session is ended by its person.")
    found = next((row for row in membership.user.sessions.all() if sessions.number_of(row) == number), None)
    if found is None:
        raise Conflict("That browser is signed out already.")
    found.delete()
    audit.record(actor, "access.end_session", membership, before={"browser": sessions.browser_of(found)})


# The workspace


@operation(needs=Level.MANAGE, on="root")
def title_workspace(*, actor: Actor, root: Resource, title: str) -> None:
    """Give the workspace a title that people read; its name in addresses stays."""
    if len(title) > 200:
        raise Invalid(fields={"title": "At most 200 characters."})
    before = actor.workspace.title
    Workspace.objects.filter(pk=actor.workspace.pk).update(title=title)
    audit.record(actor, "access.title_workspace", root, before={"title": before}, after={"title": title})


@operation(needs=Level.MANAGE, on="root")
def set_default_level(*, actor: Actor, root: Resource, level: Level | None) -> None:
    """What every member may do with everything in the workspace: discover, view, or nothing."""
    if level is not None and level > Level.VIEW:
        raise Invalid(fields={"level": "Everyone gets at most view; give more to groups, on what they need."})
    everyone = workspaces.get_group("everyone")
    before = grants.set_grant(root, everyone, level, by=actor.user) if level else grants.remove_grant(root, everyone)
    audit.record(
        actor,
        "access.set_default_level",
        root,
        before={"level": before.word if before else None},
        after={"level": level.word if level else None},
    )


# Groups


@operation(needs=Level.MANAGE, on="root")
def create_group(*, actor: Actor, root: Resource, name: str, description: str = "") -> Group:
    """Make a group of members that gets grants together."""
    group = workspaces.create_group(resources.check_name(name), description=description)
    audit.record(actor, "access.create_group", root, after={"group": name})
    return group


@operation(needs=Level.MANAGE, on="root")
def delete_group(*, actor: Actor, root: Resource, group: Group) -> None:
    """Delete a group; its grants go with it."""
    if group.built_in:
        raise Conflict(f"The group {group.name} belongs to the workspace and stays.")
    for resource in Resource.objects.filter(group_grants__group_id=group.pk):
        grants.remove_grant(resource, group)
    name = group.name
    group.auth_group.delete()
    audit.record(actor, "access.delete_group", root, before={"group": name})


@operation(needs=Level.MANAGE, on="root")
def add_to_group(*, actor: Actor, root: Resource, group: Group, membership: Membership) -> None:
    """Put a member into a group; the group's grants count from the next request."""
    try:
        with transaction.atomic():
            GroupMember(group=group, user=membership.user).save()
    except IntegrityError:
        raise AlreadyExists(f"{membership.user.label} is already in {group.name}.") from None
    audit.record(actor, "access.add_to_group", root, after={"group": group.name, "member": membership.user.label})


@operation(needs=Level.MANAGE, on="root")
def remove_from_group(*, actor: Actor, root: Resource, group: Group, membership: Membership) -> None:
    """Take a member out of a group, at once."""
    if group.built_in and group.name == "everyone":
        raise Conflict("Everyone who is a member is in this group.")
    if group.built_in and group.name == "admins":
        _keep_an_admin(membership)
    if not GroupMember.objects.filter(group=group, user=membership.user).delete()[0]:
        raise Conflict(f"{membership.user.label} is not in {group.name}.")
    audit.record(actor, "access.remove_from_group", root, before={"group": group.name, "member": membership.user.label})


# Tokens


@operation(needs=None, on="membership")
def create_token(
    *,
    actor: Actor,
    membership: Membership,
    name: str,
    expires_at: datetime | None = None,
    scopes: list[str] | None = None,
) -> tuple[Token, str]:
    """Make a token of one's own, or of a service principal that one manages; its text is shown once."""
    _refuse_run_keys(actor)
    if membership.user_id != actor.user_id and membership.user.kind != User.Kind.SERVICE:
        raise Conflict("A person's tokens are made by that person.")
    if expires_at is not None and expires_at <= now():
        raise Invalid(fields={"expires_at": "Give a moment in the future."})
    scopes = scopes or ["all"]
    tokens.check_scopes(scopes, {name.split(".")[0] for name in operations})
    if "all" not in actor.scopes:
        raise Conflict("A token with narrowed scopes cannot make tokens.")
    token, raw = tokens.new_token(
        membership.user, name=resources.check_name(name), expires_at=expires_at, scopes=scopes
    )
    audit.record(
        actor, "access.create_token", token, after={"of": membership.user.label, "name": name, "scopes": scopes}
    )
    return token, raw


@operation(needs=None, on="token")
def revoke_token(*, actor: Actor, token: Token) -> Token:
    """End a token; the very next request with it is refused."""
    if token.revoked_at is None:
        Token.objects.filter(pk=token.pk).update(revoked_at=now())
        token.refresh_from_db()
    audit.record(actor, "access.revoke_token", token, before={"name": token.name})
    return token


# Sharing


@operation(needs=Level.MANAGE, on="resource")
def share(
    *, actor: Actor, resource: Resource, grantee: Grantee, level: Level, expires_at: datetime | None = None
) -> None:
    """Give a person, service principal or group a level on a resource and everything below it, until a moment or for good."""
    if expires_at is not None and expires_at <= now():
        raise Invalid(fields={"expires_at": "Give a moment in the future."})
    before = grants.set_grant(resource, grantee, level, by=actor.user, expires_at=expires_at)
    audit.record(
        actor,
        "access.share",
        resource,
        before={"level": before.word if before else None},
        after={"grantee": grants.label_of(grantee), "level": level.word, "expires_at": expires_at},
    )


@operation(needs=Level.MANAGE, on="resource")
def unshare(*, actor: Actor, resource: Resource, grantee: Grantee) -> None:
    """Take a grant away; what comes from above stays."""
    if resource.kind == "workspace" and isinstance(grantee, Group) and grantee.built_in and grantee.name == "admins":
        raise Conflict("The admins keep their grant on the workspace.")
    before = grants.remove_grant(resource, grantee)
    if before is None:
        raise Conflict(f"{grants.label_of(grantee)} has no grant of its own here; see where the level comes from.")
    audit.record(actor, "access.unshare", resource, before={"grantee": grants.label_of(grantee), "level": before.word})


@operation(needs=Level.MANAGE, on="resource")
def transfer_ownership(*, actor: Actor, resource: Resource, membership: Membership) -> Resource:
    """Make another member the owner."""
    before = resource.owner.label if resource.owner else None
    Resource.objects.filter(pk=resource.pk).update(owner=membership.user)
    resource.refresh_from_db()
    audit.record(
        actor, "access.transfer_ownership", resource, before={"owner": before}, after={"owner": membership.user.label}
    )
    return resource


# Asking for access


@operation(needs=Level.DISCOVER, on="resource")
def request_access(
    *, actor: Actor, resource: Resource, level: Level, reason: str = "", days: int | None = None
) -> AccessRequest:
    """Ask whoever manages a resource for a level on it; asking again changes the request that waits."""
    _refuse_run_keys(actor)
    own = policy.level_of(actor, resource)
    if own is not None and own >= level:
        raise Invalid(fields={"level": f"You can {own.word} already."})
    waiting = AccessRequest.objects.filter(user=actor.user, state=AccessRequest.State.WAITING)
    wish = {"level": level, "reason": reason.strip(), "days": days, "created_at": now()}
    made = waiting.filter(resource=resource).first()
    if made is None and waiting.count() >= REQUESTS_AT_ONCE:
        raise TooMany(f"{REQUESTS_AT_ONCE} requests of yours wait already; withdraw one.", retry_after_seconds=3600)
    made = made or AccessRequest(resource=resource, user=actor.user)
    for name, value in wish.items():
        setattr(made, name, value)
    made.save()
    audit.record(
        actor, "access.request_access", resource, after={"level": level.word, "days": days}, comment=made.reason
    )
    return made


@operation(needs=Level.MANAGE, on="access_request")
def grant_access_request(
    *,
    actor: Actor,
    access_request: AccessRequest,
    level: Level | None = None,
    days: int | None = None,
    answer: str = "",
) -> AccessRequest:
    """Give what was asked for, or another level or end; a level that the person holds here already is never lowered."""
    _require_waiting(access_request)
    resource, person = access_request.resource, access_request.user
    level, days = level or Level(access_request.level), days if days is not None else access_request.days
    if not Membership.objects.filter(user=person, suspended_at__isnull=True).exists():
        raise Conflict(f"{person.label} is no longer a member.")
    own = UserGrant.objects.filter(content_object=resource, user=person).exclude(expires_at__lte=now()).first()
    if own is None or own.level < level or own.level == level and own.expires_at is not None:
        until = now() + timedelta(days=days) if days else None
        grants.set_grant(resource, person, level, by=actor.user, expires_at=until)
    _answer(actor, access_request, AccessRequest.State.GRANTED, answer)
    after = {"grantee": person.label, "level": level.word, "days": days}
    audit.record(actor, "access.grant_access_request", resource, after=after, comment=answer)
    return access_request


@operation(needs=Level.MANAGE, on="access_request")
def decline_access_request(*, actor: Actor, access_request: AccessRequest, answer: str = "") -> AccessRequest:
    """Answer a request for access with no; the person is told, with the reason given."""
    _require_waiting(access_request)
    _answer(actor, access_request, AccessRequest.State.DECLINED, answer)
    after = {"grantee": access_request.user.label, "level": Level(access_request.level).word}
    audit.record(actor, "access.decline_access_request", access_request.resource, after=after, comment=answer)
    return access_request


@operation(needs=None, on="access_request")
def withdraw_access_request(*, actor: Actor, access_request: AccessRequest) -> AccessRequest:
    """Take one's own request back."""
    _require_waiting(access_request)
    _answer(actor, access_request, AccessRequest.State.WITHDRAWN, "")
    audit.record(actor, "access.withdraw_access_request", access_request.resource)
    return access_request


def _require_waiting(access_request: AccessRequest) -> None:
    if access_request.state != AccessRequest.State.WAITING:
        raise Conflict(f"This request is {access_request.state} already.")


def _answer(actor: Actor, access_request: AccessRequest, state: str, answer: str) -> None:
    access_request.state, access_request.answer = state, answer.strip()
    access_request.answered_by, access_request.answered_at = actor.user, now()
    access_request.save(update_fields=["state", "answer", "answered_by", "answered_at"])


# Folders, names and trash


@operation(needs=Level.EDIT, on="parent", open_to_makers=True)
def create_folder(*, actor: Actor, parent: Resource, name: str, description: str = "") -> Resource:
    """Make a folder."""
    folder = resources.create_resource(actor, kind="folder", name=name, parent=parent, description=description)
    audit.record(actor, "access.create_folder", folder)
    return folder


@operation(needs=Level.EDIT, on="resource")
def describe_resource(
    *, actor: Actor, resource: Resource, description: str | None = None, labels: dict[str, str] | None = None
) -> Resource:
    """Change what a resource says about itself."""
    before = {"description": resource.description, "labels": resource.labels}
    if description is not None:
        resource.description = description
    if labels is not None:
        resource.labels = labels
    resource.updated_at = now()
    resource.save(update_fields=["description", "labels", "updated_at"])
    after: dict[str, Any] = {"description": resource.description, "labels": resource.labels}
    audit.record(actor, "access.describe_resource", resource, before=before, after=after)
    return resource


@operation(needs=Level.MANAGE, on="resource")
def move_resource(*, actor: Actor, resource: Resource, parent: Resource) -> Resource:
    """Put a resource into another container; what was granted above it no longer counts, what is granted there does."""
    before = resource.path
    resources.move_resource(actor, resource, parent)
    audit.record(actor, "access.move_resource", resource, before={"path": before}, after={"path": resource.path})
    return resource


@operation(needs=Level.MANAGE, on="resource")
def rename_resource(*, actor: Actor, resource: Resource, name: str) -> Resource:
    """Give a resource another name."""
    before = resource.path
    resources.rename_resource(resource, name)
    audit.record(actor, "access.rename_resource", resource, before={"path": before}, after={"path": resource.path})
    return resource


@operation(needs=Level.MANAGE, on="resource")
def trash_resource(*, actor: Actor, resource: Resource) -> int:
    """Put a resource and everything below it in the trash; it can be restored."""
    if resource.kind == "workspace" or resource.path in ("/Users", "/Shared"):
        raise Conflict(f"{resource.path} belongs to the workspace and stays.")
    count = resources.trash_resource(resource)
    audit.record(actor, "access.trash_resource", resource, after={"resources": count})
    return count


@operation(needs=Level.MANAGE, on="resource")
def restore_resource(*, actor: Actor, resource: Resource) -> Resource:
    """Take a resource out of the trash, with what went there with it."""
    if resource.deleted_at is None:
        raise Conflict(f"{resource.path} is not in the trash.")
    count = resources.restore_resource(resource)
    audit.record(actor, "access.restore_resource", resource, after={"resources": count})
    return resource


def _refuse_run_keys(actor: Actor) -> None:
    """Raises Forbidden for the key of a run: what it could make here would outlive the run."""
    if actor.activity:
        raise Forbidden("A run's key ends with its run and can make no token, password or link.", code="run_key")


def _keep_an_admin(membership: Membership) -> None:
    others = Membership.objects.filter(
        suspended_at__isnull=True,
        user__is_active=True,
        user__in=GroupMember.objects.filter(group__name="admins", group__built_in=True)
        .exclude(user=membership.user)
        .values("user"),
    )
    if not others.exists():
        raise Conflict("This is the last admin of the workspace; make somebody else an admin first.")
