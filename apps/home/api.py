"""The API of home: one's stars, and what one opened lately."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.policy import fetch
from apps.foundation.api import In, Out, RoomViewSet, empty
from apps.foundation.paging import page
from apps.home import operations, queries


class StarOut(Out):
    resource_id = serializers.UUIDField()
    kind = serializers.CharField(source="resource.kind")
    name = serializers.CharField(source="resource.name")
    path = serializers.CharField(source="resource.path")
    created_at = serializers.DateTimeField()


class RecentOut(Out):
    resource_id = serializers.UUIDField()
    kind = serializers.CharField(source="resource.kind")
    name = serializers.CharField(source="resource.name")
    path = serializers.CharField(source="resource.path")
    seen_at = serializers.DateTimeField()


class StarIn(In):
    resource_id = serializers.UUIDField()


@extend_schema(tags=["home"])
class StarViewSet(RoomViewSet):
    """What the caller keeps within reach."""

    serializer_class = StarOut

    def list(self, request: Request) -> Response:
        """The caller's stars, newest first."""
        stars = queries.list_stars(request.actor)
        return StarOut.page(page(stars, order=("-created_at", "-id"), **self.paging(request)))

    @extend_schema(request=StarIn)
    def create(self, request: Request) -> Response:
        """Star a thing; starring twice changes nothing."""
        wish = StarIn.parse(request)
        resource = fetch(Resource, wish["resource_id"], actor=request.actor, needs=Level.DISCOVER)
        return StarOut.response(operations.star(actor=request.actor, resource=resource), 201)

    def destroy(self, request: Request, pk: str) -> Response:
        """Take the star off a thing, named by its resource id."""
        resource = fetch(Resource, pk, actor=request.actor, needs=Level.DISCOVER)
        operations.unstar(actor=request.actor, resource=resource)
        return empty()


@extend_schema(tags=["home"])
class RecentViewSet(RoomViewSet):
    """What the caller opened lately."""

    serializer_class = RecentOut

    def list(self, request: Request) -> Response:
        """Things whose pages the caller opened, newest first, to within some minutes."""
        recents = queries.list_recents(request.actor)
        return RecentOut.page(page(recents, order=("-seen_at", "-id"), **self.paging(request)))
