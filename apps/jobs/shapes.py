"""What the API shows and takes about jobs."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.foundation.api import In, Out
from apps.jobs import parameters
from apps.jobs.lifecycle import State
from apps.jobs.models import Job, Queue

DAY = 86_400


class ScalarField(serializers.Field):  # type: ignore[type-arg]
    """Text, a number or a boolean."""

    def to_internal_value(self, value: Any) -> Any:
        if not isinstance(value, str | int | float | bool):
            raise serializers.ValidationError("Text, a number, true or false.")
        return value

    def to_representation(self, value: Any) -> Any:
        return value


class ParameterIn(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=64)
    type = serializers.ChoiceField(sorted(parameters.TYPES))
    default = ScalarField(required=False, allow_null=True)
    choices = serializers.ListField(child=ScalarField(), required=False, max_length=100)
    help = serializers.CharField(required=False, allow_blank=True, max_length=500)


class JobSettings(In):
    ref = serializers.CharField(max_length=250, allow_blank=True, required=False)
    parameters = ParameterIn(many=True, required=False)
    environment = serializers.ChoiceField(Job.Environment.choices, required=False)
    queue = serializers.ChoiceField(Queue.choices, required=False)
    timeout_seconds = serializers.IntegerField(min_value=1, max_value=7 * DAY, required=False)
    max_retries = serializers.IntegerField(min_value=0, max_value=10, required=False)
    memory_mb = serializers.IntegerField(min_value=128, max_value=1 << 20, required=False)


class JobIn(JobSettings):
    name = serializers.CharField(max_length=255)
    parent_id = serializers.UUIDField(required=False)
    parent_path = serializers.CharField(max_length=4000, required=False)
    source_id = serializers.UUIDField(required=False)
    source_path = serializers.CharField(max_length=4000, required=False)
    script = serializers.CharField(max_length=1000)
    description = serializers.CharField(max_length=20_000, allow_blank=True, required=False)


class JobChangeIn(JobSettings):
    source_id = serializers.UUIDField(required=False)
    script = serializers.CharField(max_length=1000, required=False)


class RunIn(In):
    parameters = serializers.DictField(child=ScalarField(), required=False)
    ref = serializers.CharField(max_length=250, allow_blank=True, default="")
    note = serializers.CharField(max_length=500, allow_blank=True, default="")


class RunsIn(In):
    job_id = serializers.UUIDField(required=False)
    state = serializers.ChoiceField(State.choices, required=False, default="")


class LogIn(In):
    attempt = serializers.IntegerField(min_value=1, required=False)
    offset = serializers.IntegerField(min_value=0, default=0)
    wait = serializers.IntegerField(min_value=0, max_value=30, default=0)


class JobOut(Out):
    id = serializers.UUIDField(source="pk")
    name = serializers.CharField(source="resource.name")
    path = serializers.CharField(source="resource.path")
    description = serializers.CharField(source="resource.description")
    owner = serializers.CharField(source="resource.owner.label", default=None, allow_null=True)
    source_id = serializers.UUIDField(allow_null=True)
    source_path = serializers.CharField(source="source.path", default=None, allow_null=True)
    ref = serializers.CharField()
    script = serializers.CharField()
    parameters = serializers.JSONField()
    environment = serializers.CharField()
    queue = serializers.CharField()
    timeout_seconds = serializers.IntegerField()
    max_retries = serializers.IntegerField()
    memory_mb = serializers.IntegerField()
    created_at = serializers.DateTimeField(source="resource.created_at")


class JobRunOut(Out):
    id = serializers.UUIDField()
    job_id = serializers.UUIDField()
    name = serializers.CharField(source="__str__")
    number = serializers.IntegerField()
    note = serializers.CharField()
    state = serializers.CharField()
    reason = serializers.CharField()
    user = serializers.CharField(source="user.label", default=None, allow_null=True)
    source_path = serializers.CharField(source="source.path", default=None, allow_null=True)
    ref = serializers.CharField()
    commit = serializers.CharField()
    script = serializers.CharField()
    parameters = serializers.JSONField()
    environment_digest = serializers.CharField(source="environment_used.digest", default=None, allow_null=True)
    queue = serializers.CharField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class AttemptOut(Out):
    id = serializers.UUIDField()
    number = serializers.IntegerField()
    state = serializers.CharField()
    reason = serializers.CharField()
    cause = serializers.CharField()
    exit_code = serializers.IntegerField(allow_null=True)
    peak_memory_bytes = serializers.IntegerField(allow_null=True)
    cpu_seconds = serializers.FloatField(allow_null=True)
    log_bytes = serializers.IntegerField()
    heartbeat_at = serializers.DateTimeField(allow_null=True)
    due_at = serializers.DateTimeField(allow_null=True)
    started_at = serializers.DateTimeField(allow_null=True)
    environment_at = serializers.DateTimeField(allow_null=True)
    ready_at = serializers.DateTimeField(allow_null=True)
    launched_at = serializers.DateTimeField(allow_null=True)
    exited_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class LogOut(Out):
    attempt = serializers.IntegerField()
    offset = serializers.IntegerField()
    next_offset = serializers.IntegerField()
    content = serializers.CharField()
    is_complete = serializers.BooleanField()


class ReceiptOut(Out):
    run_id = serializers.CharField()
    name = serializers.CharField()
    state = serializers.CharField()
    source_path = serializers.CharField()
    commit = serializers.CharField()
    patch = serializers.CharField(allow_null=True)
    script = serializers.CharField()
    parameters = serializers.JSONField()
    environment_digest = serializers.CharField()
    environment_lock = serializers.CharField()
    user = serializers.CharField()
    log_url = serializers.CharField()
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class GuestIn(In):
    protocol = serializers.IntegerField(min_value=1, max_value=1, default=1)


class GuestLogIn(GuestIn):
    offset = serializers.IntegerField(min_value=0, max_value=1 << 50)
    content = serializers.CharField(max_length=1 << 20, allow_blank=True, trim_whitespace=False)


class UsageIn(serializers.Serializer[Any]):
    cpu_seconds = serializers.FloatField(min_value=0, required=False)
    peak_memory_bytes = serializers.FloatField(min_value=0, max_value=1 << 50, required=False)


class HeartbeatIn(GuestIn):
    usage = UsageIn(required=False)


class FinishIn(GuestIn):
    exit_code = serializers.IntegerField(min_value=-1000, max_value=1000)
    log_bytes = serializers.IntegerField(min_value=0, required=False)
    error = serializers.CharField(max_length=10_000, allow_blank=True, required=False, trim_whitespace=False)
