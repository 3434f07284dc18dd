"""What works here: Celery workers by their signs of life, queues, and the guests of this machine.

Each worker writes a line about itself every few seconds. One that stopped properly says so; one that fell silent is lost.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import redis
from django.conf import settings
from django.db import connection, models

from apps.access.actor import Actor
from apps.access.policy import visible
from apps.foundation.clock import now
from apps.jobs.lifecycle import ACTIVE, State
from apps.jobs.models import Attempt, JobRun
from apps.sandbox.client import SandboxUnavailable, sandbox

log = logging.getLogger(__name__)

KEY = "jobs:workers"
BEAT_SECONDS = 5
LOST_SECONDS = 20
FORGET_SECONDS = 24 * 3600
QUEUES = ("control", "git", "sql", "score", "train")


@dataclass(frozen=True)
class Worker:
    """A Celery worker by its own last word. `state` is busy, idle, stopped or lost."""

    name: str
    machine: str
    state: str
    queues: list[str]
    active: int
    room: int
    done: int
    peak_bytes: int
    started_at: datetime
    seen_at: datetime


@dataclass(frozen=True)
class QueueLine:
    """A queue: messages that wait for a worker (all workspaces), and this workspace's runs that wait and are under way."""

    name: str
    messages: int
    waiting: int
    running: int
    workers: int


@dataclass(frozen=True)
class Guest:
    """A process of somebody's code on this machine; `attempt` only when the caller may view its run."""

    state: str
    attempt: Attempt | None
    memory_bytes: int | None
    memory_limit: int | None
    cpu_seconds: float | None
    seconds: float | None
    heartbeat_at: datetime | None


@dataclass(frozen=True)
class Board:
    """All of it. `guests_elsewhere` are those of other people and workspaces; `silent` says what does not answer."""

    workers: list[Worker]
    queues: list[QueueLine]
    guests: list[Guest]
    guests_elsewhere: int
    slots_taken: int
    slots: int
    silent: list[str]

    @property
    def waiting(self) -> int:
        """How many runs that the caller may view wait."""
        return sum(queue.waiting for queue in self.queues)


def board(actor: Actor) -> Board:
    """What works, what waits and who runs, as far as the actor may know."""
    silent: list[str] = []
    try:
        workers, messages = _workers()
    except (redis.RedisError, OSError):
        workers, messages = [], {}
        silent.append("The queue does not answer, so nothing is known of workers.")
    try:
        states = [state for state in sandbox().list_guests() if not state.is_final]
    except SandboxUnavailable:
        states = []
        silent.append("The sandbox daemon does not answer, so nothing is known of guests.")
    rows = visible(Attempt, actor).filter(models.Q(pk__in=[s.id for s in states]) | models.Q(state__in=ACTIVE))
    known = {row.pk: row for row in rows.select_related("run__job__resource", "run__user")}
    guests = [_guest(known[s.id], s) for s in states if s.id in known]
    here = {s.id for s in states}
    # A row that says running while its machine knows no such guest: shown as what it is.
    guests += [_guest(row, None) for row in known.values() if row.state == State.RUNNING and row.pk not in here]
    return Board(
        workers=workers,
        queues=_queues(actor, workers, messages),
        guests=guests,
        guests_elsewhere=sum(s.id not in known for s in states),
        slots_taken=slots_taken(),
        slots=settings.BOATHOUSE_JOB_SLOTS,
        silent=silent,
    )


def slots_taken() -> int:
    """How many job runs are under way, in all workspaces."""
    with connection.cursor() as cursor:
        cursor.execute("select jobs_slots_taken()")
        return int(cursor.fetchone()[0])


def drives_runs() -> bool | None:
    """Whether a living worker takes job runs; None when that cannot be known."""
    try:
        workers, _ = _workers()
    except (redis.RedisError, OSError):
        return None
    return any("train" in worker.queues and worker.state in ("busy", "idle") for worker in workers)


