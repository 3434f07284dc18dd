"""The API of threads and comments."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.models import Resource
from apps.access.policy import fetch
from apps.comments import operations, queries
from apps.comments import shapes as shape
from apps.comments.models import Comment, Thread
from apps.foundation.api import RoomViewSet, empty
from apps.foundation.paging import page


@extend_schema(tags=["comments"])
class ThreadViewSet(RoomViewSet):
    """Threads on resources and on places in them."""

    serializer_class = shape.ThreadOut

    @extend_schema(parameters=[shape.ThreadsIn])
    def list(self, request: Request) -> Response:
        """Threads on what the caller may view, newest activity first; of one resource (`resource_id`), at one place (`path`)."""
        wish = shape.ThreadsIn.parse(request)
        resource_id = wish.pop("resource_id", None)
        resource = fetch(Resource, resource_id, actor=request.actor) if resource_id else None
        threads = queries.list_threads(request.actor, resource=resource, **wish)
        return shape.ThreadOut.page(page(threads, order=("-active_at", "-id"), **self.paging(request)))

    @extend_schema(request=shape.ThreadIn, responses={201: shape.CommentOut})
    def create(self, request: Request) -> Response:
        """Begin a thread; answers with its first comment."""
        wish = shape.ThreadIn.parse(request)
        resource = fetch(Resource, wish.pop("resource_id"), actor=request.actor)
        return shape.CommentOut.response(operations.start_thread(actor=request.actor, resource=resource, **wish), 201)

    def retrieve(self, request: Request, pk: str) -> Response:
        """One thread."""
        return shape.ThreadOut.response(fetch(Thread, pk, actor=request.actor))

    @extend_schema(responses=shape.CommentOut(many=True))
    @action(detail=True, methods=["get"])
    def comments(self, request: Request, pk: str) -> Response:
        """The comments of a thread, oldest first."""
        rows = queries.list_comments(fetch(Thread, pk, actor=request.actor))
        return shape.CommentOut.page(page(rows, order=("created_at", "id"), **self.paging(request)))

    @extend_schema(request=shape.TextIn, responses={201: shape.CommentOut})
    @action(detail=True, methods=["post"])
    def reply(self, request: Request, pk: str) -> Response:
        """Answer in a thread."""
        wish = shape.TextIn.parse(request)
        thread = fetch(Thread, pk, actor=request.actor)
        return shape.CommentOut.response(operations.reply(actor=request.actor, thread=thread, **wish), 201)

    @extend_schema(request=shape.ReasonIn)
    @action(detail=True, methods=["post"])
    def resolve(self, request: Request, pk: str) -> Response:
        """Close a thread."""
        wish = shape.ReasonIn.parse(request)
        thread = fetch(Thread, pk, actor=request.actor)
        return shape.ThreadOut.response(operations.resolve(actor=request.actor, thread=thread, **wish))

    @extend_schema(request=shape.ReasonIn)
    @action(detail=True, methods=["post"])
    def reopen(self, request: Request, pk: str) -> Response:
        """Open a resolved thread again."""
        wish = shape.ReasonIn.parse(request)
        thread = fetch(Thread, pk, actor=request.actor)
        return shape.ThreadOut.response(operations.reopen(actor=request.actor, thread=thread, **wish))


@extend_schema(tags=["comments"])
class CommentViewSet(RoomViewSet):
    """Single comments."""

    serializer_class = shape.CommentOut

    def retrieve(self, request: Request, pk: str) -> Response:
        """One comment."""
        return shape.CommentOut.response(fetch(Comment, pk, actor=request.actor))

    @extend_schema(request=shape.TextIn)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Say one's own comment anew."""
        wish = shape.TextIn.parse(request)
        comment = fetch(Comment, pk, actor=request.actor)
        return shape.CommentOut.response(operations.edit_comment(actor=request.actor, comment=comment, **wish))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Take a comment back; its place stays."""
        operations.delete_comment(actor=request.actor, comment=fetch(Comment, pk, actor=request.actor))
        return empty()

    @extend_schema(responses=shape.EarlierOut(many=True))
    @action(detail=True, methods=["get"])
    def history(self, request: Request, pk: str) -> Response:
        """What a comment said before it was edited, newest first."""
        rows = fetch(Comment, pk, actor=request.actor).earlier.all()
        return shape.EarlierOut.page(page(rows, order=("-written_at", "-id"), **self.paging(request)))

    @extend_schema(request=shape.ReactionIn)
    @action(detail=True, methods=["post"])
    def react(self, request: Request, pk: str) -> Response:
        """Put a sign under a comment."""
        wish = shape.ReactionIn.parse(request)
        comment = fetch(Comment, pk, actor=request.actor)
        return shape.CommentOut.response(operations.react(actor=request.actor, comment=comment, **wish))

    @extend_schema(request=shape.ReactionIn)
    @action(detail=True, methods=["post"])
    def unreact(self, request: Request, pk: str) -> Response:
        """Take one's own sign away."""
        wish = shape.ReactionIn.parse(request)
        comment = fetch(Comment, pk, actor=request.actor)
        return shape.CommentOut.response(operations.unreact(actor=request.actor, comment=comment, **wish))
