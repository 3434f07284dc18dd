"""The resource tree: making, finding, renaming, moving, trashing. Rooms call these inside their own operations."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, connection, transaction

from apps.access.actor import Actor
from apps.access.kinds import get_kind
from apps.access.levels import Level
from apps.access.models import Resource, ResourceAncestor
from apps.access.policy import authorise
from apps.foundation.clock import now
from apps.foundation.errors import AlreadyExists, Conflict, Invalid

NAME_MAX = 255
FORBIDDEN_IN_NAMES = {"/": "a slash", "\0": "a NUL"}


def create_resource(
    actor: Actor,
    *,
    kind: str,
    name: str,
    parent: Resource,
    description: str = "",
    labels: dict[str, Any] | None = None,
    open_to_makers: bool = False,
) -> Resource:
    """A new resource in `parent`, owned by the actor. Needs edit on the parent, unless that is open to makers.

    Raises Invalid for a name or place that does not fit, AlreadyExists for a taken name.
    """
    rules = get_kind(kind)
    if parent.kind not in rules.containers:
        raise Invalid(fields={"parent": f"A {rules.label} cannot lie in a {get_kind(parent.kind).label}."})
    if parent.deleted_at is not None:
        raise Conflict(f"{parent.path} is in the trash; restore it first.")
    if not (parent.open_to_makers and actor.allows(rules.model.split(".")[0], writing=True)):
        authorise(actor, Level.EDIT, parent)
    resource = Resource(
        kind=kind,
        name=check_name(name),
        path=join_path(kind, parent, name),
        parent=parent,
        owner=actor.user,
        description=description,
        labels=labels or {},
        open_to_makers=open_to_makers,
    )
    try:
        with transaction.atomic():
            resource.save(force_insert=True)
    except IntegrityError:
        raise AlreadyExists(f"There is already a {rules.label} called “{name}” here.") from None
    _add_ancestry(resource)
    return resource


def create_root(name: str) -> Resource:
    """The root of a new workspace's tree; made once, by the operation that makes the workspace."""
    root = Resource(kind="workspace", name=name, path="/")
    root.save(force_insert=True)
    _add_ancestry(root)
    return root


def find_resource(kind: str, path: str) -> Resource | None:
    """The live resource of this kind at a path, or None. No check: for operations and queries that check themselves."""
    return Resource.objects.live().filter(kind=kind, path=path).first()


def root_resource() -> Resource:
    """The root of the current workspace's tree."""
    return Resource.objects.get(kind="workspace")


def check_name(name: str) -> str:
    """The name, when it can be one. Raises Invalid with the reason."""
    problem = ""
    if not name or not name.strip():
        problem = "Give a name."
    elif len(name) > NAME_MAX:
        problem = f"At most {NAME_MAX} characters."
    elif name in (".", ".."):
        problem = "“.” and “..” cannot be names."
    else:
        found = [word for char, word in FORBIDDEN_IN_NAMES.items() if char in name]
        problem = f"A name cannot contain {found[0]}." if found else ""
    if problem:
        raise Invalid(fields={"name": problem})
    return name


def join_path(kind: str, parent: Resource, name: str) -> str:
    """The path of a child: `/folder/name`, or `catalog.schema.table` below a catalog."""
    separator = get_kind(kind).separator
    if parent.kind == "workspace":
        return name if separator == "." else f"/{name}"
    return f"{parent.path}{separator}{name}"


def rename_resource(resource: Resource, name: str) -> None:
    """Give a resource another name; everything below gets its new path. Raises AlreadyExists."""
    _place(resource, resource.parent, get_kind(resource.kind).clean(check_name(name)))


def move_resource(actor: Actor, resource: Resource, parent: Resource) -> None:
    """Put a resource into another container, on which the actor holds edit. Raises Invalid, Conflict, AlreadyExists."""
    rules = get_kind(resource.kind)
    if parent.kind not in rules.containers:
        raise Invalid(fields={"parent": f"A {rules.label} cannot lie in a {get_kind(parent.kind).label}."})
    if ResourceAncestor.objects.filter(resource=parent, ancestor=resource).exists():
        raise Conflict("A container cannot be moved into itself.")
    authorise(actor, Level.EDIT, parent)
    _place(resource, parent, resource.name)
    below = list(ResourceAncestor.objects.filter(ancestor=resource).values_list("resource_id", flat=True))
    ResourceAncestor.objects.filter(resource__in=below).exclude(ancestor__in=below).delete()
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into access_resourceancestor (workspace_id, resource_id, ancestor_id, depth)"
            " select b.workspace_id, b.resource_id, a.ancestor_id, a.depth + b.depth + 1"
            " from access_resourceancestor a join access_resourceancestor b on b.ancestor_id = %s"
            " where a.resource_id = %s",
            [resource.pk, parent.pk],
        )


def trash_resource(resource: Resource) -> int:
    """Put a resource and everything below it in the trash; how many went. They come back together."""
    below = ResourceAncestor.objects.filter(ancestor=resource).values("resource_id")
    count = Resource.objects.live().filter(pk__in=below).update(deleted_at=now(), deleted_with=resource)
    resource.refresh_from_db()
    return count


def restore_resource(resource: Resource) -> int:
    """Take a resource out of the trash with what went there with it. Raises AlreadyExists when its name is taken again."""
    if resource.parent and resource.parent.deleted_at is not None:
        raise Conflict(f"{resource.parent.path} is in the trash; restore that first.")
    try:
        with transaction.atomic():
            count = Resource.objects.filter(deleted_with=resource).update(deleted_at=None, deleted_with=None)
    except IntegrityError:
        raise AlreadyExists(f"The name {resource.path} is taken again; rename what has it, then restore.") from None
    resource.refresh_from_db()
    return count


def touch(resource: Resource) -> None:
    """Note that the thing changed now, for “recent” lists."""
    Resource.objects.filter(pk=resource.pk).update(updated_at=now())


def _place(resource: Resource, parent: Resource | None, name: str) -> None:
    if parent is None:
        raise Conflict("The root of a workspace keeps its name and place.")
    before, path = resource.path, join_path(resource.kind, parent, name)
    try:
        with transaction.atomic():
            Resource.objects.filter(pk=resource.pk).update(name=name, parent=parent, path=path, updated_at=now())
            with connection.cursor() as cursor:
                cursor.execute(
                    "update access_resource r set path = %s || substr(r.path, %s) from access_resourceancestor a"
                    " where a.ancestor_id = %s and a.resource_id = r.id and a.depth > 0",
                    [path, len(before) + 1, resource.pk],
                )
    except IntegrityError:
        raise AlreadyExists(f"There is already a {get_kind(resource.kind).label} called “{name}” there.") from None
    resource.refresh_from_db()


def _add_ancestry(resource: Resource) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into access_resourceancestor (workspace_id, resource_id, ancestor_id, depth)"
            " select %s, %s, ancestor_id, depth + 1 from access_resourceancestor where resource_id = %s"
            " union all select %s, %s, %s, 0",
            [resource.workspace_id, resource.pk, resource.parent_id, resource.workspace_id, resource.pk, resource.pk],
        )
