"""The API of jobs and their runs, and what guests say of the run that they are."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.policy import fetch, fetch_path
from apps.access.resources import root_resource
from apps.foundation.api import RoomViewSet
from apps.foundation.errors import Invalid
from apps.foundation.paging import page
from apps.jobs import ingest, logs, operations, queries
from apps.jobs import shapes as shape
from apps.jobs.models import Job, JobRun


@extend_schema(tags=["jobs"])
class JobViewSet(RoomViewSet):
    """Jobs."""

    serializer_class = shape.JobOut

    def list(self, request: Request) -> Response:
        """The jobs that the caller may view."""
        order = ("-resource__updated_at", "-pk")
        return shape.JobOut.page(page(queries.list_jobs(request.actor), order=order, **self.paging(request)))

    @extend_schema(request=shape.JobIn)
    def create(self, request: Request) -> Response:
        """Make a job that runs a script of a repository (`source_id` or `source_path`)."""
        wish = shape.JobIn.parse(request)
        parent = (
            _find(request.actor, "folder", wish.pop("parent_id", None), wish.pop("parent_path", None))
            or root_resource()
        )
        source = _find(request.actor, "repo", wish.pop("source_id", None), wish.pop("source_path", None))
        if source is None:
            raise Invalid(fields={"source_id": "Name the repository by source_id or source_path."})
        own = {name: wish.pop(name) for name in ("name", "script", "description") if name in wish}
        job = operations.create_job(actor=request.actor, parent=parent, source=source, settings=wish, **own)
        return shape.JobOut.response(job, 201)

    def retrieve(self, request: Request, pk: str) -> Response:
        """One job."""
        return shape.JobOut.response(fetch(Job, pk, actor=request.actor))

    @extend_schema(request=shape.JobChangeIn)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change what a job runs and how."""
        wish = shape.JobChangeIn.parse(request)
        job = fetch(Job, pk, actor=request.actor)
        source = _find(request.actor, "repo", wish.pop("source_id", None), None)
        return shape.JobOut.response(operations.update_job(actor=request.actor, job=job, source=source, settings=wish))

    @extend_schema(request=shape.RunIn, responses=shape.JobRunOut)
    @action(detail=True, methods=["post"])
    def run(self, request: Request, pk: str) -> Response:
        """Queue a run, with parameters; `ref` for another branch, tag or commit than the job's. Takes an Idempotency-Key."""
        wish = shape.RunIn.parse(request)
        job = fetch(Job, pk, actor=request.actor)
        return shape.JobRunOut.response(operations.run_job(actor=request.actor, job=job, **wish), 201)


@extend_schema(tags=["jobs"])
class JobRunViewSet(RoomViewSet):
    """Job runs."""

    serializer_class = shape.JobRunOut

    @extend_schema(parameters=[shape.RunsIn])
    def list(self, request: Request) -> Response:
        """Runs, newest first; of one job, in one state."""
        wish = shape.RunsIn.parse(request)
        job = fetch(Job, wish["job_id"], actor=request.actor) if wish.get("job_id") else None
        return shape.JobRunOut.page(page(queries.list_runs(request.actor, job, wish["state"]), **self.paging(request)))

    def retrieve(self, request: Request, pk: str) -> Response:
        """One run."""
        return shape.JobRunOut.response(fetch(JobRun, pk, actor=request.actor))

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Stop a run."""
        run = fetch(JobRun, pk, actor=request.actor)
        return shape.JobRunOut.response(operations.cancel_run(actor=request.actor, run=run))

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Try a run that did not succeed once more."""
        run = fetch(JobRun, pk, actor=request.actor)
        return shape.JobRunOut.response(operations.retry_run(actor=request.actor, run=run))

    @extend_schema(responses=shape.AttemptOut)
    @action(detail=True, methods=["get"])
    def attempts(self, request: Request, pk: str) -> Response:
        """The attempts of a run."""
        run = fetch(JobRun, pk, actor=request.actor)
        return shape.AttemptOut.page(page(run.attempts.all(), order=("number",), **self.paging(request)))

    @extend_schema(parameters=[shape.LogIn], responses=shape.LogOut)
    @action(detail=True, methods=["get"])
    def log(self, request: Request, pk: str) -> Response:
        """The log from a byte offset on; ask again from `next_offset` until `is_complete`.

        `wait`: hold the answer back for at most so many seconds until there is something new.
        """
        wish = shape.LogIn.parse(request)
        run = fetch(JobRun, pk, actor=request.actor)
        return shape.LogOut.response(logs.read_log(queries.get_attempt(run, wish.get("attempt")), wish["offset"]))

    @extend_schema(responses=shape.ReceiptOut)
    @action(detail=True, methods=["get"])
    def receipt(self, request: Request, pk: str) -> Response:
        """What the run was made of: commit, parameters, environment, person."""
        return shape.ReceiptOut.response(queries.receipt(fetch(JobRun, pk, actor=request.actor).pk))


@extend_schema(tags=["guest"])
class GuestViewSet(RoomViewSet):
    """What a guest says of the job run that it is, with the run's own key; each message is safe to repeat."""

    serializer_class = shape.GuestIn

    @action(detail=False, methods=["get"])
    def context(self, request: Request) -> Response:
        """What this run is."""
        return Response(queries.context(ingest.attempt_of(request.actor)))

    @extend_schema(request=shape.GuestLogIn)
    @action(detail=False, methods=["post"])
    def log(self, request: Request) -> Response:
        """Output from a byte offset on, base64; the answer says how many bytes are kept."""
        wish = shape.GuestLogIn.parse(request)
        try:
            content = base64.b64decode(wish["content"], validate=True)
        except binascii.Error:
            raise Invalid(fields={"content": "Not base64."}) from None
        return Response(
            {"next_offset": ingest.append_output(ingest.attempt_of(request.actor), wish["offset"], content)}
        )

    @extend_schema(request=shape.HeartbeatIn)
    @action(detail=False, methods=["post"])
    def heartbeat(self, request: Request) -> Response:
        """A sign of life; the answer says whether to stop."""
        wish = shape.HeartbeatIn.parse(request)
        return Response(ingest.beat(request.actor, ingest.attempt_of(request.actor), wish.get("usage", {})))

    @extend_schema(request=shape.FinishIn)
    @action(detail=False, methods=["post"])
    def finish(self, request: Request) -> Response:
        """How the script ended."""
        wish = shape.FinishIn.parse(request)
        ingest.tell_end(ingest.attempt_of(request.actor), wish["exit_code"])
        return Response({})


def _find(actor: Any, kind: str, id: Any, path: str | None) -> Resource | None:
    if id:
        return fetch(Resource, id, actor=actor, needs=Level.DISCOVER)
    if path and path != "/":
        return fetch_path(Resource, kind, path, actor=actor, needs=Level.DISCOVER)
    return None
