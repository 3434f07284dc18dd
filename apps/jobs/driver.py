"""Drives one attempt in steps of at most a minute: claim, prepare, launch, watch, finish. Rows decide, messages are hints.

Whoever drives holds the attempt's lease; every write checks the fence, so a driver that was thought dead changes nothing any more.
The guest's id is the attempt's, and launching an id twice starts it once: a killed driver is followed by one that watches on.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from apps.access import audit
from apps.access.actor import Actor, system_actor
from apps.access.levels import Level
from apps.access.models import Membership
from apps.access.policy import authorise
from apps.access.secrets import seal, unseal
from apps.access.storage import location
from apps.access.tokens import issue_run_key, renew_run_keys, resolve, revoke_run_keys
from apps.foundation.clock import now
from apps.foundation.errors import BoathouseError, Forbidden, Unavailable
from apps.jobs import ingest, lifecycle, parameters
from apps.jobs.lifecycle import FINAL, State
from apps.jobs.models import Attempt, Job, JobEnvironment, JobRun
from apps.jobs.outcome import Cause
from apps.jobs.sources import live, source_of
from apps.sandbox import environments, requirements
from apps.sandbox.client import SandboxUnavailable, sandbox
from apps.sandbox.launchers import Bind, GuestSpec, GuestState, LaunchRefused, Limits

log = logging.getLogger(__name__)

LEASE_SECONDS = 20
STEP_SECONDS = 50
LOOK_SECONDS = 2.0
GRACE_SECONDS = 10.0
UNSEEN_SECONDS = 120
RETRY_SECONDS = 5
OUTPUT_BYTES = 1 << 20
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
SOURCE_PLACE = "/boathouse/source.tar"
OpenScope = Callable[[], AbstractContextManager[Actor]]


class LeaseLost(Exception):
    """Somebody else drives this attempt now, or it has ended."""


class Canceled(Exception):
    """A person wants this run to stop while it is being prepared."""


def drive(open_scope: OpenScope, run_id: Any, seconds: float = STEP_SECONDS) -> bool:
    """Drive a run's attempt for one step; whether there is more to do."""
    until = time.monotonic() + seconds
    lease = _claim(open_scope, run_id)
    if lease is None:
        return False
    try:
        if not lease.launched:
            _launch(lease)
        return _watch(lease, until)
    except LeaseLost:
        return False
    except Canceled:
        _end(lease, State.CANCELED, "canceled before it started", Cause.CANCELED)
    except (SandboxUnavailable, Unavailable) as error:
        log.warning("run %s waits: %s", run_id, error)
        _wait_or_give_up(lease, error)
    except (BoathouseError, LaunchRefused) as error:
        cause = Cause.ENVIRONMENT if isinstance(error, requirements.EnvironmentFailed) else Cause.REFUSED
        _end(lease, State.FAILED, getattr(error, "message", str(error)), cause)
    return False


class Lease:
    """The right to drive one attempt, for as long as it is renewed."""

    def __init__(self, open_scope: OpenScope, attempt: Attempt) -> None:
        self.open_scope = open_scope
        self.attempt_id, self.fence = attempt.pk, attempt.fence
        self.launched = attempt.launched_at is not None
        self.renewed = time.monotonic()

    @contextmanager
    def own(self) -> Iterator[Attempt]:
        """The attempt, locked, in a transaction; the lease is renewed with it. Raises LeaseLost."""
        with self.open_scope():
            rows = Attempt.objects.select_related("run__job__resource", "run__user", "run__source")
            attempt = (
                rows.select_for_update(of=("self",), no_key=True).filter(pk=self.attempt_id, fence=self.fence).first()
            )
            if attempt is None or attempt.state in FINAL:
                raise LeaseLost
            _extend(self.attempt_id, LEASE_SECONDS)
            yield attempt
        self.renewed = time.monotonic()

    def say(self, line: str) -> None:
        """A line of ours for the log ("" only keeps the lease). Raises Canceled when somebody wants the run to stop."""
        if not line and time.monotonic() - self.renewed < LEASE_SECONDS / 5:
            return
        with self.own() as attempt:
            if line:
                ingest.append(attempt, f"[boathouse] {line}\n".encode())
            stop = attempt.state == State.CANCELING
        if stop:
            raise Canceled

    def release(self) -> None:
        """Let the next driver have it at once."""
        with self.own():
            _extend(self.attempt_id, 0)


