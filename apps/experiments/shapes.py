"""What the API shows and takes about experiments and runs."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.experiments.search import Comparison, Entity, Operator, Order, Stage
from apps.foundation.api import In, Out


class ExperimentOut(Out):
    id = serializers.UUIDField(source="pk")
    number = serializers.CharField()
    name = serializers.CharField()
    path = serializers.CharField(source="resource.path")
    owner = serializers.CharField(source="resource.owner.label", default=None)
    description = serializers.CharField(source="resource.description")
    tags = serializers.DictField(child=serializers.CharField())
    created_at = serializers.DateTimeField(source="resource.created_at")
    changed_at = serializers.DateTimeField()
    deleted_at = serializers.DateTimeField(source="resource.deleted_at")


class ExperimentIn(In):
    name = serializers.CharField(max_length=500)
    parent_id = serializers.UUIDField(required=False)
    tags = serializers.DictField(child=serializers.CharField(allow_blank=True), required=False)


class RenameIn(In):
    name = serializers.CharField(max_length=500)


class TagsIn(In):
    tags = serializers.DictField(child=serializers.CharField(allow_blank=True))


class ExperimentsIn(In):
    text = serializers.CharField(required=False, allow_blank=True, default="", max_length=500)
    stage = serializers.ChoiceField([stage.value for stage in Stage], default=Stage.ACTIVE.value)
    page_token = serializers.CharField(required=False, allow_blank=True, default="")
    page_size = serializers.IntegerField(min_value=1, max_value=1000, default=50)


class ComparisonIn(In):
    entity = serializers.ChoiceField([entity.value for entity in Entity])
    key = serializers.CharField(max_length=250)
    operator = serializers.ChoiceField([operator.value for operator in Operator])
    value = serializers.JSONField(required=False, default=None)


class OrderIn(In):
    entity = serializers.ChoiceField([entity.value for entity in Entity])
    key = serializers.CharField(max_length=250)
    ascending = serializers.BooleanField(default=True)


class SearchRunsIn(In):
    experiments = serializers.ListField(child=serializers.RegexField(r"^\d{1,18}$"), max_length=1000)
    where = ComparisonIn(many=True, required=False, default=list)
    order = OrderIn(many=True, required=False, default=list)
    stage = serializers.ChoiceField([stage.value for stage in Stage], default=Stage.ACTIVE.value)
    page_token = serializers.CharField(required=False, allow_blank=True, default="")
    page_size = serializers.IntegerField(min_value=1, max_value=1000, default=100)


class PointsIn(In):
    key = serializers.CharField(max_length=250)
    size = serializers.IntegerField(min_value=1, max_value=2500, default=500)


class RunOut(Out):
    """A run: its own fields, and what was logged, by key."""

    run_id = serializers.CharField()
    name = serializers.CharField()
    experiment = serializers.CharField()
    user = serializers.CharField()
    status = serializers.CharField()
    started_at = serializers.IntegerField()
    ended_at = serializers.IntegerField(allow_null=True)
    deleted = serializers.BooleanField()
    metrics = serializers.DictField()
    params = serializers.DictField()
    tags = serializers.DictField()


def comparisons(items: list[dict[str, Any]]) -> tuple[Comparison, ...]:
    """Conditions as the search takes them."""
    return tuple(
        Comparison(
            Entity(item["entity"]),
            item["key"],
            Operator(item["operator"]),
            tuple(item["value"]) if isinstance(item["value"], list) else item["value"],
        )
        for item in items
    )


def orders(items: list[dict[str, Any]]) -> tuple[Order, ...]:
    """Order keys as the search takes them."""
    return tuple(Order(Entity(item["entity"]), item["key"], item["ascending"]) for item in items)
