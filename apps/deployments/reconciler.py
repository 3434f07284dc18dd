"""Makes what runs match what endpoints want: one pass over one endpoint, safe to repeat and to be killed anywhere in.

Every pass reads rows in a short transaction, asks or changes the outside (sandbox, sockets), and writes down what it found.
Passes over one endpoint never overlap: each holds a lock of the database's that ends with the process.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from apps.access.models import Workspace
from apps.access.scope import workspace_scope
from apps.deployments import preparation, probes, traffic
from apps.deployments.models import Endpoint, Replica, ReplicaState, ServedState, ServedVersion
from apps.foundation.clock import now
from apps.sandbox.client import SandboxUnavailable, sandbox
from apps.sandbox.launchers import MIB, Bind, GuestSpec, GuestState, LaunchRefused, Limits

logger = logging.getLogger(__name__)

START_PATIENCE = timedelta(minutes=5)
SILENCE_PATIENCE = timedelta(seconds=30)
DRAIN_PATIENCE = timedelta(seconds=75)
LAUNCH_PATIENCE = timedelta(seconds=15)
STUCK_SECONDS = 300.0
LOG_TAIL_BYTES = 16 * 1024
MODEL_FOLDER = "/boathouse/model"


@contextlib.contextmanager
def alone(name: str) -> Iterator[bool]:
    """Whether nobody else is inside with this name; the lock ends with the block, or with the process."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(hashtextextended(%s, 0))", [name])
        held = cursor.fetchone()[0]
    try:
        yield held
    finally:
        if held:
            with connection.cursor() as cursor:
                cursor.execute("select pg_advisory_unlock(hashtextextended(%s, 0))", [name])


@dataclass(frozen=True)
class Seen:
    """What a pass learned of one replica from the outside."""

    replica: Replica
    guest: GuestState | None
    health: dict[str, Any] | None
    output: str = ""


def to_reconcile() -> list[tuple[UUID, UUID]]:
    """(workspace, endpoint) of all endpoints that are not at rest."""
    with connection.cursor() as cursor:
        cursor.execute("select workspace_id, endpoint_id from deployments_to_reconcile()")
        return list(cursor.fetchall())


def reconcile(workspace: Workspace, endpoint_id: UUID | str) -> None:
    """Bring one endpoint a step nearer to what it wants."""
    with alone(f"deployments:endpoint:{endpoint_id}") as held:
        if not held:
            return
        try:
            seen = _look(workspace, endpoint_id)
            launches, prepare = _decide(workspace, endpoint_id, seen)
            for replica, spec in launches:
                _launch(workspace, replica, spec)
            _drain(workspace, endpoint_id)
        except SandboxUnavailable as error:
            # what runs goes on running; the next pass asks again
            logger.warning("endpoint %s: %s", endpoint_id, error)
            return
    for served_id in prepare:
        preparation.queue(workspace.pk, served_id)


def _look(workspace: Workspace, endpoint_id: UUID | str) -> list[Seen]:
    with workspace_scope(workspace):
        alive = list(Replica.objects.filter(served__endpoint_id=endpoint_id, state__in=Replica.ALIVE))
    client = sandbox()
    found = []
    for replica in alive:
        guest = client.check(replica.pk)
        running = guest is not None and not guest.is_final
        health = probes.health(replica.socket) if running else None
        output = _tail(replica.pk) if guest is not None and guest.is_final else ""
        found.append(Seen(replica, guest, health, output))
    return found


def _decide(
    workspace: Workspace, endpoint_id: UUID | str, seen: list[Seen]
) -> tuple[list[tuple[Replica, GuestSpec]], list[UUID]]:
    """Write down what was seen, settle what follows; the replicas to launch and the versions to prepare."""
    launches: list[tuple[Replica, GuestSpec]] = []
    prepare: list[UUID] = []
    with workspace_scope(workspace):
        endpoint = (
            Endpoint.objects.select_for_update(of=("self",)).select_related("resource").filter(pk=endpoint_id).first()
        )
        if endpoint is None:
            return [], []
        for item in seen:
            if _note(item):
                launches.append((item.replica, _spec(item.replica)))
        traffic.settle_name(endpoint)
        problem = ""
        if traffic.wants_traffic(endpoint):
            wanted, problem = traffic.settle_wish(endpoint)
            if wanted is not None:
                traffic.give_up_where_hopeless(wanted)
                problem = wanted.reason if wanted.state == ServedState.FAILED else problem
                traffic.switch(endpoint, wanted)
        else:
            traffic.retire_all(endpoint)
        for served in endpoint.served.filter(state__in=ServedVersion.ACTIVE).select_related("config"):
            if served.state == ServedState.PREPARING:
                prepare.append(served.pk)
                continue
            traffic.drain_replicas(served, keep=served.config.replicas)
            made = traffic.new_replicas(served, socket_path)
            launches += [(replica, _spec(replica)) for replica in made]
        traffic.end_drained(endpoint)
        traffic.publish(endpoint, problem)
    return launches, prepare