def _extend(attempt_id: uuid.UUID, seconds: float) -> None:
    # The database's clock decides, so that drivers on machines with other clocks agree.
    with connection.cursor() as cursor:
        cursor.execute(
            "update jobs_attempt set lease_until = clock_timestamp() + make_interval(secs => %s) where id = %s",
            [seconds, attempt_id],
        )


def _claim(open_scope: OpenScope, run_id: Any) -> Lease | None:
    with open_scope():
        run = JobRun.objects.select_for_update(of=("self",), no_key=True).filter(pk=run_id).first()
        if run is None or run.is_final:
            return None
        attempt = run.attempts.exclude(state__in=FINAL).order_by("-number").first()
        if attempt is None:
            attempt = _new_attempt(run)
        if attempt is None:
            return None
        with connection.cursor() as cursor:
            cursor.execute(
                "update jobs_attempt set fence = fence + 1, lease_until = clock_timestamp() + make_interval(secs => %s)"
                " where id = %s and lease_until <= clock_timestamp() returning fence",
                [LEASE_SECONDS, attempt.pk],
            )
            row = cursor.fetchone()
        if row is None:
            return None
        attempt.fence = row[0]
        return Lease(open_scope, attempt)


def _new_attempt(run: JobRun) -> Attempt | None:
    """The run's next attempt, when it is due and a slot is free."""
    if run.state != State.QUEUED or run.due_at > now():
        return None
    with connection.cursor() as cursor:
        cursor.execute("select jobs_take_slot(%s)", [settings.BOATHOUSE_JOB_SLOTS])
        if not cursor.fetchone()[0]:
            return None
    attempt = Attempt(run=run, number=run.attempts.count() + 1, due_at=run.due_at, lease_until=LONG_AGO)
    attempt.save(force_insert=True)
    lifecycle.enter(run, State.STARTING)
    return attempt


def _launch(lease: Lease) -> None:
    """Everything up to a running guest; done again from the start when a driver dies, until the guest is there."""
    with lease.own() as attempt:
        run = attempt.run
        actor = _acting(run)
        _authorise(actor, run)
        source, tar = source_of(run.source), _tar(run)
        if attempt.state == State.CANCELING:
            raise Canceled
        if attempt.log_bytes == 0:
            ingest.append(attempt, f"[boathouse] {run}, attempt {attempt.number}, as {actor.label}.\n".encode())
        source.observe_use(run.source, run.commit, str(run.pk), str(run), run.job.resource)
    lease.say(f"Checking out {run.commit[:7]} of {live(run.source).path}.")
    tar.parent.mkdir(parents=True, exist_ok=True)
    with lease.open_scope():
        packed = source.pack(run.source, run.commit, tar)
    for sentence in packed.left_out[:20]:
        lease.say(f"Left out: {sentence}.")
    environment = _environment(lease, run, source)
    _mark(lease, "ready_at")
    spec = _spec(lease, run, actor, environment, tar)
    state = sandbox().launch(spec)
    with lease.own() as attempt:
        attempt.launched_at, attempt.setup_bytes = now(), attempt.log_bytes
        attempt.save(update_fields=["launched_at", "setup_bytes"])
        if attempt.state == State.STARTING and not state.is_final:
            lifecycle.enter(attempt, State.RUNNING)
            lifecycle.enter(attempt.run, State.RUNNING)


def _environment(lease: Lease, run: JobRun, source: Any) -> environments.Environment:
    wanted = requirements.DEFAULT
    _mark(lease, "environment_at")
    if run.environment == Job.Environment.COMMIT:
        with lease.open_scope():
            wanted = requirements.of_commit(lambda path: source.read(run.source, run.commit, path))
    built = environments.build(settings.BOATHOUSE_HOME, wanted, progress=lease.say)
    with lease.own() as attempt:
        row, _ = JobEnvironment.objects.get_or_create(digest=built.digest, defaults={"lock": built.lock})
        attempt.run.environment_used = row
        attempt.run.save(update_fields=["environment_used"])
    return built


def _mark(lease: Lease, moment: str) -> None:
    """Note when a phase of the attempt began."""
    with lease.own() as attempt:
        setattr(attempt, moment, now())
        attempt.save(update_fields=[moment])


