"""The API of notices, watches, preferences and activity; all but activity are the caller's own."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.models import Resource
from apps.access.policy import fetch
from apps.access.queries import own_membership
from apps.foundation.api import RoomViewSet, empty
from apps.foundation.paging import map_page, page
from apps.notifications import activity, inbox, operations
from apps.notifications import shapes as shape


@extend_schema(tags=["notifications"])
class NoticeViewSet(RoomViewSet):
    """The caller's inbox."""

    serializer_class = shape.NoticeOut

    @extend_schema(parameters=[shape.NoticesIn])
    def list(self, request: Request) -> Response:
        """Notices, newest first: unread ones or all, of one kind."""
        notices = inbox.list_notices(request.actor, **shape.NoticesIn.parse(request))
        return shape.NoticeOut.page(page(notices, **self.paging(request)))

    @extend_schema(responses=shape.CountOut)
    @action(detail=False, methods=["get"])
    def unread(self, request: Request) -> Response:
        """How many are unread, counted up to a hundred."""
        return shape.CountOut.response({"count": inbox.count_unread(request.actor)})

    @extend_schema(request=shape.KindIn, responses=shape.CountOut)
    @action(detail=False, methods=["post"], url_path="read-all")
    def read_all(self, request: Request) -> Response:
        """Mark all read, or all of one kind; answers how many were not."""
        wish = shape.KindIn.parse(request)
        return shape.CountOut.response({"count": inbox.mark_all_read(request.actor, **wish)})

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def read(self, request: Request, pk: str) -> Response:
        """Mark one read."""
        notice = inbox.get_notice(request.actor, pk)
        return shape.NoticeOut.response(inbox.mark(request.actor, notice, read=True))

    @extend_schema(request=None)
    @action(detail=True, methods=["post"], url_path="mark-unread")
    def mark_unread(self, request: Request, pk: str) -> Response:
        """Mark one unread."""
        notice = inbox.get_notice(request.actor, pk)
        return shape.NoticeOut.response(inbox.mark(request.actor, notice, read=False))


@extend_schema(tags=["notifications"])
class WatchViewSet(RoomViewSet):
    """What the caller watches."""

    serializer_class = shape.WatchOut

    def list(self, request: Request) -> Response:
        """Watches, newest first."""
        return shape.WatchOut.page(page(inbox.list_watches(request.actor), **self.paging(request)))

    @extend_schema(request=shape.WatchIn)
    def create(self, request: Request) -> Response:
        """Watch a resource, or mute it."""
        wish = shape.WatchIn.parse(request)
        resource = fetch(Resource, wish["resource_id"], actor=request.actor)
        act = operations.unwatch if wish["muted"] else operations.watch
        return shape.WatchOut.response(act(actor=request.actor, resource=resource), 201)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Forget a watch, by the id of its resource."""
        operations.forget_watch(actor=request.actor, watch=inbox.get_watch(request.actor, pk))
        return empty()


@extend_schema(tags=["notifications"])
class PreferenceViewSet(RoomViewSet):
    """What the caller wants to be told."""

    serializer_class = shape.PreferencesOut

    @extend_schema(responses=shape.PreferencesOut)
    def list(self, request: Request) -> Response:
        """The kinds of notice that are off, and those that come by mail."""
        return shape.PreferencesOut.response(inbox.preferences(request.actor))

    @extend_schema(request=shape.PreferencesIn, responses=shape.PreferencesOut)
    def create(self, request: Request) -> Response:
        """Choose both."""
        wish = shape.PreferencesIn.parse(request)
        mine = own_membership(request.actor)
        return shape.PreferencesOut.response(operations.set_preferences(actor=request.actor, membership=mine, **wish))


@extend_schema(tags=["notifications"])
class ActivityViewSet(RoomViewSet):
    """What was done, in words."""

    serializer_class = shape.DeedOut

    @extend_schema(parameters=[shape.ActivityIn])
    def list(self, request: Request) -> Response:
        """Changes of what the caller may view, newest first: of one resource, by one account, about one kind."""
        wish = shape.ActivityIn.parse(request)
        resource_id = wish.get("resource_id")
        resource = fetch(Resource, resource_id, actor=request.actor) if resource_id else None
        found = activity.list_activity(
            request.actor, resource=resource, person=wish.get("person_id"), kind=wish.get("kind", "")
        )
        rows = page(found, order=("-id",), **self.paging(request))
        return shape.DeedOut.page(map_page(rows, activity.plain))