def _workers() -> tuple[list[Worker], dict[str, int]]:
    with redis.from_url(settings.REDIS_URL, socket_timeout=2) as client:
        with client.pipeline(transaction=False) as pipeline:
            pipeline.hgetall(KEY)
            for name in QUEUES:
                pipeline.llen(name)
            lines, *lengths = pipeline.execute()
    found = (_worker(name.decode(), json.loads(line)) for name, line in lines.items())
    return sorted(filter(None, found), key=lambda worker: worker.name), dict(zip(QUEUES, lengths, strict=True))


def _worker(name: str, line: dict[str, Any]) -> Worker | None:
    silent = time.time() - line["at"]
    if silent > FORGET_SECONDS:
        return None
    short, _, machine = name.partition("@")
    state = "busy" if line["active"] else "idle"
    if line.get("stopped"):
        state = "stopped"
    elif silent > LOST_SECONDS:
        state = "lost"
    return Worker(
        name=short,
        machine=machine,
        state=state,
        queues=line["queues"],
        active=line["active"] if state == "busy" else 0,
        room=line["room"],
        done=line["done"],
        peak_bytes=line["peak_bytes"],
        started_at=_moment(line["started"]),
        seen_at=_moment(line["at"]),
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _queues(actor: Actor, workers: list[Worker], messages: dict[str, int]) -> list[QueueLine]:
    counts = visible(JobRun, actor).exclude(state__in=(State.SUCCEEDED, State.FAILED, State.CANCELED, State.LOST))
    runs: dict[str, dict[str, Any]] = {
        row["queue"]: dict(row)
        for row in counts.values("queue").annotate(
            waiting=models.Count("pk", filter=models.Q(state=State.QUEUED)),
            running=models.Count("pk", filter=models.Q(state__in=ACTIVE)),
        )
    }
    return [
        QueueLine(
            name,
            messages.get(name, 0),
            runs.get(name, {}).get("waiting", 0),
            runs.get(name, {}).get("running", 0),
            sum(name in worker.queues for worker in workers if worker.state in ("busy", "idle")),
        )
        for name in QUEUES
    ]


def _guest(attempt: Attempt, state: Any) -> Guest:
    began = attempt.launched_at
    return Guest(
        state="running" if state else "lost",
        attempt=attempt,
        memory_bytes=(state and state.peak_memory_bytes) or attempt.peak_memory_bytes,
        memory_limit=attempt.run.memory_mb << 20,
        cpu_seconds=(state and state.cpu_seconds) or attempt.cpu_seconds,
        seconds=(now() - began).total_seconds() if began else None,
        heartbeat_at=attempt.heartbeat_at,
    )


class Pulse:
    """A worker's signs of life: a thread in its main process that writes a line until it is stopped."""

    def __init__(self, name: str, queues: Iterable[str], room: int) -> None:
        self.name, self.queues, self.room = name, sorted(queues), room
        self.started = time.time()
        self._end = threading.Event()
        threading.Thread(target=self._run, name="pulse", daemon=True).start()

    def stop(self) -> None:
        """Say that this worker stops, and be silent."""
        self._end.set()
        self._write(stopped=True)

    def _run(self) -> None:
        while not self._end.is_set():
            self._write()
            self._end.wait(BEAT_SECONDS)

    def _write(self, **more: Any) -> None:
        from celery.worker import state  # only a worker process has one

        line = {
            "at": time.time(),
            "started": self.started,
            "pid": os.getpid(),
            "queues": self.queues,
            "room": self.room,
            "active": len(state.active_requests),
            "done": sum(state.total_count.values()),
            "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10,
            **more,
        }
        try:
            with redis.from_url(settings.REDIS_URL, socket_timeout=2) as client:
                client.hset(KEY, self.name, json.dumps(line))
        except (redis.RedisError, OSError) as error:
            log.warning("no sign of life could be written: %s", error)