def _note(item: Seen) -> bool:
    """Write down the state of a replica; True when it has to be launched (again): its row is there and its guest is not."""
    replica, guest = item.replica, item.guest
    if guest is None:
        if replica.state == ReplicaState.DRAINING:
            _end(replica, ReplicaState.ENDED, "")
        elif replica.state == ReplicaState.READY or replica.started_at + LAUNCH_PATIENCE < now():
            _end(replica, ReplicaState.FAILED, "Its process is gone, and the sandbox does not know it.")
        else:
            return True
        return False
    if guest.is_final:
        wished = replica.state == ReplicaState.DRAINING or guest.reason == "shutdown"
        _end(replica, ReplicaState.ENDED if wished else ReplicaState.FAILED, "" if wished else _why(guest, item.output))
        return False
    told = item.health
    if told is not None:
        replica.health, replica.silent_since = told, None
        if told.get("state") == "ready" and replica.state == ReplicaState.STARTING:
            replica.state, replica.ready_at = ReplicaState.READY, now()
    elif replica.silent_since is None:
        replica.silent_since = now()
    replica.save(update_fields=["health", "silent_since", "state", "ready_at"])
    return False


def _end(replica: Replica, state: ReplicaState, reason: str) -> None:
    replica.state, replica.reason, replica.ended_at = state, reason[:20_000], now()
    replica.save(update_fields=["state", "reason", "ended_at"])


def _why(guest: GuestState, output: str) -> str:
    words = {
        "out_of_memory": "It needed more memory than it may use.",
        "out_of_disk": "It wrote more than it may.",
        "exec_failed": "Its Python could not be started.",
        "setup_failed": "The sandbox could not set it up.",
        "killed": "It was killed.",
    }
    how = f"code {guest.code}" if guest.signal is None else f"signal {guest.signal}"
    first = words.get(guest.reason, f"Its process ended with {how}.")
    return "\n".join(part for part in (first, guest.message, output) if part)


def is_overdue(replica: Replica) -> str:
    """Why a replica must be stopped by force, or nothing."""
    at = now()
    if replica.state == ReplicaState.DRAINING:
        return "drained" if replica.drain_at is not None and replica.drain_at + DRAIN_PATIENCE < at else ""
    if replica.state == ReplicaState.STARTING and replica.started_at + START_PATIENCE < at:
        return f"It was not ready after {START_PATIENCE.seconds // 60} minutes."
    if replica.silent_since is not None and replica.silent_since + SILENCE_PATIENCE < at:
        return f"It did not answer for {SILENCE_PATIENCE.seconds} seconds."
    if float(replica.health.get("busy_seconds") or 0) > STUCK_SECONDS:
        return f"One prediction took longer than {STUCK_SECONDS:.0f} seconds."
    return ""


def _drain(workspace: Workspace, endpoint_id: UUID | str) -> None:
    """Tell replicas out of traffic to end, and stop by force what is overdue. After `publish`: nobody is sent there any more."""
    with workspace_scope(workspace):
        alive = list(Replica.objects.filter(served__endpoint_id=endpoint_id, state__in=Replica.ALIVE))
    for replica in alive:
        if overdue := is_overdue(replica):
            state = sandbox().stop(replica.pk)
            with workspace_scope(workspace):
                wished = replica.state == ReplicaState.DRAINING
                _end(replica, ReplicaState.ENDED if wished else ReplicaState.FAILED, "" if wished else overdue)
            logger.info("stopped replica %s (%s): %s", replica.pk, overdue, state.state)
        elif replica.state == ReplicaState.DRAINING and probes.drain(replica.socket) is None:
            # still loading, or deaf: it serves nobody
            sandbox().stop(replica.pk)


def _launch(workspace: Workspace, replica: Replica, spec: GuestSpec) -> None:
    try:
        sandbox().launch(spec)
    except LaunchRefused as refusal:
        with workspace_scope(workspace):
            _end(replica, ReplicaState.FAILED, f"The sandbox did not start it: {refusal}")


def _spec(replica: Replica) -> GuestSpec:
    served = replica.served
    return GuestSpec(
        id=replica.pk,
        argv=(preparation.python_of(served), "-m", "guest.scorer", MODEL_FOLDER),
        env=dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
        environment=served.environment,
        binds=(Bind(served.folder, MODEL_FOLDER),),
        limits=Limits(memory_bytes=2048 * MIB, disk_bytes=512 * MIB, output_bytes=16 * MIB),
        listen_socket=replica.socket,
        label=f"scorer of {served} for {served.endpoint}",
    )


def socket_path(replica_id: UUID) -> str:
    """Where a replica listens: in the short folder of sockets, under the end of its id."""
    folder = Path(settings.BOATHOUSE_SANDBOX_SOCKET).parent / "scorers"
    folder.mkdir(mode=0o700, exist_ok=True)
    return str(folder / f"{replica_id.hex[-16:]}.sock")


def _tail(replica_id: UUID) -> str:
    client = sandbox()
    guest = client.check(replica_id)
    if guest is None:
        return ""
    try:
        raw = client.read_output(replica_id, max(0, guest.output_bytes - LOG_TAIL_BYTES), LOG_TAIL_BYTES)
    except FileNotFoundError:
        return ""
    return raw.decode(errors="replace").strip()


def clear_files() -> int:
    """Remove the copied files of versions that have ended; how many folders."""
    root = Path(settings.BOATHOUSE_HOME) / "serving"
    count = 0
    for folder in root.iterdir() if root.is_dir() else ():
        with connection.cursor() as cursor:
            cursor.execute("select deployments_is_served(%s)", [folder.name])
            if cursor.fetchone()[0]:
                continue
        shutil.rmtree(folder, ignore_errors=True)
        count += 1
    return count
