"""The API of one's own checkout: status, files, changes, commit, switch, pull and push. Mixed into the repositories' viewset."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.levels import Level
from apps.access.policy import fetch
from apps.foundation.errors import Invalid
from apps.foundation.paging import Page
from apps.repos import operations, queries, worktree
from apps.repos import shapes as shape
from apps.repos.models import Checkout, Repo
from apps.repos.worktree import Worktree


class CheckoutActions:
    """What one does in one's own checkout; the first change begins it."""

    @extend_schema(responses=shape.WorktreeOut)
    @action(detail=True, methods=["get"])
    def checkout(self, request: Request, pk: str) -> Response:
        """Where the caller stands: branch, commit, commits to push and to pull, changed files."""
        return shape.WorktreeOut.response(self._worktree(request, pk))

    @extend_schema(parameters=[shape.PathIn], responses=shape.ItemOut(many=True))
    @action(detail=True, methods=["get"], url_path="checkout/tree")
    def checkout_tree(self, request: Request, pk: str) -> Response:
        """What a folder of the checkout holds, with marks on what is changed."""
        items = self._worktree(request, pk).items(shape.PathIn.parse(request)["path"])
        return shape.ItemOut.page(Page(items, None))

    @extend_schema(parameters=[shape.PathIn], responses=shape.WorkFileOut)
    @action(detail=True, methods=["get"], url_path="checkout/file")
    def checkout_file(self, request: Request, pk: str) -> Response:
        """A working file with the version that the next save of it names."""
        return shape.WorkFileOut.response(self._worktree(request, pk).read(shape.PathIn.parse(request)["path"]))

    @extend_schema(responses=shape.ChangeOut)
    @action(detail=True, methods=["get"], url_path="checkout/diff")
    def checkout_diff(self, request: Request, pk: str) -> Response:
        """What a commit of every changed file would change."""
        diff = queries.draft_diff(self._worktree(request, pk))
        return Response(
            {
                "file_count": diff.file_count,
                "is_cut": diff.is_cut,
                "files": shape.FileDiffOut(diff.files, many=True).data,
            }
        )

    @extend_schema(request=shape.SaveIn, responses=shape.SavedOut)
    @action(detail=True, methods=["post"], url_path="checkout/save")
    def checkout_save(self, request: Request, pk: str) -> Response:
        """Keep a working file. With `version`, only if it is still that one (412 otherwise); "" means that none is there."""
        wish, checkout = shape.SaveIn.parse(request), self._checkout(request, pk)
        content = _content(wish)
        path, version = wish["path"], wish["version"]
        operations.save_file(actor=request.actor, checkout=checkout, path=path, content=content, version=version)
        here = worktree.stand(checkout.repo, checkout)
        draft = here.drafts.get(path)
        mark = {"added": "A", "changed": "M"}.get(draft.kind, "") if draft else ""
        return shape.SavedOut.response(
            {"path": path, "version": here.version(path), "mark": mark, "changes": len(here.drafts)}
        )

    @extend_schema(request=shape.RenameIn, responses=shape.WorktreeOut)
    @action(detail=True, methods=["post"], url_path="checkout/rename")
    def checkout_rename(self, request: Request, pk: str) -> Response:
        """Give a working file or folder another path."""
        return self._change(request, pk, operations.rename_file, shape.RenameIn)

    @extend_schema(request=shape.PathIn, responses=shape.WorktreeOut)
    @action(detail=True, methods=["post"], url_path="checkout/delete")
    def checkout_delete(self, request: Request, pk: str) -> Response:
        """Remove a working file or folder."""
        return self._change(request, pk, operations.delete_file, shape.PathIn)

    @extend_schema(request=shape.PathsIn, responses=shape.WorktreeOut)
    @action(detail=True, methods=["post"], url_path="checkout/discard")
    def checkout_discard(self, request: Request, pk: str) -> Response:
        """Bring files back to how the commit has them."""
        return self._change(request, pk, operations.discard_drafts, shape.PathsIn)

    @extend_schema(request=shape.SwitchIn, responses=shape.WorktreeOut)
    @action(detail=True, methods=["post"], url_path="checkout/switch")
    def checkout_switch(self, request: Request, pk: str) -> Response:
        """Stand on another branch (`create`: a new one, from here); `keep` leaves the changed files on theirs."""
        return self._change(request, pk, operations.switch_branch, shape.SwitchIn)

    @extend_schema(request=shape.BranchNameIn, responses=shape.WorktreeOut)
    @action(detail=True, methods=["post"], url_path="checkout/forget-branch")
    def checkout_forget_branch(self, request: Request, pk: str) -> Response:
        """Drop one of one's own branches that holds nothing of its own."""
        return self._change(request, pk, operations.forget_branch, shape.BranchNameIn)

    @extend_schema(request=shape.CommitIn, responses={201: shape.CommitOut})
    @action(detail=True, methods=["post"], url_path="checkout/commit")
    def checkout_commit(self, request: Request, pk: str) -> Response:
        """Commit the changed files (all without `paths`) in the caller's name."""
        wish, checkout = shape.CommitIn.parse(request), self._checkout(request, pk)
        return shape.CommitOut.response(operations.commit_drafts(actor=request.actor, checkout=checkout, **wish), 201)

    @extend_schema(request=None, responses=shape.WorktreeOut)
    @action(detail=True, methods=["post"], url_path="checkout/pull")
    def checkout_pull(self, request: Request, pk: str) -> Response:
        """Bring the shared branch's commits in: forward, or by a merge without conflicts."""
        return self._change(request, pk, operations.pull)

    @extend_schema(request=None, responses=shape.WorktreeOut)
    @action(detail=True, methods=["post"], url_path="checkout/push")
    def checkout_push(self, request: Request, pk: str) -> Response:
        """Give one's commits to everybody, never over somebody else's."""
        return self._change(request, pk, operations.push_branch)

    def _change(self, request: Request, pk: str, operation: Any, wish: Any = None) -> Response:
        asked = wish.parse(request) if wish else {}
        checkout = self._checkout(request, pk)
        operation(actor=request.actor, checkout=checkout, **asked)
        return shape.WorktreeOut.response(worktree.stand(checkout.repo, checkout))

    def _checkout(self, request: Request, pk: str) -> Checkout:
        repo = fetch(Repo, pk, actor=request.actor, needs=Level.EDIT)
        return queries.my_checkout(request.actor, repo)

    def _worktree(self, request: Request, pk: str) -> Worktree:
        repo = fetch(Repo, pk, actor=request.actor)
        return worktree.stand(repo, worktree.find_checkout(request.actor, repo))


def _content(wish: dict[str, Any]) -> bytes:
    if ("text" in wish) == ("content_base64" in wish):
        raise Invalid("Send `text`, or `content_base64` for what is not text.", fields={"text": "One of the two."})
    if "text" in wish:
        try:
            return str(wish["text"]).encode()
        except UnicodeEncodeError:
            raise Invalid(fields={"text": "It has half of a character pair, which no file can hold."}) from None
    try:
        return base64.b64decode(wish["content_base64"], validate=True)
    except (binascii.Error, ValueError):
        raise Invalid(fields={"content_base64": "Not base64."}) from None
