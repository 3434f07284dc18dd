"""Endpoints, their configurations over time, the versions they serve and the replicas that do."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from apps.access.models import Resource
from apps.access.scope import WorkspaceModel
from apps.foundation.clock import now
from apps.foundation.ids import new_id


class Follows(models.TextChoices):
    """What names the version that an endpoint serves."""

    VERSION = "version"
    STAGE = "stage"
    ALIAS = "alias"


class EndpointState(models.TextChoices):
    """What an endpoint is doing. Only `ready` and `updating` answer."""

    STARTING = "starting"
    READY = "ready"
    UPDATING = "updating"
    FAILED = "failed"
    STOPPED = "stopped"


class Endpoint(WorkspaceModel):
    """An address that answers with predictions. `name` is its address and unique in the workspace; null once deleted."""

    resource = models.OneToOneField(Resource, primary_key=True, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=63, null=True)
    wants_running = models.BooleanField(default=True)
    state = models.CharField(max_length=16, choices=EndpointState.choices, default=EndpointState.STARTING)
    reason = models.TextField(blank=True)
    # what the scoring route reads with each request: model, version, sockets of the ready replicas
    routing = models.TextField(blank=True)
    inference_table = models.ForeignKey(Resource, null=True, on_delete=models.SET_NULL, related_name="+")
    # a version that failed is not tried again until somebody says so after this moment
    wished_at = models.DateTimeField(default=now)
    state_changed_at = models.DateTimeField(default=now)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["workspace", "name"], name="deployments_endpoint_name")
        ]

    def __str__(self) -> str:
        return self.name or self.resource.name

    @property
    def config(self) -> EndpointConfig:
        """The configuration that holds now."""
        return self.configs.get(valid_to__isnull=True)

    @property
    def url_path(self) -> str:
        """Where requests go."""
        return f"/serving-endpoints/{self.name}/invocations"

    def enter(self, state: EndpointState, reason: str = "") -> None:
        """Take on a state, and remember since when."""
        if (self.state, self.reason) != (state, reason):
            self.state, self.reason, self.state_changed_at = state, reason, now()
            self.save(update_fields=["state", "reason", "state_changed_at"])


class EndpointConfig(WorkspaceModel):
    """What an endpoint was told to serve, from when to when; never overwritten."""

    resource_path = "endpoint"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="configs")
    number = models.PositiveIntegerField()
    model = models.ForeignKey(Resource, null=True, on_delete=models.SET_NULL, related_name="+")
    model_name = models.CharField(max_length=500)
    follows = models.CharField(max_length=8, choices=Follows.choices)
    value = models.CharField(max_length=255)
    replicas = models.PositiveSmallIntegerField(default=1)
    made_by = models.ForeignKey("access.User", null=True, on_delete=models.SET_NULL, related_name="+")
    valid_from = models.DateTimeField(default=now)
    valid_to = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["endpoint", "number"], name="deployments_config_number"),
            models.UniqueConstraint(
                fields=["endpoint"], condition=models.Q(valid_to__isnull=True), name="deployments_config_current"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model_name} {self.follows} {self.value}"


class EndpointMinute(WorkspaceModel):
    """What an endpoint answered in one minute (since 1970). `buckets`: how many by step of counters.BOUNDS_MS."""

    resource_path = "endpoint"

    id = models.BigAutoField(primary_key=True)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="minutes", db_index=False)
    minute = models.IntegerField()
    requests = models.IntegerField(default=0)
    refused = models.IntegerField(default=0)
    errors = models.IntegerField(default=0)
    buckets = models.JSONField(default=dict)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["endpoint", "minute"], name="deployments_minute_once")
        ]


class ServedState(models.TextChoices):
    """The life of a served version: prepared, started, in traffic, out of it."""

    PREPARING = "preparing"
    STARTING = "starting"
    SERVING = "serving"
    DRAINING = "draining"
    ENDED = "ended"
    FAILED = "failed"


class ServedVersion(WorkspaceModel):
    """One model version behind an endpoint. `valid_from` to `valid_to` is when it was in traffic."""

    resource_path = "endpoint"
    ACTIVE: ClassVar[set[str]] = {ServedState.PREPARING, ServedState.STARTING, ServedState.SERVING}

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="served")
    config = models.ForeignKey(EndpointConfig, on_delete=models.CASCADE, related_name="+")
    model_name = models.CharField(max_length=500)
    model_version = models.CharField(max_length=32)
    model_version_id = models.CharField(max_length=64)
    state = models.CharField(max_length=16, choices=ServedState.choices, default=ServedState.PREPARING)
    reason = models.TextField(blank=True)
    log = models.TextField(blank=True)
    environment = models.TextField(blank=True)
    folder = models.TextField(blank=True)
    facts = models.JSONField(default=dict)
    made_at = models.DateTimeField(default=now)
    prepare_at = models.DateTimeField(null=True)
    prepare_tries = models.PositiveSmallIntegerField(default=0)
    valid_from = models.DateTimeField(null=True)
    valid_to = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar[list[Any]] = [models.Index(fields=["endpoint", "-made_at"], name="deployments_served_recent")]

    def __str__(self) -> str:
        return f"{self.model_name} version {self.model_version}"


class ReplicaState(models.TextChoices):
    """The life of a replica."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    ENDED = "ended"
    FAILED = "failed"


class Replica(WorkspaceModel):
    """One scorer guest. Its id is the guest's."""

    resource_path = "served.endpoint"
    ALIVE: ClassVar[set[str]] = {ReplicaState.STARTING, ReplicaState.READY, ReplicaState.DRAINING}

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    served = models.ForeignKey(ServedVersion, on_delete=models.CASCADE, related_name="replicas")
    place = models.PositiveSmallIntegerField()
    socket = models.CharField(max_length=107)
    state = models.CharField(max_length=16, choices=ReplicaState.choices, default=ReplicaState.STARTING)
    reason = models.TextField(blank=True)
    health = models.JSONField(default=dict)
    silent_since = models.DateTimeField(null=True)
    started_at = models.DateTimeField(default=now)
    ready_at = models.DateTimeField(null=True)
    drain_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"replica {self.place} of {self.served}"
