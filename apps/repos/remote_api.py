"""The API of repositories that live elsewhere: clone, credentials, fetch, transfers. Mixed into the repositories' viewset."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access import queries as access
from apps.access.policy import fetch
from apps.foundation.paging import page
from apps.repos import operations, queries
from apps.repos import shapes as shape
from apps.repos.models import Repo


class RemoteActions:
    """Repositories cloned from another place."""

    @extend_schema(request=shape.CloneIn, responses={201: shape.RepoOut})
    @action(detail=False, methods=["post"])
    def clone(self, request: Request) -> Response:
        """Add a repository that lives elsewhere; a worker tries the address and credentials and fetches it."""
        wish = shape.CloneIn.parse(request)
        parent = access.find_parent(request.actor, wish.pop("parent_id", None), wish.pop("parent_path", None))
        return shape.RepoOut.response(operations.clone_repo(actor=request.actor, parent=parent, **wish), 201)

    @extend_schema(responses=shape.RemoteOut)
    @action(detail=True, methods=["get"])
    def remote(self, request: Request, pk: str) -> Response:
        """Where the repository was cloned from; the password is never shown."""
        return shape.RemoteOut.response(queries.get_remote(fetch(Repo, pk, actor=request.actor)))

    @extend_schema(request=shape.ChangeRemoteIn, responses={202: shape.SyncOut})
    @action(detail=True, methods=["post"], url_path="change-remote")
    def change_remote(self, request: Request, pk: str) -> Response:
        """Another address or credential, tried at once; without `password` the old one stays, unless the host changes."""
        wish, repo = shape.ChangeRemoteIn.parse(request), fetch(Repo, pk, actor=request.actor)
        return shape.SyncOut.response(operations.change_remote(actor=request.actor, repo=repo, **wish), 202)

    @extend_schema(request=None, responses={202: shape.SyncOut})
    @action(detail=True, methods=["post"], url_path="fetch")
    def fetch_remote(self, request: Request, pk: str) -> Response:
        """Have a worker bring what was pushed over there."""
        repo = fetch(Repo, pk, actor=request.actor)
        return shape.SyncOut.response(operations.fetch_remote(actor=request.actor, repo=repo), 202)

    @extend_schema(responses=shape.SyncOut(many=True))
    @action(detail=True, methods=["get"])
    def syncs(self, request: Request, pk: str) -> Response:
        """Transfers with the remote, newest first."""
        rows = queries.list_syncs(fetch(Repo, pk, actor=request.actor))
        return shape.SyncOut.page(page(rows, order=("-created_at", "-id"), **self.paging(request)))  # type: ignore[attr-defined]

    @extend_schema(request=None, responses=shape.SyncOut)
    @action(detail=True, methods=["post"], url_path="cancel-sync")
    def cancel_sync(self, request: Request, pk: str) -> Response:
        """Ask the transfer under way to stop."""
        repo = fetch(Repo, pk, actor=request.actor)
        return shape.SyncOut.response(operations.cancel_sync(actor=request.actor, repo=repo))
