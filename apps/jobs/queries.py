"""Reads of jobs: lists, logs by byte and by line, and the receipt of a run."""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.db.models import F, OuterRef, Subquery, Window
from django.db.models.functions import RowNumber

from apps.access.actor import Actor
from apps.access.models import Resource
from apps.access.policy import visible
from apps.foundation.clock import now
from apps.foundation.errors import NotFound
from apps.jobs.lifecycle import ACTIVE, State
from apps.jobs.models import Attempt, Job, JobRun, LogChunk
from apps.jobs.sources import kinds_of_source

LOG_BYTES = 256 << 10
LOG_LINES = 1000
HISTORY = 20
_LEVEL = re.compile(r"\b(?:CRITICAL|ERROR|WARNING|WARN|INFO|DEBUG)\b")


@dataclass(frozen=True)
class LogPiece:
    """A piece of a log as text; `next_offset` is where to go on, `is_complete` says that nothing will follow it."""

    attempt: int
    offset: int
    next_offset: int
    content: str
    is_complete: bool


@dataclass(frozen=True)
class LogLine:
    """One line of a log: its number, counted from 1, when it arrived, its text."""

    n: int
    at: datetime
    text: str

    @property
    def level(self) -> str:
        """ERROR, WARN, INFO or DEBUG when the line names one near its beginning."""
        match = _LEVEL.search(self.text[:80])
        return {"WARNING": "WARN", "CRITICAL": "FATAL"}.get(match[0], match[0]) if match else ""


@dataclass(frozen=True)
class History:
    """A job with its newest runs: `bars` are (state, seconds), oldest first; `usual_seconds` is the middle one that succeeded."""

    job: Job
    last: JobRun | None
    bars: list[tuple[str, float]]
    usual_seconds: float | None


@dataclass(frozen=True)
class Receipt:
    """What a job run was made of: the proof that a run, table version or model made by it carries."""

    run_id: str
    name: str
    state: str
    source_path: str
    commit: str
    patch: str | None
    script: str
    parameters: dict[str, Any]
    environment_digest: str
    environment_lock: str
    user: str
    log_url: str
    started_at: datetime | None
    ended_at: datetime | None


def list_jobs(actor: Actor) -> models.QuerySet[Job]:
    """The jobs that the actor may view."""
    return visible(Job, actor).select_related("resource", "resource__owner", "resource__workspace", "source")


def list_runs(actor: Actor, job: Job | None = None, state: str = "") -> models.QuerySet[JobRun]:
    """Runs of jobs that the actor may view."""
    runs = visible(JobRun, actor).select_related("job__resource", "user", "source", "environment_used")
    if job is not None:
        runs = runs.filter(job=job)
    return runs.filter(state=state) if state else runs


def with_last_state(jobs: models.QuerySet[Job]) -> models.QuerySet[Job]:
    """The same jobs with `last_state`, the state of the newest run."""
    newest = JobRun.objects.filter(job=OuterRef("pk")).order_by("-number").values("state")[:1]
    return jobs.annotate(last_state=Subquery(newest))


def with_history(jobs: Sequence[Job]) -> list[History]:
    """Each job with its newest runs, in one query."""
    rank = Window(RowNumber(), partition_by=F("job"), order_by=F("number").desc())
    rows = (
        JobRun.objects.filter(job__in=list(jobs)).annotate(rank=rank).filter(rank__lte=HISTORY).select_related("user")
    )
    runs: dict[Any, list[JobRun]] = {}
    for run in rows.order_by("number"):
        runs.setdefault(run.job_id, []).append(run)
    found = []
    for job in jobs:
        own = runs.get(job.pk, [])
        done = [run.seconds for run in own if run.state == State.SUCCEEDED and run.seconds is not None]
        bars = [(run.state, run.seconds or 0.0) for run in own]
        found.append(History(job, own[-1] if own else None, bars, statistics.median(done) if done else None))
    return found


def count_active(actor: Actor) -> int:
    """How many runs that the actor may view are under way."""
    return visible(JobRun, actor).filter(state__in=ACTIVE).count()


def list_failed_lately(actor: Actor, days: int = 7) -> models.QuerySet[JobRun]:
    """The actor's own runs that failed in the last days and that no newer run of the job followed, newest first."""
    newer = JobRun.objects.filter(job=OuterRef("job"), number__gt=OuterRef("number"))
    runs = list_runs(actor).filter(user=actor.user, state__in=[State.FAILED, State.LOST])
    return runs.filter(ended_at__gt=now() - timedelta(days=days)).exclude(models.Exists(newer)).order_by("-ended_at")


