"""The API of repositories: branches, tags, commits, trees, files, differences and pushes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import quote

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access import queries as access
from apps.access.policy import fetch
from apps.foundation.api import RoomViewSet, empty
from apps.foundation.paging import Page, page
from apps.repos import git, operations, queries
from apps.repos import shapes as shape
from apps.repos.checkout_api import CheckoutActions
from apps.repos.models import Repo
from apps.repos.remote_api import RemoteActions


@extend_schema(tags=["repos"])
class RepoViewSet(CheckoutActions, RemoteActions, RoomViewSet):
    """Repositories hosted here."""

    serializer_class = shape.RepoOut

    def list(self, request: Request) -> Response:
        """The repositories that the caller may view."""
        order = ("-resource__updated_at", "-pk")
        return shape.RepoOut.page(page(queries.list_repos(request.actor), order=order, **self.paging(request)))

    @extend_schema(request=shape.RepoIn)
    def create(self, request: Request) -> Response:
        """Make an empty repository in a folder (`parent_id` or `parent_path`; without both, at the top)."""
        wish = shape.RepoIn.parse(request)
        parent = access.find_parent(request.actor, wish.pop("parent_id", None), wish.pop("parent_path", None))
        return shape.RepoOut.response(operations.create_repo(actor=request.actor, parent=parent, **wish), 201)

    def retrieve(self, request: Request, pk: str) -> Response:
        """One repository."""
        return shape.RepoOut.response(self._repo(request, pk))

    @extend_schema(request=shape.BranchNameIn)
    @action(detail=True, methods=["post"], url_path="set-default-branch")
    def set_default_branch(self, request: Request, pk: str) -> Response:
        """Choose the branch that a clone checks out."""
        wish = shape.BranchNameIn.parse(request)
        repo = self._repo(request, pk)
        return shape.RepoOut.response(operations.set_default_branch(actor=request.actor, repo=repo, **wish))

    @action(detail=True, methods=["get"])
    def branches(self, request: Request, pk: str) -> Response:
        """Branches, with how far each is from the default branch."""
        return shape.BranchOut.page(queries.list_branches(self._repo(request, pk), **self.paging(request)))

    @action(detail=True, methods=["get"])
    def tags(self, request: Request, pk: str) -> Response:
        """Tags."""
        return shape.RefOut.page(queries.list_tags(self._repo(request, pk), **self.paging(request)))

    @extend_schema(request=shape.NewBranchIn)
    @action(detail=True, methods=["post"], url_path="create-branch")
    def create_branch(self, request: Request, pk: str) -> Response:
        """Make a branch where `ref` stands (the default branch without one)."""
        wish = shape.NewBranchIn.parse(request)
        repo = self._repo(request, pk)
        return shape.RefOut.response(operations.create_branch(actor=request.actor, repo=repo, **wish), 201)

    @extend_schema(request=shape.GoneBranchIn)
    @action(detail=True, methods=["post"], url_path="delete-branch")
    def delete_branch(self, request: Request, pk: str) -> Response:
        """Delete a branch that still stands at `commit`."""
        wish = shape.GoneBranchIn.parse(request)
        operations.delete_branch(actor=request.actor, repo=self._repo(request, pk), **wish)
        return empty()

    @extend_schema(parameters=[shape.CommitsIn])
    @action(detail=True, methods=["get"])
    def commits(self, request: Request, pk: str) -> Response:
        """Commits from `ref` backwards, those that touched `path` if given."""
        repo, wish = self._repo(request, pk), shape.CommitsIn.parse(request)
        return shape.CommitOut.page(queries.list_commits(repo, **wish, **self.paging(request)))

    @extend_schema(parameters=[shape.RefIn])
    @action(detail=True, methods=["get"])
    def commit(self, request: Request, pk: str) -> Response:
        """One commit, by any name that leads to it."""
        repo, wish = self._repo(request, pk), shape.RefIn.parse(request)
        return shape.CommitOut.response(repo.git.commit(queries.resolve(repo, wish["ref"])))

    @extend_schema(parameters=[shape.PlaceIn])
    @action(detail=True, methods=["get"])
    def tree(self, request: Request, pk: str) -> Response:
        """What a folder holds at `ref`."""
        repo, wish = self._repo(request, pk), shape.PlaceIn.parse(request)
        commit = queries.resolve(repo, wish["ref"])
        entries = Page(repo.git.tree(commit, wish["path"]), None)
        answer = shape.EntryOut.page(entries)
        answer.data["commit"] = commit
        return answer

    @extend_schema(parameters=[shape.PlaceIn])
    @action(detail=True, methods=["get"])
    def file(self, request: Request, pk: str) -> Response:
        """A file's text at `ref`; a binary or very long one is to be had from `raw`."""
        repo, wish = self._repo(request, pk), shape.PlaceIn.parse(request)
        return shape.BlobOut.response(repo.git.file(queries.resolve(repo, wish["ref"]), wish["path"]))

    @extend_schema(parameters=[shape.PlaceIn], responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    @action(detail=True, methods=["get"])
    def raw(self, request: Request, pk: str) -> StreamingHttpResponse:
        """A file's bytes at `ref`, as a download."""
        repo, wish = self._repo(request, pk), shape.PlaceIn.parse(request)
        return download(repo, **wish)

    @extend_schema(parameters=[shape.PlaceIn], responses=shape.BlamedOut(many=True))
    @action(detail=True, methods=["get"])
    def blame(self, request: Request, pk: str) -> Response:
        """Who last changed each line of a file at `ref`, in stretches of the same commit."""
        repo, wish = self._repo(request, pk), shape.PlaceIn.parse(request)
        stretches = git.blame(repo.git, queries.resolve(repo, wish["ref"]), wish["path"])
        return shape.BlamedOut.page(Page(stretches, None))

    @extend_schema(parameters=[shape.DiffIn])
    @action(detail=True, methods=["get"])
    def diff(self, request: Request, pk: str) -> Response:
        """What `head` changed against `base` (its first parent without one; `three_dot`: against where both parted)."""
        repo, wish = self._repo(request, pk), shape.DiffIn.parse(request)
        return shape.ChangeOut.response(queries.get_change(repo, **wish))

    @action(detail=True, methods=["get"])
    def pushes(self, request: Request, pk: str) -> Response:
        """What was pushed, newest first."""
        pushed = queries.list_pushes(self._repo(request, pk))
        return shape.PushOut.page(page(pushed, order=("-started_at", "-id"), **self.paging(request)))

    def _repo(self, request: Request, pk: str) -> Repo:
        return fetch(Repo, pk, actor=request.actor)


def download(repo: Repo, *, ref: str, path: str) -> StreamingHttpResponse:
    """A file's bytes as an answer that browsers save and never show."""
    entry = repo.git.file(queries.resolve(repo, ref), path, limit=1).entry
    return attachment(entry.path, _in_threads(repo.git.content(entry)), entry.size_bytes)


def attachment(path: str, pieces: Any, size: int | None) -> StreamingHttpResponse:
    """Bytes as a download under the path's last name."""
    name = quote(path.rpartition("/")[2], safe="")
    return StreamingHttpResponse(
        pieces,
        content_type="application/octet-stream",
        headers={
            "Content-Length": str(size),
            "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
            "Content-Security-Policy": "sandbox",
        },
    )


async def _in_threads(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The same pieces without waiting on git in the event loop."""
    following = sync_to_async(lambda: next(pieces, b""), thread_sensitive=False)
    while piece := await following():
        yield piece
