"""The API of access: who am I, members, groups, service principals, tokens, resources with sharing and trash, audit."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access import grants, operations, queries
from apps.access import shapes as shape
from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.policy import explain, fetch, level_of
from apps.access.resources import root_resource
from apps.access.workspaces import memberships_of
from apps.foundation.api import RoomViewSet, empty
from apps.foundation.paging import page


@extend_schema(tags=["access"])
class WhoAmIViewSet(RoomViewSet):
    """The caller."""

    any_scope = True

    def list(self, request: Request) -> Response:
        """Who the caller is, in which workspace, and where else they may go."""
        return self._answer(request.actor)

    def partial_update(self, request: Request) -> Response:
        """Change one's own name, as others read it."""
        actor: Actor = request.actor
        name = shape.OwnNameIn.parse(request)["name"]
        operations.change_name(actor=actor, membership=queries.own_membership(actor), name=name)
        actor.user.refresh_from_db()
        return self._answer(actor)

    def _answer(self, actor: Actor) -> Response:
        return Response(
            {
                "user_id": actor.user_id,
                "label": actor.label,
                "name": actor.user.name,
                "kind": actor.user.kind,
                "workspace": actor.workspace.name,
                "scopes": list(actor.scopes),
                "activity": actor.activity,
                "workspaces": [workspace.name for workspace in memberships_of(actor.user)],
            }
        )


@extend_schema(tags=["access"])
class MemberViewSet(RoomViewSet):
    """Members: people and service principals."""

    serializer_class = shape.MemberOut

    def list(self, request: Request) -> Response:
        """All members; they know each other."""
        members = queries.list_members(kind=request.query_params.get("kind", ""))
        return shape.MemberOut.page(page(members, order=("created_at", "id"), **self.paging(request)))

    def retrieve(self, request: Request, pk: str) -> Response:
        """One member."""
        return shape.MemberOut.response(queries.get_membership(pk))

    def create(self, request: Request) -> Response:
        """Take a person in."""
        wish = shape.AddMemberIn.parse(request)
        return shape.MemberOut.response(operations.add_member(actor=request.actor, root=root_resource(), **wish), 201)

    def destroy(self, request: Request, pk: str) -> Response:
        """End a membership."""
        operations.remove_member(actor=request.actor, root=root_resource(), membership=queries.get_membership(pk))
        return empty()

    @action(detail=True, methods=["post"])
    def suspend(self, request: Request, pk: str) -> Response:
        """Shut somebody out at once."""
        member = operations.suspend_member(
            actor=request.actor, root=root_resource(), membership=queries.get_membership(pk)
        )
        return shape.MemberOut.response(member)

    @action(detail=True, methods=["post"])
    def reinstate(self, request: Request, pk: str) -> Response:
        """Let a suspended member back in."""
        member = operations.reinstate_member(
            actor=request.actor, root=root_resource(), membership=queries.get_membership(pk)
        )
        return shape.MemberOut.response(member)


@extend_schema(tags=["access"])
class ServicePrincipalViewSet(RoomViewSet):
    """Accounts for programs."""

    serializer_class = shape.MemberOut

    def list(self, request: Request) -> Response:
        """All service principals."""
        return shape.MemberOut.page(
            page(queries.list_members(kind="service"), order=("created_at", "id"), **self.paging(request))
        )

    def create(self, request: Request) -> Response:
        """Make one."""
        wish = shape.NameIn.parse(request)
        return shape.MemberOut.response(
            operations.create_service_principal(actor=request.actor, root=root_resource(), **wish), 201
        )