def whole_log(attempt: Attempt) -> bytes:
    """All that is kept of a log, as one text."""
    chunks = LogChunk.objects.filter(attempt=attempt).order_by("offset").values_list("content", flat=True)
    return b"".join(bytes(content) for content in chunks)


def list_sources(actor: Actor) -> models.QuerySet[Resource]:
    """What the actor may take code from."""
    return visible(Resource, actor).filter(kind__in=kinds_of_source()).order_by("path")


def get_attempt(run: JobRun, number: int | None = None) -> Attempt:
    """One attempt of a run, the newest without a number. Raises NotFound."""
    attempts = run.attempts.order_by("-number")
    attempt = attempts.first() if number is None else attempts.filter(number=number).first()
    if attempt is None:
        raise NotFound("This run has no such attempt yet.")
    return attempt


def read_log(attempt: Attempt, offset: int = 0, size: int = LOG_BYTES) -> LogPiece:
    """A piece of an attempt's log from a byte on, never ending inside a character while more can follow."""
    content, at = b"", offset
    for chunk in LogChunk.objects.filter(attempt=attempt, end__gt=offset).order_by("offset")[:200]:
        begin = max(0, at - chunk.offset) if content or chunk.offset <= at else 0
        if chunk.offset > at:
            at = chunk.offset  # bytes over the log's limit were not kept
        piece = bytes(chunk.content)[begin : begin + size - len(content)]
        content += piece
        at += len(piece)
        if len(content) >= size:
            break
    is_complete = attempt.is_final and at >= _kept(attempt)
    keep = len(content) if is_complete else _whole_characters(content)
    text = content[:keep].decode(errors="replace")
    return LogPiece(attempt.number, offset, at - (len(content) - keep), text, is_complete)


def read_lines(attempt: Attempt, after: int = 0, size: int = LOG_LINES) -> tuple[list[LogLine], bool]:
    """Lines after the `after`-th, the last only when it has ended; and whether more are there already."""
    chunks = LogChunk.objects.filter(attempt=attempt).order_by("offset")
    # The last chunk that began before the wanted line: what it begins with is the end of a line that is not wanted.
    first = chunks.filter(line__lt=after).last() or chunks.first()
    if first is None:
        return [], False
    lines: list[LogLine] = []
    rest, number, begun = b"", first.line, first.at
    for chunk in chunks.filter(offset__gte=first.offset)[:500]:
        begun = begun if rest else chunk.at
        *whole, rest = (rest + bytes(chunk.content)).split(b"\n")
        for line in whole:
            number += 1
            if number > after:
                lines.append(LogLine(number, begun, line.decode(errors="replace").rstrip("\r")))
            begun = chunk.at
        if len(lines) > size:
            return lines[:size], True
    if rest and attempt.is_final and number + 1 > after:
        lines.append(LogLine(number + 1, begun, rest.decode(errors="replace")))
    return lines, False


def receipt(job_run_id: Any) -> Receipt:
    """The receipt of a job run. No check: for rooms whose things the run made and whose own check has been done."""
    rows = JobRun.objects.select_related("job__resource", "user", "source", "environment_used")
    run = rows.filter(pk=job_run_id).first()
    if run is None:
        raise NotFound
    used = run.environment_used
    return Receipt(
        run_id=str(run.pk),
        name=str(run),
        state=run.state,
        source_path=run.source.path if run.source else "",
        commit=run.commit,
        patch=None,  # a job always runs a commit as it is
        script=run.script,
        parameters=run.parameters,
        environment_digest=used.digest if used else "",
        environment_lock=used.lock if used else "",
        user=run.user.label if run.user else "",
        log_url=f"/api/v1/job-runs/{run.pk}/log",
        started_at=run.started_at,
        ended_at=run.ended_at,
    )


def context(attempt: Attempt) -> dict[str, Any]:
    """What a guest may know of its run."""
    run = attempt.run
    return {
        "protocol": 1,
        "job_run_id": str(run.pk),
        "job": run.job.resource.path,
        "number": run.number,
        "attempt": attempt.number,
        "workspace": run.job.resource.workspace.name,
        "commit": run.commit,
        "script": run.script,
        "parameters": run.parameters,
    }


def _kept(attempt: Attempt) -> int:
    return LogChunk.objects.filter(attempt=attempt).order_by("-offset").values_list("end", flat=True).first() or 0


def _whole_characters(content: bytes) -> int:
    """How many bytes end on a whole character."""
    for back in range(1, min(4, len(content)) + 1):
        byte = content[-back]
        if byte & 0xC0 == 0x80:
            continue
        length = 1 if byte < 0x80 else 2 if byte >> 5 == 6 else 3 if byte >> 4 == 14 else 4 if byte >> 3 == 30 else 1
        return len(content) - back if length > back else len(content)
    return len(content)
