"""Jobs, their runs, the attempts of a run, environments they ran in, and what they printed."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from apps.access.models import Resource
from apps.access.scope import WorkspaceModel
from apps.foundation.clock import now
from apps.foundation.ids import new_id
from apps.jobs.lifecycle import ACTIVE, FINAL, State
from apps.jobs.outcome import Cause


class Queue(models.TextChoices):
    """Which workers drive a run."""

    TRAIN = "train"
    SCORE = "score"


class Job(WorkspaceModel):
    """One task: a script at a commit of a source, its parameters, and how it is run."""

    class Environment(models.TextChoices):
        COMMIT = "commit"  # what the commit's requirements say
        DEFAULT = "default"

    resource = models.OneToOneField(Resource, primary_key=True, on_delete=models.CASCADE, related_name="job")
    source = models.ForeignKey(Resource, null=True, on_delete=models.SET_NULL, related_name="+")
    ref = models.CharField(max_length=250, blank=True)
    script = models.CharField(max_length=1000)
    parameters = models.JSONField(default=list)
    environment = models.CharField(max_length=16, choices=Environment.choices, default=Environment.COMMIT)
    queue = models.CharField(max_length=16, choices=Queue.choices, default=Queue.TRAIN)
    timeout_seconds = models.PositiveIntegerField(default=3600)
    max_retries = models.PositiveSmallIntegerField(default=0)
    memory_mb = models.PositiveIntegerField(default=2048)
    newest_run = models.OneToOneField("JobRun", null=True, on_delete=models.SET_NULL, related_name="+")

    def __str__(self) -> str:
        return self.resource.path


class JobEnvironment(WorkspaceModel):
    """The exact packages of an environment that runs of this workspace used, kept for their receipts."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    digest = models.CharField(max_length=64)
    lock = models.TextField()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["workspace", "digest"], name="jobs_environment_once")
        ]


class JobRun(WorkspaceModel):
    """One execution of a job, as it was asked for: the job may change afterwards, this does not.

    `note` says why it was asked for. `user` and `scopes` are whom it acts as. `due_at`: not before; `sent_at`: when a message about it last went out.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="runs")
    number = models.PositiveIntegerField()
    note = models.CharField(max_length=500, blank=True)
    state = models.CharField(max_length=16, choices=State.choices, default=State.QUEUED)
    reason = models.TextField(blank=True)
    user = models.ForeignKey("access.User", null=True, on_delete=models.SET_NULL, related_name="+")
    scopes = models.JSONField(default=list)
    source = models.ForeignKey(Resource, null=True, on_delete=models.SET_NULL, related_name="+")
    ref = models.CharField(max_length=250, blank=True)
    commit = models.CharField(max_length=64)
    script = models.CharField(max_length=1000)
    parameters = models.JSONField(default=dict)
    environment = models.CharField(max_length=16, choices=Job.Environment.choices)
    environment_used = models.ForeignKey(JobEnvironment, null=True, on_delete=models.PROTECT, related_name="+")
    queue = models.CharField(max_length=16, choices=Queue.choices)
    timeout_seconds = models.PositiveIntegerField()
    max_retries = models.PositiveSmallIntegerField()
    memory_mb = models.PositiveIntegerField()
    created_at = models.DateTimeField(default=now)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(default=now)
    sent_at = models.DateTimeField(null=True)

    resource_path = "job"

    class Meta:
        constraints: ClassVar[list[Any]] = [models.UniqueConstraint(fields=["job", "number"], name="jobs_run_number")]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["workspace", "-created_at", "-id"], name="jobs_run_recent"),
            models.Index(
                fields=["state", "due_at"], name="jobs_run_open", condition=~models.Q(state__in=sorted(FINAL))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.job.resource.name} #{self.number}"

    @property
    def activity(self) -> str:
        """What its run keys and lineage call it."""
        return f"job_run:{self.pk}"

    @property
    def is_final(self) -> bool:
        """Whether it has ended."""
        return self.state in FINAL

    @property
    def seconds(self) -> float | None:
        """How long it took, or takes so far."""
        return ((self.ended_at or now()) - self.started_at).total_seconds() if self.started_at else None


class Attempt(WorkspaceModel):
    """One try of a run; its id is its guest's. Whoever holds the lease drives it, and each new holder raises the fence.

    `key_sealed` and `token_id` are its run key while it lives. The log has `setup_bytes` of ours, then what the guest printed.
    Its phases begin at `due_at` (queued), `started_at` (code), `environment_at`, `ready_at` (launch), `launched_at`, `exited_at` (finish).
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    run = models.ForeignKey(JobRun, on_delete=models.CASCADE, related_name="attempts")
    number = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=16, choices=State.choices, default=State.STARTING)
    reason = models.TextField(blank=True)
    cause = models.CharField(max_length=16, choices=Cause.choices, blank=True)
    lease_until = models.DateTimeField(default=now)
    fence = models.PositiveIntegerField(default=0)
    key_sealed = models.BinaryField(null=True)
    token_id = models.UUIDField(null=True, unique=True)
    due_at = models.DateTimeField(null=True)
    environment_at = models.DateTimeField(null=True)
    ready_at = models.DateTimeField(null=True)
    launched_at = models.DateTimeField(null=True)
    exited_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)
    unseen_since = models.DateTimeField(null=True)
    told_exit_code = models.IntegerField(null=True)
    exit_code = models.IntegerField(null=True)
    peak_memory_bytes = models.BigIntegerField(null=True)
    cpu_seconds = models.FloatField(null=True)
    setup_bytes = models.BigIntegerField(default=0)
    log_bytes = models.BigIntegerField(default=0)
    log_lines = models.BigIntegerField(default=0)
    started_at = models.DateTimeField(null=True, default=now)
    ended_at = models.DateTimeField(null=True)

    resource_path = "run.job"

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["run", "number"], name="jobs_attempt_number")
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["run"], name="jobs_attempt_active", condition=models.Q(state__in=sorted(ACTIVE))),
        ]

    def __str__(self) -> str:
        return f"{self.run}, attempt {self.number}"

    @property
    def is_final(self) -> bool:
        """Whether it has ended."""
        return self.state in FINAL


class LogChunk(WorkspaceModel):
    """A piece of an attempt's log: bytes from `offset` to `end`, beginning in line `line` (counted from 0)."""

    id = models.BigAutoField(primary_key=True)
    attempt = models.ForeignKey(Attempt, on_delete=models.CASCADE, related_name="chunks", db_index=False)
    offset = models.BigIntegerField()
    end = models.BigIntegerField()
    line = models.BigIntegerField()
    content = models.BinaryField()
    at = models.DateTimeField(default=now)

    class Meta:
        constraints: ClassVar[list[Any]] = [models.UniqueConstraint(fields=["attempt", "offset"], name="jobs_log_once")]
        indexes: ClassVar[list[Any]] = [models.Index(fields=["attempt", "line"], name="jobs_log_line")]