@extend_schema(tags=["access"])
class GroupViewSet(RoomViewSet):
    """Groups."""

    serializer_class = shape.GroupOut

    def list(self, request: Request) -> Response:
        """All groups."""
        return shape.GroupOut.page(page(queries.list_groups(), order=("name", "pk"), **self.paging(request)))

    def retrieve(self, request: Request, pk: str) -> Response:
        """One group."""
        return shape.GroupOut.response(queries.get_group(pk))

    def create(self, request: Request) -> Response:
        """Make a group."""
        wish = shape.GroupIn.parse(request)
        return shape.GroupOut.response(operations.create_group(actor=request.actor, root=root_resource(), **wish), 201)

    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a group with its grants."""
        operations.delete_group(actor=request.actor, root=root_resource(), group=queries.get_group(pk))
        return empty()

    @action(detail=True, methods=["get"])
    def members(self, request: Request, pk: str) -> Response:
        """Who is in the group."""
        group = queries.get_group(pk)
        inside = queries.list_members().filter(user__group_memberships__group=group)
        return shape.MemberOut.page(page(inside, order=("created_at", "id"), **self.paging(request)))

    @action(detail=True, methods=["post"], url_path="add-member")
    def add_member(self, request: Request, pk: str) -> Response:
        """Put a member in."""
        operations.add_to_group(actor=request.actor, root=root_resource(), **self._wish(request, pk))
        return empty()

    @action(detail=True, methods=["post"], url_path="remove-member")
    def remove_member(self, request: Request, pk: str) -> Response:
        """Take a member out."""
        operations.remove_from_group(actor=request.actor, root=root_resource(), **self._wish(request, pk))
        return empty()

    def _wish(self, request: Request, pk: str) -> dict[str, Any]:
        user_id = shape.UserIdIn.parse(request)["user_id"]
        return {"group": queries.get_group(pk), "membership": queries.get_membership(user_id)}


@extend_schema(tags=["access"])
class TokenViewSet(RoomViewSet):
    """Personal access tokens."""

    serializer_class = shape.TokenOut

    def list(self, request: Request) -> Response:
        """The caller's tokens, or another account's for an admin (`user_id`)."""
        found = queries.list_tokens(request.actor, user_id=request.query_params.get("user_id"))
        return shape.TokenOut.page(page(found, **self.paging(request)))

    def create(self, request: Request) -> Response:
        """Make a token; `token` is shown this once."""
        wish = shape.TokenIn.parse(request)
        membership = queries.get_membership(wish.pop("user_id", request.actor.user_id))
        token, raw = operations.create_token(actor=request.actor, membership=membership, **wish)
        token.token = raw
        answer = shape.NewTokenOut.response(token, 201)
        answer.shows_secret = True
        return answer

    def destroy(self, request: Request, pk: str) -> Response:
        """Revoke a token, at once."""
        operations.revoke_token(actor=request.actor, token=queries.get_token(request.actor, pk))
        return empty()


@extend_schema(tags=["access"])
class ResourceViewSet(RoomViewSet):
    """Every shareable thing: find, describe, move, share, trash."""

    serializer_class = shape.ResourceOut

    def list(self, request: Request) -> Response:
        """Resources that the caller may discover; filters `kind`, `parent_id`, `q` and `trashed=true`."""
        wish = request.query_params
        parent = (
            fetch(Resource, wish["parent_id"], actor=request.actor, needs=Level.DISCOVER)
            if wish.get("parent_id")
            else None
        )
        found = queries.list_resources(
            request.actor,
            kind=wish.get("kind", ""),
            parent=parent,
            text=wish.get("q", ""),
            trashed=wish.get("trashed") == "true",
        )
        return shape.ResourceOut.page(page(found, order=("-updated_at", "-id"), **self.paging(request)))

    def retrieve(self, request: Request, pk: str) -> Response:
        """One resource."""
        return shape.ResourceOut.response(fetch(Resource, pk, actor=request.actor, needs=Level.DISCOVER, trashed=None))

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change description and labels."""
        wish = shape.DescribeIn.parse(request)
        resource = fetch(Resource, pk, actor=request.actor)
        return shape.ResourceOut.response(operations.describe_resource(actor=request.actor, resource=resource, **wish))

    @action(detail=True, methods=["post"])
    def rename(self, request: Request, pk: str) -> Response:
        """Give it another name."""
        wish = shape.NameIn.parse(request)
        resource = fetch(Resource, pk, actor=request.actor)
        return shape.ResourceOut.response(operations.rename_resource(actor=request.actor, resource=resource, **wish))

    @action(detail=True, methods=["post"])
    def move(self, request: Request, pk: str) -> Response:
        """Put it into another container."""
        parent_id = shape.ParentIn.parse(request)["parent_id"]
        resource = fetch(Resource, pk, actor=request.actor)
        parent = fetch(Resource, parent_id, actor=request.actor)
        return shape.ResourceOut.response(
            operations.move_resource(actor=request.actor, resource=resource, parent=parent)
        )

    @action(detail=True, methods=["post"])
    def trash(self, request: Request, pk: str) -> Response:
        """Put it in the trash with everything below."""
        resource = fetch(Resource, pk, actor=request.actor)
        operations.trash_resource(actor=request.actor, resource=resource)
        return shape.ResourceOut.response(resource)

    @action(detail=True, methods=["post"])
    def restore(self, request: Request, pk: str) -> Response:
        """Take it out of the trash."""
        resource = fetch(Resource, pk, actor=request.actor, trashed=None)
        return shape.ResourceOut.response(operations.restore_resource(actor=request.actor, resource=resource))

    @action(detail=True, methods=["get"])
    def access(self, request: Request, pk: str) -> Response:
        """Who has what on it and through what; and why the caller has their level."""
        resource = fetch(Resource, pk, actor=request.actor)
        level = level_of(request.actor, resource)
        return Response(
            {
                "level": level.word if level else None,
                "reasons": shape.ReasonOut(explain(request.actor, resource), many=True).data,
                "grants": shape.GrantOut(grants.list_grants(resource), many=True).data,
            }
        )

    @action(detail=True, methods=["post"])
    def share(self, request: Request, pk: str) -> Response:
        """Give a person, service principal or group a level."""
        wish = shape.ShareIn.parse(request)
        resource = fetch(Resource, pk, actor=request.actor)
        grantee = queries.get_grantee(wish.pop("grantee_kind"), wish.pop("grantee_id"))
        level = Level.parse(wish.pop("level"))
        operations.share(actor=request.actor, resource=resource, grantee=grantee, level=level, **wish)
        return empty()

    @action(detail=True, methods=["post"])
    def unshare(self, request: Request, pk: str) -> Response:
        """Take a grant away."""
        wish = shape.GranteeIn.parse(request)
        resource = fetch(Resource, pk, actor=request.actor)
        grantee = queries.get_grantee(wish["grantee_kind"], wish["grantee_id"])
        operations.unshare(actor=request.actor, resource=resource, grantee=grantee)
        return empty()

    @action(detail=True, methods=["post"], url_path="request-access")
    def request_access(self, request: Request, pk: str) -> Response:
        """Ask for a level; whoever manages it answers."""
        wish = shape.RequestAccessIn.parse(request)
        resource = fetch(Resource, pk, actor=request.actor, needs=Level.DISCOVER)
        level = Level.parse(wish.pop("level"))
        made = operations.request_access(actor=request.actor, resource=resource, level=level, **wish)
        return shape.AccessRequestOut.response(made, 201)

    @action(detail=True, methods=["post"], url_path="transfer-ownership")
    def transfer_ownership(self, request: Request, pk: str) -> Response:
        """Make another member the owner."""
        user_id = shape.UserIdIn.parse(request)["user_id"]
        resource = fetch(Resource, pk, actor=request.actor)
        membership = queries.get_membership(user_id)
        return shape.ResourceOut.response(
            operations.transfer_ownership(actor=request.actor, resource=resource, membership=membership)
        )


