"""The API of endpoints."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access import queries as access
from apps.access.levels import Level
from apps.deployments import logs, operations, queries
from apps.deployments import shapes as shape
from apps.deployments.models import Endpoint
from apps.foundation.api import RoomViewSet, empty
from apps.foundation.paging import Page, page


@extend_schema(tags=["deployments"])
class EndpointViewSet(RoomViewSet):
    """Endpoints: addresses that answer with a model's predictions. `{id}` may be the name."""

    serializer_class = shape.EndpointOut

    def list(self, request: Request) -> Response:
        """The endpoints that the caller may view."""
        found = queries.list_endpoints(request.actor)
        return shape.EndpointOut.page(page(found, order=("-resource__created_at", "-pk"), **self.paging(request)))

    @extend_schema(request=shape.EndpointIn, responses=shape.EndpointDetailOut)
    def create(self, request: Request) -> Response:
        """Make an endpoint; it starts at once. In a folder (`parent_id` or `parent_path`; without both, at the top)."""
        wish = shape.EndpointIn.parse(request)
        parent = access.find_parent(request.actor, wish.pop("parent_id", None), wish.pop("parent_path", None))
        wish["model"] = operations.get_model(wish["model"])
        return self._shown(operations.create_endpoint(actor=request.actor, parent=parent, **wish), 201)

    @extend_schema(responses=shape.EndpointDetailOut)
    def retrieve(self, request: Request, pk: str) -> Response:
        """One endpoint, with its configuration and what it serves."""
        return self._shown(self._endpoint(request, pk))

    def destroy(self, request: Request, pk: str) -> Response:
        """Put an endpoint in the trash; its inference table stays."""
        operations.delete_endpoint(actor=request.actor, endpoint=self._endpoint(request, pk))
        return empty()

    @extend_schema(request=shape.TargetIn, responses=shape.EndpointDetailOut)
    @action(detail=True, methods=["post"], url_path="update-config")
    def update_config(self, request: Request, pk: str) -> Response:
        """Serve something else; what serves now answers until the new is ready."""
        wish = shape.TargetIn.parse(request)
        endpoint = self._endpoint(request, pk)
        wish["model"] = operations.get_model(wish["model"])
        return self._shown(operations.update_config(actor=request.actor, endpoint=endpoint, **wish))

    @extend_schema(request=None, responses=shape.EndpointDetailOut)
    @action(detail=True, methods=["post"])
    def start(self, request: Request, pk: str) -> Response:
        """Start a stopped endpoint, or try again what failed."""
        return self._shown(operations.start_endpoint(actor=request.actor, endpoint=self._endpoint(request, pk)))

    @extend_schema(request=None, responses=shape.EndpointDetailOut)
    @action(detail=True, methods=["post"])
    def stop(self, request: Request, pk: str) -> Response:
        """Stop answering."""
        return self._shown(operations.stop_endpoint(actor=request.actor, endpoint=self._endpoint(request, pk)))

    @extend_schema(responses=shape.ConfigOut(many=True))
    @action(detail=True, methods=["get"])
    def configs(self, request: Request, pk: str) -> Response:
        """What it was told to serve, from when to when."""
        found = queries.list_configs(self._endpoint(request, pk))
        return shape.ConfigOut.page(page(found, order=("-number",), **self.paging(request)))

    @extend_schema(responses=shape.ServedOut(many=True))
    @action(detail=True, methods=["get"])
    def served(self, request: Request, pk: str) -> Response:
        """Every version that it served or tried to."""
        found = queries.list_served(self._endpoint(request, pk))
        return shape.ServedOut.page(page(found, order=("-made_at", "-pk"), **self.paging(request)))

    @extend_schema(responses=shape.ReplicaOut(many=True))
    @action(detail=True, methods=["get"])
    def replicas(self, request: Request, pk: str) -> Response:
        """The replicas that are alive, and the last few that are not."""
        return shape.ReplicaOut.page(Page(queries.list_replicas(self._endpoint(request, pk)), None))

    @extend_schema(responses=shape.TailOut)
    @action(detail=True, methods=["get"])
    def requests(self, request: Request, pk: str) -> Response:
        """The newest requests in the inference table; `hidden` and none for those who may not view that table."""
        return shape.TailOut.response(logs.tail(request.actor, self._endpoint(request, pk)))

    @extend_schema(responses=shape.FiguresOut)
    @action(detail=True, methods=["get"])
    def figures(self, request: Request, pk: str) -> Response:
        """What it answered in the last hour, by the minute."""
        return shape.FiguresOut.response(queries.figures(self._endpoint(request, pk)))

    @extend_schema(responses={200: {"type": "object", "properties": {"text": {"type": "string"}}}})
    @action(detail=True, methods=["get"])
    def log(self, request: Request, pk: str) -> Response:
        """The end of what the newest replica printed, for those who may edit the endpoint."""
        return Response({"text": queries.service_log(self._endpoint(request, pk, Level.EDIT))})

    def _endpoint(self, request: Request, pk: str, needs: Level = Level.VIEW) -> Endpoint:
        return queries.get_endpoint(request.actor, pk, needs=needs)

    def _shown(self, endpoint: Endpoint, status: int = 200) -> Response:
        return shape.EndpointDetailOut.response(queries.describe(endpoint), status)