def _spec(lease: Lease, run: JobRun, actor: Actor, environment: environments.Environment, tar: Any) -> GuestSpec:
    with lease.own() as attempt:
        if attempt.key_sealed is None:
            key = issue_run_key(actor, run.activity, ingest.KEY_SECONDS)
            held = resolve(key)
            if held is None:
                raise Forbidden(f"{actor.label} may not act in this workspace any more.")
            attempt.key_sealed, attempt.token_id = seal(key), held.token_id
            attempt.save(update_fields=["key_sealed", "token_id"])
        # A driver before us may have launched with this key already, so it is used again, not made anew.
        key = unseal(attempt.key_sealed)
        renew_run_keys(run.activity, ingest.KEY_SECONDS)
    return GuestSpec(
        id=lease.attempt_id,
        argv=(
            *(environment.python, "-m", "guest.runner", "--source", SOURCE_PLACE, run.script, "--"),
            *parameters.to_arguments(run.parameters),
        ),
        env={
            "BOATHOUSE_TOKEN": key,
            "MLFLOW_TRACKING_TOKEN": key,
            "BOATHOUSE_WORKSPACE": actor.workspace.name,
            "BOATHOUSE_JOB_RUN_ID": str(run.pk),
            "BOATHOUSE_COMMIT": run.commit,
            "BOATHOUSE_PARAMETERS": json.dumps(run.parameters),
            "PYTHONUNBUFFERED": "1",
            # What clients take for the person's name, and the processors that joblib cannot count in here.
            "LOGNAME": actor.label,
            "LOKY_MAX_CPU_COUNT": str(os.cpu_count() or 1),
        },
        environment=environment.folder,
        binds=(Bind(str(tar), SOURCE_PLACE),),
        limits=Limits(memory_bytes=run.memory_mb << 20, wall_seconds=run.timeout_seconds, nice=5),
        api_socket=str(settings.BOATHOUSE_GUEST_SOCKET),
        label=str(run)[:200],
    )


def _watch(lease: Lease, until: float) -> bool:
    """Look after the guest until it has ended or the step is over; whether there is more to do."""
    client = sandbox()
    while True:
        state = client.check(lease.attempt_id)
        if state is None:
            _end(lease, State.LOST, "The machine that ran it does not know it any more.", Cause.LOST)
            return False
        if not state.is_final and time.monotonic() < until:
            state = client.wait(lease.attempt_id, min(LOOK_SECONDS, max(0.1, until - time.monotonic())))
        if state.is_final:
            _finish(lease, state)
            return False
        with lease.own() as attempt:
            _note_seen(attempt)
            stop = attempt.state == State.CANCELING
        if stop:
            _finish(lease, client.stop(lease.attempt_id, grace_seconds=GRACE_SECONDS))
            return False
        if time.monotonic() >= until:
            lease.release()
            return True


def _note_seen(attempt: Attempt) -> None:
    if attempt.unseen_since is not None:
        attempt.unseen_since = None
        attempt.save(update_fields=["unseen_since"])
    for row in (attempt, attempt.run):
        if row.state == State.STARTING:
            lifecycle.enter(row, State.RUNNING)
    renew_run_keys(attempt.run.activity, ingest.KEY_SECONDS)


def _finish(lease: Lease, state: GuestState) -> None:
    """Take over what the guest printed and how it ended."""
    _mark(lease, "exited_at")
    _copy_output(lease)
    with lease.own() as attempt:
        attempt.exit_code = state.code if state.code is not None else attempt.told_exit_code
        attempt.peak_memory_bytes = state.peak_memory_bytes or attempt.peak_memory_bytes
        attempt.cpu_seconds = state.cpu_seconds or attempt.cpu_seconds
        attempt.save(update_fields=["exit_code", "peak_memory_bytes", "cpu_seconds"])
        verdict = _verdict(attempt, state)
    _end(lease, *verdict)
    try:
        sandbox().remove(lease.attempt_id)
    except (SandboxUnavailable, LaunchRefused) as error:
        log.warning("the guest of attempt %s is left for later: %s", lease.attempt_id, error)


def _verdict(attempt: Attempt, state: GuestState) -> tuple[State, str, str]:
    if attempt.state == State.CANCELING and not state.succeeded:
        return State.CANCELED, attempt.reason or "canceled", Cause.CANCELED
    code = state.code if state.state == "exited" else attempt.told_exit_code
    if state.succeeded or (state.state == "lost" and code == 0):
        return State.SUCCEEDED, "", ""
    if state.state == "lost" and code is None:
        return State.LOST, state.message or "Its end was not seen: the machine or the sandbox stopped.", Cause.LOST
    if state.reason == "shutdown":
        return State.LOST, "The installation was stopped while it ran.", Cause.SHUTDOWN
    sentences = {
        "timeout": f"It ran longer than the {attempt.run.timeout_seconds} seconds that the job allows.",
        "out_of_memory": f"It needed more than the {attempt.run.memory_mb} MB of memory that the job allows.",
        "out_of_disk": "It wrote more than a job may.",
    }
    if state.reason in sentences:
        return State.FAILED, sentences[state.reason], Cause(state.reason)
    ended, cause = (f"signal {state.signal}", Cause.SIGNAL) if state.signal else (f"exit code {code}", Cause.EXIT)
    return State.FAILED, state.message or f"The script ended with {ended}.", cause


