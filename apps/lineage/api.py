"""The API of lineage: around a node, and the path between two."""

from __future__ import annotations

from dataclasses import asdict

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.foundation.api import In, RoomViewSet
from apps.lineage import queries
from apps.lineage.recorder import KINDS


class AroundIn(In):
    kind = serializers.ChoiceField(KINDS)
    id = serializers.CharField(max_length=200)
    version = serializers.CharField(max_length=64, required=False, default="")
    up = serializers.IntegerField(min_value=0, max_value=queries.DEPTH_MAX, default=5)
    down = serializers.IntegerField(min_value=0, max_value=queries.DEPTH_MAX, default=5)


class PathIn(In):
    from_kind = serializers.ChoiceField(KINDS)
    from_id = serializers.CharField(max_length=200)
    from_version = serializers.CharField(max_length=64, required=False, default="")
    to_kind = serializers.ChoiceField(KINDS)
    to_id = serializers.CharField(max_length=200)
    to_version = serializers.CharField(max_length=64, required=False, default="")


@extend_schema(tags=["lineage"])
class LineageGraphViewSet(RoomViewSet):
    """The lineage graph, redacted where the caller may not look."""

    serializer_class = AroundIn

    def list(self, request: Request) -> Response:
        """What lies up- and downstream of `kind`, `id` (and `version`; without it the newest)."""
        wish = AroundIn.parse(request)
        focus = queries.find_node(request.actor, wish["kind"], wish["id"], wish["version"])
        return _shown(queries.around(request.actor, focus, up=wish["up"], down=wish["down"]))

    @action(detail=False, methods=["get"])
    def path(self, request: Request) -> Response:
        """The shortest way from one node down to another; no nodes when there is none."""
        wish = PathIn.parse(request)
        ends = [
            queries.find_node(request.actor, wish[f"{end}_kind"], wish[f"{end}_id"], wish[f"{end}_version"])
            for end in ("from", "to")
        ]
        return _shown(queries.path_between(request.actor, *ends))


def _shown(graph: queries.Graph) -> Response:
    edges = [{"source": source, "target": target, "facts": facts} for source, target, facts in graph.edges]
    nodes = [asdict(node) for node in graph.nodes]
    return Response({"focus": graph.focus, "nodes": nodes, "edges": edges, "truncated": graph.truncated})
