"""The API of the registry: models with versions, gates, aliases and history; versions with their stage."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.policy import fetch
from apps.experiments.search import Comparison, Entity, Operator
from apps.foundation.api import RoomViewSet, empty
from apps.foundation.ids import parse_id
from apps.foundation.paging import Page, page
from apps.registry import gates, operations, queries, requests, transitions
from apps.registry import shapes as shape
from apps.registry.models import ModelVersion, RegisteredModel, TransitionRequest
from apps.registry.names import check_model_name
from apps.registry.search import RegistrySearch, find_models


def model_of(actor: Actor, key: str, needs: Level = Level.VIEW, *, trashed: bool = False) -> RegisteredModel:
    """The model of an id or a name."""
    if trashed or parse_id(key):
        return fetch(RegisteredModel, key, actor=actor, needs=needs, trashed=trashed)
    return queries.get_model(actor, key, needs)


@extend_schema(tags=["registry"])
class RegisteredModelViewSet(RoomViewSet):
    """Registered models; `{id}` is an id or a name."""

    serializer_class = shape.ModelOut

    def list(self, request: Request) -> Response:
        """Models that the caller may see, by name; `name` narrows to those whose name contains it."""
        where = ()
        if words := request.query_params.get("name"):
            pattern = "%" + words.replace("%", "").replace("_", "") + "%"
            where = (Comparison(Entity.ATTRIBUTE, "name", Operator.ILIKE, pattern),)
        found = find_models(request.actor, RegistrySearch(where, **self.paging(request)))
        gates.attach(found.items)
        return shape.ModelOut.page(found)

    def create(self, request: Request) -> Response:
        """Make a model."""
        wish = shape.CreateModelIn.parse(request)
        home = queries.home_of(request.actor, check_model_name(wish["name"]))
        return shape.ModelOut.response(operations.create_model(actor=request.actor, home=home, **wish), 201)

    def retrieve(self, request: Request, pk: str) -> Response:
        """One model."""
        return shape.ModelOut.response(model_of(request.actor, pk))

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a model's description."""
        wish = shape.DescriptionIn.parse(request)
        model = model_of(request.actor, pk)
        return shape.ModelOut.response(operations.update_model(actor=request.actor, model=model, **wish))

    def destroy(self, request: Request, pk: str) -> Response:
        """Put a model in the trash."""
        operations.delete_model(actor=request.actor, model=model_of(request.actor, pk))
        return empty()

    @action(detail=True, methods=["post"])
    def restore(self, request: Request, pk: str) -> Response:
        """Take a model out of the trash, by its id."""
        model = model_of(request.actor, pk, trashed=True)
        return shape.ModelOut.response(operations.restore_model(actor=request.actor, model=model))

    @action(detail=True, methods=["post"])
    def rename(self, request: Request, pk: str) -> Response:
        """Give a model another name."""
        wish = shape.RenameIn.parse(request)
        model = model_of(request.actor, pk)
        return shape.ModelOut.response(operations.rename_model(actor=request.actor, model=model, **wish))

    @action(detail=True, methods=["post"], url_path="set-gate")
    def set_gate(self, request: Request, pk: str) -> Response:
        """Say who moves versions in and out of Staging or Production: a level, gatekeepers, and whether it takes two people."""
        wish = shape.GateIn.parse(request)
        model = model_of(request.actor, pk)
        return shape.ModelOut.response(transitions.set_gate(actor=request.actor, model=model, **wish))

    @action(detail=True, methods=["post"], url_path="roll-back")
    def roll_back(self, request: Request, pk: str) -> Response:
        """Put the version that was in Production before back there; `version` is the one that the caller expects."""
        wish = shape.RollBackIn.parse(request)
        model = model_of(request.actor, pk)
        to = queries.numbered(model, wish["version"])
        return shape.VersionOut.response(
            transitions.roll_back(actor=request.actor, model=model, to=to, comment=wish["comment"])
        )

    @action(detail=True, methods=["get"], url_path="transition-requests")
    def transition_requests(self, request: Request, pk: str) -> Response:
        """What was asked about its versions, newest first; `state` narrows."""
        rows = requests.in_state(requests.requests_of(model_of(request.actor, pk)), request.query_params.get("state"))
        return _requests(request, page(rows, order=("-created_at", "-id"), **self.paging(request)))

    @action(detail=True, methods=["post"], url_path="set-tag")
    def set_tag(self, request: Request, pk: str) -> Response:
        """Note something about a model."""
        wish = shape.TagIn.parse(request)
        model = model_of(request.actor, pk)
        return shape.ModelOut.response(operations.set_model_tag(actor=request.actor, model=model, **wish))

    @action(detail=True, methods=["post"], url_path="delete-tag")
    def delete_tag(self, request: Request, pk: str) -> Response:
        """Take a tag off."""
        wish = shape.TagKeyIn.parse(request)
        model = model_of(request.actor, pk)
        return shape.ModelOut.response(operations.delete_model_tag(actor=request.actor, model=model, **wish))

    @action(detail=True, methods=["get"])
    def versions(self, request: Request, pk: str) -> Response:
        """Its versions, newest first."""
        rows = queries.versions_of(model_of(request.actor, pk))
        found = page(rows, order=("-version",), **self.paging(request))
        queries.attach_aliases(found.items)
        return shape.VersionOut.page(found)

    @versions.mapping.post
    def create_version(self, request: Request, pk: str) -> Response:
        """Register a run's model, a logged model or another version as the next version."""
        wish = shape.CreateVersionIn.parse(request)
        model = model_of(request.actor, pk)
        return shape.VersionOut.response(operations.create_version(actor=request.actor, model=model, **wish), 201)

    @action(detail=True, methods=["get"], url_path="stage-history")
    def stage_history(self, request: Request, pk: str) -> Response:
        """Which version was in which stage from when to when, newest first."""
        rows = queries.stage_history(model_of(request.actor, pk))
        return shape.StagePeriodOut.page(page(rows, order=("-valid_from", "-id"), **self.paging(request)))

    @action(detail=True, methods=["get"])
    def aliases(self, request: Request, pk: str) -> Response:
        """Which version had which alias from when to when, newest first."""
        rows = queries.alias_history(model_of(request.actor, pk))
        return shape.AliasOut.page(page(rows, order=("-valid_from", "-id"), **self.paging(request)))

    @action(detail=True, methods=["post"], url_path="set-alias")
    def set_alias(self, request: Request, pk: str) -> Response:
        """Point an alias at a version."""
        wish = shape.AliasIn.parse(request)
        model = model_of(request.actor, pk)
        version = queries.numbered(model, wish["version"])
        return shape.VersionOut.response(
            operations.set_alias(actor=request.actor, model=model, alias=wish["alias"], version=version)
        )

    @action(detail=True, methods=["post"], url_path="delete-alias")
    def delete_alias(self, request: Request, pk: str) -> Response:
        """Take an alias away."""
        wish = shape.AliasNameIn.parse(request)
        operations.delete_alias(actor=request.actor, model=model_of(request.actor, pk), **wish)
        return empty()