def _copy_output(lease: Lease) -> None:
    """Append what the guest printed and did not hand over itself."""
    while True:
        with lease.own() as attempt:
            have = attempt.log_bytes - attempt.setup_bytes
        try:
            content = sandbox().read_output(lease.attempt_id, have, OUTPUT_BYTES)
        except FileNotFoundError:
            return
        if not content:
            return
        with lease.own() as attempt:
            ingest.append_output(attempt, have, content)


def _end(lease: Lease, outcome: State, reason: str, cause: str) -> None:
    """End the attempt; then the run ends too, or queues for its next attempt by the job's rule."""
    with lease.own() as attempt:
        folder = _tar(attempt.run).parent
    shutil.rmtree(folder, ignore_errors=True)  # before the row says that it is over: nobody looks afterwards
    with lease.own() as attempt:
        run = JobRun.objects.select_for_update(of=("self",), no_key=True).get(pk=attempt.run_id)
        closing = f"{outcome.label}: {reason}" if reason else outcome.label
        ingest.append(attempt, f"[boathouse] {closing}\n".encode())
        attempt.key_sealed, attempt.cause = None, cause
        attempt.save(update_fields=["key_sealed", "cause"])
        if outcome == State.CANCELED and attempt.state != State.CANCELING:
            lifecycle.enter(attempt, State.CANCELING)
        lifecycle.enter(attempt, outcome, reason)
        revoke_run_keys(run.activity)
        again = (
            outcome in (State.FAILED, State.LOST) and run.state != State.CANCELING and attempt.number <= run.max_retries
        )
        lifecycle.enter(run, State.QUEUED if again else outcome, reason)
        if not again:
            ended = {"state": run.state, "user": run.user_id, "number": run.number}
            audit.record(system_actor(run.workspace), "jobs.run_ended", run, after=ended)
        if again:
            run.due_at = now() + timedelta(seconds=RETRY_SECONDS * 2 ** min(attempt.number - 1, 6))
            run.save(update_fields=["due_at"])


def _wait_or_give_up(lease: Lease, error: Exception) -> None:
    """Nobody can see the guest now: come back soon, or call it lost when neither it nor its keeper was heard of for long."""
    try:
        with lease.own() as attempt:
            attempt.unseen_since = attempt.unseen_since or now()
            attempt.save(update_fields=["unseen_since"])
            heard = max(filter(None, (attempt.heartbeat_at, attempt.unseen_since)))
            silent = now() - heard > timedelta(seconds=UNSEEN_SECONDS)
            _extend(attempt.pk, RETRY_SECONDS)
    except LeaseLost:
        return
    if silent and lease.launched:
        _end(lease, State.LOST, f"Nothing was heard of it for {UNSEEN_SECONDS} seconds: {error}", Cause.LOST)
    elif silent:
        _end(lease, State.FAILED, f"It could not be started for {UNSEEN_SECONDS} seconds: {error}", Cause.UNSTARTED)


def _acting(run: JobRun) -> Actor:
    if run.user is None:
        raise Forbidden("The account that started this run is gone.")
    return Actor(user=run.user, workspace=run.workspace, scopes=tuple(run.scopes))


def _authorise(actor: Actor, run: JobRun) -> None:
    """The person may have been shut out since they asked: what they may is decided when it happens."""
    member = Membership.objects.filter(user=actor.user, suspended_at__isnull=True, user__is_active=True)
    if not member.exists():
        raise Forbidden(f"{actor.label} may not act in this workspace any more.")
    if run.job.resource.deleted_at is not None:
        raise Forbidden("The job was put in the trash before it started.")
    try:
        authorise(actor, Level.USE, run.job)
        authorise(actor, Level.VIEW, live(run.source))
    except BoathouseError as error:
        raise Forbidden(f"{actor.label} may not run this job any more, or not see its repository.") from error


def _tar(run: JobRun) -> Any:
    return location(run.job.resource, "runs", str(run.pk), "source.tar")
