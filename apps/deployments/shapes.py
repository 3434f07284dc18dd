"""What the API shows and takes about endpoints."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.deployments.models import Follows
from apps.deployments.operations import REPLICAS_MAX
from apps.foundation.api import In, Out


class TargetIn(In):
    model = serializers.CharField(max_length=500, help_text="the registered model's name")
    follows = serializers.ChoiceField(choices=Follows.values, help_text="what `value` is")
    value = serializers.CharField(max_length=255, help_text="a version's number, a stage, or an alias")
    replicas = serializers.IntegerField(min_value=1, max_value=REPLICAS_MAX, default=1)


class EndpointIn(TargetIn):
    name = serializers.CharField(max_length=63)
    parent_id = serializers.UUIDField(required=False)
    parent_path = serializers.CharField(required=False)
    inference_table = serializers.CharField(
        max_length=400, allow_blank=True, default="", help_text="catalog.schema.table"
    )
    description = serializers.CharField(max_length=10_000, allow_blank=True, default="")


class ConfigOut(Out):
    number = serializers.IntegerField()
    model = serializers.CharField(source="model_name")
    follows = serializers.CharField()
    value = serializers.CharField()
    replicas = serializers.IntegerField()
    made_by = serializers.CharField(source="made_by.label", allow_null=True, default=None)
    valid_from = serializers.DateTimeField()
    valid_to = serializers.DateTimeField(allow_null=True)


class ServedOut(Out):
    id = serializers.UUIDField()
    model = serializers.CharField(source="model_name")
    version = serializers.CharField(source="model_version")
    state = serializers.CharField()
    reason = serializers.CharField()
    facts = serializers.JSONField()
    made_at = serializers.DateTimeField()
    valid_from = serializers.DateTimeField(allow_null=True)
    valid_to = serializers.DateTimeField(allow_null=True)


class ReplicaOut(Out):
    id = serializers.UUIDField()
    served_id = serializers.UUIDField()
    place = serializers.IntegerField()
    state = serializers.CharField()
    reason = serializers.CharField()
    health = serializers.JSONField()
    started_at = serializers.DateTimeField()
    ready_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class EndpointOut(Out):
    id = serializers.UUIDField(source="pk")
    name = serializers.CharField(allow_null=True)
    path = serializers.CharField(source="resource.path")
    description = serializers.CharField(source="resource.description")
    owner = serializers.CharField(source="resource.owner.label", allow_null=True, default=None)
    url = serializers.CharField(source="url_path")
    state = serializers.CharField()
    reason = serializers.CharField()
    state_changed_at = serializers.DateTimeField()
    inference_table = serializers.CharField(source="inference_table.path", allow_null=True, default=None)
    created_at = serializers.DateTimeField(source="resource.created_at")


class EndpointDetailOut(EndpointOut):
    config = ConfigOut()
    serving = serializers.SerializerMethodField()
    coming = serializers.SerializerMethodField()

    def get_serving(self, endpoint: Any) -> dict[str, Any] | None:
        """The version in traffic."""
        return ServedOut(endpoint.serving).data if endpoint.serving else None

    def get_coming(self, endpoint: Any) -> dict[str, Any] | None:
        """The version on its way into traffic, or the newest that failed on it."""
        return ServedOut(endpoint.coming).data if endpoint.coming else None


class RequestOut(Out):
    id = serializers.CharField()
    at = serializers.DateTimeField()
    status = serializers.IntegerField()
    milliseconds = serializers.IntegerField()
    model_version = serializers.CharField()
    requester = serializers.CharField()
    request = serializers.CharField()
    response = serializers.CharField()


class TailOut(Out):
    items = RequestOut(many=True)
    hidden = serializers.BooleanField()


class MinuteOut(Out):
    at = serializers.IntegerField(help_text="minutes since 1970")
    requests = serializers.IntegerField()
    refused = serializers.IntegerField()
    errors = serializers.IntegerField()


class FiguresOut(Out):
    minutes = MinuteOut(many=True)
    requests = serializers.IntegerField()
    refused = serializers.IntegerField()
    errors = serializers.IntegerField()
    p50_ms = serializers.FloatField(allow_null=True)
    p95_ms = serializers.FloatField(allow_null=True)
    p99_ms = serializers.FloatField(allow_null=True)
