"""Examples of access."""

from __future__ import annotations

from apps.access import operations
from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.queries import get_membership
from apps.access.resources import root_resource
from apps.access.workspaces import find_or_create_person
from tests.builders import Side, a_folder
from tests.isolation.kit import Example, Made

V1 = "/api/v1"


def folder(side: Side) -> Made:
    return {"thing": a_folder(side.admin, "plans")}


def folder_with_grant(side: Side) -> Made:
    made = folder(side)
    member = operations.add_member(
        actor=side.admin, root=root_resource(), email=f"gil@{side.workspace.name}.example.com"
    )
    operations.share(actor=side.admin, resource=made["thing"], grantee=member.user, level=Level.VIEW)
    return {**made, "user_id": str(member.user_id)}


def trashed(side: Side) -> Made:
    made = folder(side)
    operations.trash_resource(actor=side.admin, resource=made["thing"])
    return made


def two_folders(side: Side) -> Made:
    other = a_folder(side.admin, "others")
    from apps.access.workspaces import get_group

    operations.share(actor=side.admin, resource=other, grantee=get_group("everyone"), level=Level.EDIT)
    return {**folder(side), "other": str(other.pk)}


def member(side: Side) -> Made:
    membership = operations.add_member(
        actor=side.admin, root=root_resource(), email=f"mo@{side.workspace.name}.example.com"
    )
    return {"thing": root_resource(), "user_id": str(membership.user_id)}


def suspended(side: Side) -> Made:
    made = member(side)
    from apps.access.queries import get_membership

    operations.suspend_member(actor=side.admin, root=root_resource(), membership=get_membership(made["user_id"]))
    return made


def group(side: Side) -> Made:
    made = operations.create_group(actor=side.admin, root=root_resource(), name="analysts")
    return {**member(side), "group_id": str(made.pk)}


def group_with_member(side: Side) -> Made:
    made = group(side)
    from apps.access.queries import get_group, get_membership

    operations.add_to_group(
        actor=side.admin,
        root=root_resource(),
        group=get_group(made["group_id"]),
        membership=get_membership(made["user_id"]),
    )
    return made


def someone_elses_token(side: Side) -> Made:
    from apps.access.queries import own_membership

    token, _ = operations.create_token(actor=side.admin, membership=own_membership(side.admin), name="ci")
    return {"thing": root_resource(), "token_id": str(token.pk)}


def root(side: Side) -> Made:
    return {"thing": root_resource()}


def of(route: str, method: str, path: str, setup=folder, **more) -> Example:  # type: ignore[no-untyped-def]
    """An example whose path is filled in from what set-up made."""
    return Example(
        route,
        method,
        lambda made: V1 + path.format(**made, id=getattr(made.get("thing"), "pk", "")),
        setup=setup,
        **more,
    )


def grantee(made: Made) -> dict[str, str]:
    return {"grantee_kind": "person", "grantee_id": made["user_id"]}


def email(made: Made) -> dict[str, str]:
    find_or_create_person("new@example.com")
    return {"email": "new@example.com"}


def asked(side: Side) -> Made:
    made = folder_with_grant(side)
    asker = Actor(user=get_membership(made["user_id"]).user, workspace=side.workspace)
    wanted = operations.request_access(actor=asker, resource=made["thing"], level=Level.EDIT, reason="the plan of May")
    return {**made, "request_id": str(wanted.pk)}


def asked_and_root(side: Side) -> Made:
    return {**asked(side), "thing": root_resource()}