@extend_schema(tags=["access"])
class AccessRequestViewSet(RoomViewSet):
    """Requests for access."""

    serializer_class = shape.AccessRequestOut

    def list(self, request: Request) -> Response:
        """Requests that the caller may answer, or their own with `mine=true`; those answered too with `state=all`."""
        wish = request.query_params
        found = queries.list_access_requests(
            request.actor, mine=wish.get("mine") == "true", waiting=wish.get("state") != "all"
        )
        return shape.AccessRequestOut.page(page(found, order=("-created_at", "-id"), **self.paging(request)))

    @action(detail=True, methods=["post"])
    def grant(self, request: Request, pk: str) -> Response:
        """Give what was asked for, or another `level`."""
        wish = shape.GrantRequestIn.parse(request)
        if "level" in wish:
            wish["level"] = Level.parse(wish["level"])
        wanted = queries.get_access_request(request.actor, pk)
        return shape.AccessRequestOut.response(
            operations.grant_access_request(actor=request.actor, access_request=wanted, **wish)
        )

    @action(detail=True, methods=["post"])
    def decline(self, request: Request, pk: str) -> Response:
        """Say no."""
        wish = shape.AnswerIn.parse(request)
        wanted = queries.get_access_request(request.actor, pk)
        return shape.AccessRequestOut.response(
            operations.decline_access_request(actor=request.actor, access_request=wanted, **wish)
        )

    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, pk: str) -> Response:
        """Take one's own request back."""
        wanted = queries.get_access_request(request.actor, pk)
        return shape.AccessRequestOut.response(
            operations.withdraw_access_request(actor=request.actor, access_request=wanted)
        )


@extend_schema(tags=["access"])
class FolderViewSet(RoomViewSet):
    """Folders."""

    serializer_class = shape.ResourceOut

    def create(self, request: Request) -> Response:
        """Make a folder in another one (`parent_id` or `parent_path`), or at the top."""
        wish = shape.FolderIn.parse(request)
        parent = queries.find_parent(request.actor, wish.pop("parent_id", None), wish.pop("parent_path", None))
        return shape.ResourceOut.response(operations.create_folder(actor=request.actor, parent=parent, **wish), 201)


@extend_schema(tags=["access"])
class AuditEntryViewSet(RoomViewSet):
    """The audit log."""

    serializer_class = shape.AuditOut

    def list(self, request: Request) -> Response:
        """Entries, newest first; filters `resource_id`, `verb` (a prefix), `outcome`, `actor`."""
        wish = request.query_params
        resource = None
        if wish.get("resource_id"):
            resource = fetch(Resource, wish["resource_id"], actor=request.actor, needs=Level.MANAGE, trashed=None)
        found = queries.list_audit(
            request.actor,
            resource=resource,
            verb=wish.get("verb", ""),
            outcome=wish.get("outcome", ""),
            actor_label=wish.get("actor", ""),
        )
        return shape.AuditOut.page(page(found, order=("-id",), **self.paging(request)))