@extend_schema(tags=["registry"])
class ModelVersionViewSet(RoomViewSet):
    """Versions of registered models, by id."""

    serializer_class = shape.VersionOut

    def retrieve(self, request: Request, pk: str) -> Response:
        """One version, with what its MLmodel file says."""
        return shape.VersionOut.response(self._version(request, pk))

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a version's description."""
        wish = shape.DescriptionIn.parse(request)
        version = self._version(request, pk)
        return shape.VersionOut.response(
            operations.update_version(actor=request.actor, model=version.model, version=version, **wish)
        )

    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a version; its number never comes again."""
        version = self._version(request, pk)
        operations.delete_version(actor=request.actor, model=version.model, version=version)
        return empty()

    @action(detail=True, methods=["post"], url_path="move-to-stage")
    def move_to_stage(self, request: Request, pk: str) -> Response:
        """Put a version in a stage."""
        wish = shape.MoveToStageIn.parse(request)
        version = self._version(request, pk)
        return shape.VersionOut.response(
            operations.move_to_stage(actor=request.actor, model=version.model, version=version, **wish)
        )

    @action(detail=True, methods=["post"], url_path="set-tag")
    def set_tag(self, request: Request, pk: str) -> Response:
        """Note something about a version."""
        wish = shape.TagIn.parse(request)
        version = self._version(request, pk)
        return shape.VersionOut.response(
            operations.set_version_tag(actor=request.actor, model=version.model, version=version, **wish)
        )

    @action(detail=True, methods=["post"], url_path="delete-tag")
    def delete_tag(self, request: Request, pk: str) -> Response:
        """Take a tag off."""
        wish = shape.TagKeyIn.parse(request)
        version = self._version(request, pk)
        return shape.VersionOut.response(
            operations.delete_version_tag(actor=request.actor, model=version.model, version=version, **wish)
        )

    @action(detail=True, methods=["get"], url_path="transition-requests")
    def transition_requests(self, request: Request, pk: str) -> Response:
        """What was asked about this version, newest first; `state` narrows."""
        version = self._version(request, pk)
        rows = requests.requests_of(version.model).filter(version=version)
        rows = requests.in_state(rows, request.query_params.get("state"))
        return _requests(request, page(rows, order=("-created_at", "-id"), **self.paging(request)))

    @transition_requests.mapping.post
    def request_transition(self, request: Request, pk: str) -> Response:
        """Ask that this version is moved to a stage."""
        wish = shape.RequestTransitionIn.parse(request)
        version = self._version(request, pk)
        asked = transitions.request_transition(actor=request.actor, model=version.model, version=version, **wish)
        return _request(request, asked, 201)

    def _version(self, request: Request, pk: str) -> ModelVersion:
        return queries.get_version_by_id(request.actor, pk)


@extend_schema(tags=["registry"])
class TransitionRequestViewSet(RoomViewSet):
    """Requests to move versions to stages."""

    serializer_class = shape.TransitionRequestOut

    def list(self, request: Request) -> Response:
        """Requests that wait for the caller's answer, newest first, at most 100."""
        return _requests(request, Page(requests.waiting_for(request.actor, 100), None))

    def retrieve(self, request: Request, pk: str) -> Response:
        """One request."""
        return _request(request, requests.get_request(request.actor, pk))

    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: str) -> Response:
        """Approve it and move the version."""
        wish = shape.ApproveIn.parse(request)
        asked = requests.get_request(request.actor, pk)
        model = asked.version.model
        return _request(
            request, transitions.approve_transition(actor=request.actor, model=model, request=asked, **wish)
        )

    @action(detail=True, methods=["post"])
    def reject(self, request: Request, pk: str) -> Response:
        """Turn it down."""
        wish = shape.AnswerIn.parse(request)
        asked = requests.get_request(request.actor, pk)
        model = asked.version.model
        return _request(request, transitions.reject_transition(actor=request.actor, model=model, request=asked, **wish))

    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Take one's own request back."""
        wish = shape.AnswerIn.parse(request)
        asked = requests.get_request(request.actor, pk)
        model = asked.version.model
        return _request(request, transitions.cancel_transition(actor=request.actor, model=model, request=asked, **wish))


def _request(request: Request, asked: TransitionRequest, status: int = 200) -> Response:
    context = {"answers": requests.answers_of(request.actor, [asked])}
    return Response(shape.TransitionRequestOut(asked, context=context).data, status=status)


def _requests(request: Request, found: Page[TransitionRequest]) -> Response:
    context = {"answers": requests.answers_of(request.actor, found.items)}
    items = shape.TransitionRequestOut(found.items, many=True, context=context).data
    return Response({"items": items, "next_token": found.next_token})