MANAGE, EDIT, VIEW, DISCOVER = Level.MANAGE, Level.EDIT, Level.VIEW, Level.DISCOVER
EXAMPLES = [
    of("whoami-list", "GET", "/whoami", setup=lambda side: {}),
    of("whoami-list", "PATCH", "/whoami", setup=lambda side: {}, body=lambda m: {"name": "Mo Farah"}),
    of("member-list", "GET", "/members", setup=member, filtered=True),
    of("member-list", "POST", "/members", setup=root, needs=MANAGE, body=email, ok=201),
    of("member-detail", "GET", "/members/{user_id}", setup=member),
    of("member-detail", "DELETE", "/members/{user_id}", setup=member, needs=MANAGE, ok=204),
    of("member-suspend", "POST", "/members/{user_id}/suspend", setup=member, needs=MANAGE),
    of("member-reinstate", "POST", "/members/{user_id}/reinstate", setup=suspended, needs=MANAGE),
    of("service-principal-list", "GET", "/service-principals", setup=root, filtered=True),
    of(
        "service-principal-list",
        "POST",
        "/service-principals",
        setup=root,
        needs=MANAGE,
        body=lambda m: {"name": "ci"},
        ok=201,
    ),
    of("group-list", "GET", "/groups", setup=group, filtered=True),
    of("group-list", "POST", "/groups", setup=root, needs=MANAGE, body=lambda m: {"name": "pilots"}, ok=201),
    of("group-detail", "GET", "/groups/{group_id}", setup=group),
    of("group-detail", "DELETE", "/groups/{group_id}", setup=group, needs=MANAGE, ok=204),
    of("group-members", "GET", "/groups/{group_id}/members", setup=group),
    of(
        "group-add-member",
        "POST",
        "/groups/{group_id}/add-member",
        setup=group,
        needs=MANAGE,
        body=lambda m: {"user_id": m["user_id"]},
        ok=204,
    ),
    of(
        "group-remove-member",
        "POST",
        "/groups/{group_id}/remove-member",
        setup=group_with_member,
        needs=MANAGE,
        body=lambda m: {"user_id": m["user_id"]},
        ok=204,
    ),
    of("token-list", "GET", "/tokens", setup=someone_elses_token, filtered=True),
    of("token-list", "POST", "/tokens", setup=lambda side: {}, body=lambda m: {"name": "mine"}, ok=201),
    of("token-detail", "DELETE", "/tokens/{token_id}", setup=someone_elses_token, needs=MANAGE, ok=204),
    of("resource-list", "GET", "/resources", filtered=True),
    of("resource-detail", "GET", "/resources/{id}", needs=DISCOVER),
    of("resource-detail", "PATCH", "/resources/{id}", needs=EDIT, body=lambda m: {"description": "new"}),
    of("resource-rename", "POST", "/resources/{id}/rename", needs=MANAGE, body=lambda m: {"name": "newer"}),
    of(
        "resource-move",
        "POST",
        "/resources/{id}/move",
        setup=two_folders,
        needs=MANAGE,
        body=lambda m: {"parent_id": m["other"]},
    ),
    of("resource-trash", "POST", "/resources/{id}/trash", needs=MANAGE),
    of("resource-restore", "POST", "/resources/{id}/restore", setup=trashed, needs=MANAGE),
    of("resource-access", "GET", "/resources/{id}/access", needs=VIEW),
    of(
        "resource-share",
        "POST",
        "/resources/{id}/share",
        setup=folder_with_grant,
        needs=MANAGE,
        body=lambda m: {**grantee(m), "level": "use"},
        ok=204,
    ),
    of(
        "resource-unshare",
        "POST",
        "/resources/{id}/unshare",
        setup=folder_with_grant,
        needs=MANAGE,
        body=grantee,
        ok=204,
    ),
    of(
        "resource-transfer-ownership",
        "POST",
        "/resources/{id}/transfer-ownership",
        setup=folder_with_grant,
        needs=MANAGE,
        body=lambda m: {"user_id": m["user_id"]},
    ),
    of(
        "folder-list",
        "POST",
        "/folders",
        needs=EDIT,
        body=lambda m: {"name": "inner", "parent_id": str(m["thing"].pk)},
        ok=201,
    ),
    of(
        "resource-request-access",
        "POST",
        "/resources/{id}/request-access",
        needs=DISCOVER,
        enough=MANAGE,
        body=lambda m: {"level": "manage", "reason": "I look after it in May"},
        ok=201,
    ),
    of("access-request-list", "GET", "/access-requests", setup=asked, filtered=True),
    of(
        "access-request-grant",
        "POST",
        "/access-requests/{request_id}/grant",
        setup=asked,
        needs=MANAGE,
        body=lambda m: {},
    ),
    of(
        "access-request-decline",
        "POST",
        "/access-requests/{request_id}/decline",
        setup=asked,
        needs=MANAGE,
        body=lambda m: {"answer": "not this year"},
    ),
    of(
        "access-request-withdraw",
        "POST",
        "/access-requests/{request_id}/withdraw",
        setup=asked_and_root,
        needs=MANAGE,
        body=lambda m: {},
    ),
    of("audit-entry-list", "GET", "/audit-entries", setup=root, needs=MANAGE),
]
