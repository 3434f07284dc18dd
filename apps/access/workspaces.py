"""Making a workspace and taking people in: what the commands, set-up and the admin's operations share."""

from __future__ import annotations

import re
from collections.abc import Callable

from django.contrib.auth.models import Group as AuthGroup
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, connection, transaction

from apps.access.actor import Actor, system_actor
from apps.access.grants import set_grant
from apps.access.levels import Level
from apps.access.models import Group, GroupMember, Membership, Resource, User, Workspace
from apps.access.resources import create_resource, create_root, find_resource
from apps.access.scope import workspace_scope
from apps.foundation.errors import AlreadyExists, Invalid, NotFound

NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])")
RESERVED = {"workspaces", "api", "ajax-api", "static-files"}
_seeders: list[Callable[[Actor], None]] = []


def register_seeder(seeder: Callable[[Actor], None]) -> None:
    """Have `seeder(actor)` called inside each new workspace, so that a room finds what it needs there."""
    _seeders.append(seeder)


def create_workspace(name: str, *, admin: User, title: str = "") -> Workspace:
    """A new workspace with its root, groups and folders, administered by `admin`. Raises Invalid, AlreadyExists."""
    if not NAME.fullmatch(name) or name in RESERVED:
        raise Invalid(
            fields={
                "name": "2 to 63 of a-z, 0-9 and -, no - at either end, and none of "
                + ", ".join(sorted(RESERVED))
                + "."
            }
        )
    try:
        with transaction.atomic():
            workspace = Workspace.objects.create(name=name, title=title)
    except IntegrityError:
        raise AlreadyExists(f"There is already a workspace called {name}.") from None
    with workspace_scope(workspace):
        actor = system_actor(workspace)
        root = create_root(name)
        admins = create_group("admins", description="May do everything in this workspace", built_in=True)
        create_group("everyone", description="All members", built_in=True)
        set_grant(root, admins, Level.MANAGE, by=None)
        shared = create_resource(
            actor, kind="folder", name="Shared", parent=root, description="Everyone may read and write here"
        )
        set_grant(shared, get_group("everyone"), Level.EDIT, by=None)
        create_resource(actor, kind="folder", name="Users", parent=root, description="One folder per member")
        for seeder in _seeders:
            seeder(actor)
        join_workspace(admin, is_admin=True)
    return workspace


def create_group(name: str, *, description: str = "", built_in: bool = False) -> Group:
    """A new group of the current workspace. Raises AlreadyExists."""
    from apps.access.scope import current_workspace

    try:
        with transaction.atomic():
            auth_group = AuthGroup.objects.create(name=f"{current_workspace().pk}:{name}"[:150])
            group = Group(auth_group=auth_group, name=name, description=description, built_in=built_in)
            group.save(force_insert=True)
    except IntegrityError:
        raise AlreadyExists(f"There is already a group called “{name}”.") from None
    return group


def get_group(name: str) -> Group:
    """The group with this name. Raises NotFound."""
    group = Group.objects.filter(name=name).first()
    if group is None:
        raise NotFound
    return group


def join_workspace(user: User, *, is_admin: bool = False) -> Membership:
    """Take an account into the current workspace, with a folder of its own. Raises AlreadyExists."""
    try:
        with transaction.atomic():
            membership = Membership(user=user)
            membership.save()
    except IntegrityError:
        raise AlreadyExists(f"{user.label} is already a member.") from None
    for name in ("everyone", *(["admins"] if is_admin else [])):
        GroupMember(group=get_group(name), user=user).save()
    home_folder(user)
    return membership


def home_folder(user: User) -> Resource:
    """The account's own folder in the current workspace, `/Users/<label>`; made when it is not there."""
    from apps.access.scope import current_workspace

    name = user.label.replace("/", "_")
    folder = find_resource("folder", f"/Users/{name}")
    if folder is None:
        users = find_resource("folder", "/Users")
        if users is None:
            raise NotFound
        folder = create_resource(system_actor(current_workspace()), kind="folder", name=name, parent=users)
        Resource.objects.filter(pk=folder.pk).update(owner=user)
        folder.refresh_from_db()
    return folder


def find_or_create_person(email: str, *, password: str | None = None, name: str = "") -> User:
    """The account with this e-mail address, in any case; a new one without a usable password unless one is given. Raises Invalid."""
    email = email.strip()
    try:
        validate_email(email)
    except ValidationError:
        raise Invalid(fields={"email": "That is not an e-mail address."}) from None
    user = User.objects.filter(email__iexact=email).first()
    if user is None:
        user = User(email=email, name=name)
        set_password(user, password)
        user.save()
    return user


def set_password(user: User, password: str | None) -> None:
    """Set a checked password, or an unusable one for None. Does not save. Raises Invalid with what is wrong."""
    if password is None:
        user.set_unusable_password()
        return
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise Invalid(fields={"password": " ".join(error.messages)}) from None
    user.set_password(password)


def find_workspace(name: str) -> Workspace | None:
    """The workspace with this name, or None."""
    return Workspace.objects.filter(name=name).first()


def memberships_of(user: User) -> list[Workspace]:
    """The workspaces that an account may enter now, by name. Looks across workspaces, by a definer function."""
    with connection.cursor() as cursor:
        cursor.execute("select workspace_id, workspace_name, workspace_title from access_memberships_of(%s)", [user.pk])
        rows = cursor.fetchall()
    return [Workspace(id=row[0], name=row[1], title=row[2]) for row in rows]


def find_membership(user: User, workspace_name: str) -> Workspace | None:
    """The workspace with this name when the account may enter it now, else None."""
    return next((workspace for workspace in memberships_of(user) if workspace.name == workspace_name), None)
