"""The API of experiments and runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.models import Resource
from apps.access.policy import fetch
from apps.experiments import ingest, operations, queries, rules
from apps.experiments import shapes as shape
from apps.experiments.experiment_search import search_experiments
from apps.experiments.models import Experiment, Run
from apps.experiments.outcome import require_done
from apps.experiments.search import ExperimentSearch, RunSearch, Stage
from apps.foundation.api import RoomViewSet, empty
from apps.foundation.errors import NotFound


@contextmanager
def _unnamed() -> Iterator[None]:
    """What is not there is answered in one sentence, without the id that was asked for."""
    try:
        yield
    except NotFound as error:
        error.message = NotFound.title
        raise


@extend_schema(tags=["experiments"])
class ExperimentViewSet(RoomViewSet):
    """Experiments."""

    serializer_class = shape.ExperimentOut

    @extend_schema(parameters=[shape.ExperimentsIn])
    def list(self, request: Request) -> Response:
        """The experiments that the caller may view, newest first; `text` is part of the name."""
        wish = shape.ExperimentsIn.parse(request)
        search = ExperimentSearch(
            stage=Stage(wish["stage"]), size=wish["page_size"], token=wish["page_token"], text=wish["text"]
        )
        return shape.ExperimentOut.page(search_experiments(request.actor, search))

    @extend_schema(request=shape.ExperimentIn)
    def create(self, request: Request) -> Response:
        """Make an experiment: in the folder `parent_id`, by a path (`/folder/name`), or by a plain name in one's own folder."""
        wish = shape.ExperimentIn.parse(request)
        if "parent_id" in wish:
            parent = fetch(Resource, wish.pop("parent_id"), actor=request.actor)
            made = operations.create_experiment(actor=request.actor, parent=parent, **wish)
        else:
            made = queries.create_by_name(request.actor, **wish)
        return shape.ExperimentOut.response(made, 201)

    def retrieve(self, request: Request, pk: str) -> Response:
        """One experiment, live or in the trash."""
        return shape.ExperimentOut.response(_experiment(request, pk))

    @extend_schema(request=shape.RenameIn)
    @action(detail=True, methods=["post"])
    def rename(self, request: Request, pk: str) -> Response:
        """Give it another name."""
        wish = shape.RenameIn.parse(request)
        found = operations.rename_experiment(actor=request.actor, experiment=_experiment(request, pk), **wish)
        return shape.ExperimentOut.response(found)

    @extend_schema(request=shape.TagsIn)
    @action(detail=True, methods=["post"], url_path="set-tags")
    def set_tags(self, request: Request, pk: str) -> Response:
        """Set tags."""
        wish = shape.TagsIn.parse(request)
        found = operations.set_experiment_tags(actor=request.actor, experiment=_experiment(request, pk), **wish)
        return shape.ExperimentOut.response(found)

    def destroy(self, request: Request, pk: str) -> Response:
        """Put it and its runs into the trash."""
        operations.delete_experiment(actor=request.actor, experiment=_experiment(request, pk))
        return empty()

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def restore(self, request: Request, pk: str) -> Response:
        """Take it and its runs out of the trash."""
        found = operations.restore_experiment(actor=request.actor, experiment=_experiment(request, pk))
        return shape.ExperimentOut.response(found)


@extend_schema(tags=["experiments"])
class RunViewSet(RoomViewSet):
    """Runs."""

    serializer_class = shape.RunOut

    @extend_schema(request=shape.SearchRunsIn)
    @action(detail=False, methods=["post"])
    def search(self, request: Request) -> Response:
        """Runs of experiments by number, filtered and ordered; experiments that the caller may not view count as empty."""
        wish = shape.SearchRunsIn.parse(request)
        search = RunSearch(
            experiments=tuple(sorted({int(number) for number in wish["experiments"]})),
            where=shape.comparisons(wish["where"]),
            order=shape.orders(wish["order"]),
            stage=Stage(wish["stage"]),
            size=wish["page_size"],
            token=wish["page_token"],
        )
        found = queries.show_runs(request.actor, rules.check_search(search))
        return shape.RunOut.page(found)

    @_unnamed()
    def retrieve(self, request: Request, pk: str) -> Response:
        """One run with its latest metrics, params and tags."""
        return shape.RunOut.response(queries.show_run(request.actor, pk))

    @extend_schema(parameters=[shape.PointsIn])
    @action(detail=True, methods=["get"])
    @_unnamed()
    def points(self, request: Request, pk: str) -> Response:
        """Points of one metric by step, thinned evenly to `size`; first and last are kept."""
        wish = shape.PointsIn.parse(request)
        (row,) = ingest.run_as(request.actor, ingest.sample(queries.run_uuid(pk), wish["key"], wish["size"]))
        require_done(row["code"], row["detail"], thing=pk)
        return Response({"points": orjson.loads(f"[{row['items'] or ''}]")})

    @extend_schema(responses=dict[str, Any])
    @action(detail=True, methods=["get"])
    @_unnamed()
    def receipt(self, request: Request, pk: str) -> Response:
        """What is known of how it was made, when a job made it."""
        found: Run = queries.get_run(request.actor, pk)
        return Response({"activity": found.activity, "receipt": found.receipt})

    @_unnamed()
    def destroy(self, request: Request, pk: str) -> Response:
        """Put it into the trash."""
        operations.delete_run(actor=request.actor, run=queries.get_run(request.actor, pk))
        return empty()

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    @_unnamed()
    def restore(self, request: Request, pk: str) -> Response:
        """Take it out of the trash."""
        operations.restore_run(actor=request.actor, run=queries.get_run(request.actor, pk))
        return shape.RunOut.response(queries.show_run(request.actor, pk))


def _experiment(request: Request, pk: str) -> Experiment:
    return fetch(Experiment, pk, actor=request.actor, trashed=None)
