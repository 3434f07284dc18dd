"""What the API shows and takes about models and versions."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.foundation.api import In, Out
from apps.registry import gates
from apps.registry.models import hex_of

Text = serializers.CharField


class ModelOut(Out):
    id = serializers.UUIDField(source="pk")
    name = Text()
    path = Text(source="resource.path")
    owner = Text(source="resource.owner.label", default=None, allow_null=True)
    description = Text(source="resource.description")
    labels = serializers.DictField(source="resource.labels", child=Text())
    tags = serializers.DictField(child=Text())
    gates = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField(source="resource.created_at")
    updated_at = serializers.DateTimeField(source="resource.updated_at")
    deleted_at = serializers.DateTimeField(source="resource.deleted_at", allow_null=True)

    def get_gates(self, model: Any) -> dict[str, dict[str, Any]]:
        """By stage: the level that passes, whether a move needs two people, and who else passes."""
        return {
            stage: {
                "level": gate.level.word,
                "two_people": gate.two_people,
                "keepers": [gates.name_of(one) for one in gate.keepers],
            }
            for stage, gate in gates.known(model).items()
        }


class VersionOut(Out):
    id = serializers.UUIDField()
    model_id = serializers.UUIDField()
    name = Text(source="model.name")
    version = serializers.IntegerField()
    stage = Text()
    aliases = serializers.ListField(source="current_aliases", child=Text())
    status = Text()
    description = Text()
    tags = serializers.DictField(child=Text())
    source = Text()
    run_id = serializers.SerializerMethodField()
    logged_model_id = serializers.SerializerMethodField()
    has_files = serializers.SerializerMethodField()
    bytes = serializers.IntegerField()
    facts = serializers.JSONField()
    created_by = Text(source="created_label")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    def get_run_id(self, version: Any) -> str:
        return hex_of(version.run)

    def get_logged_model_id(self, version: Any) -> str:
        return f"m-{version.logged_model.hex}" if version.logged_model else ""

    def get_has_files(self, version: Any) -> bool:
        return version.files_at is not None


class StagePeriodOut(Out):
    version = serializers.IntegerField(source="version.version")
    stage = Text()
    valid_from = serializers.DateTimeField()
    valid_to = serializers.DateTimeField(allow_null=True)
    actor = Text(source="actor_label")
    comment = Text()


class AliasOut(Out):
    alias = Text(source="name")
    version = serializers.IntegerField(source="version.version")
    valid_from = serializers.DateTimeField()
    valid_to = serializers.DateTimeField(allow_null=True)
    actor = Text(source="actor_label")


class TransitionRequestOut(Out):
    id = serializers.UUIDField()
    name = Text(source="version.model.name")
    version = serializers.IntegerField(source="version.version")
    version_id = serializers.UUIDField()
    from_stage = Text()
    to_stage = Text(source="stage")
    state = Text()
    archive_existing = serializers.BooleanField()
    comment = Text()
    author = Text(source="author_label")
    created_at = serializers.DateTimeField()
    answered_by = Text(source="answer_label")
    answer_comment = Text()
    answered_at = serializers.DateTimeField(allow_null=True)
    available_actions = serializers.SerializerMethodField()

    def get_available_actions(self, request: Any) -> list[str]:
        """What the caller may do with it: approve, reject, cancel."""
        names: list[str] = self.context["answers"][request.pk].names
        return names


class CreateModelIn(In):
    name = Text(max_length=255, trim_whitespace=False)
    description = Text(max_length=100_000, allow_blank=True, default="")
    tags = serializers.DictField(child=Text(allow_blank=True), required=False)


class DescriptionIn(In):
    description = Text(max_length=100_000, allow_blank=True)


class RenameIn(In):
    name = Text(max_length=255, trim_whitespace=False)


class GateIn(In):
    stage = Text(max_length=20)
    level = Text(max_length=8, required=False)
    two_people = serializers.BooleanField(required=False)
    keepers = serializers.ListField(child=Text(max_length=254), max_length=50, required=False)


class RequestTransitionIn(In):
    stage = Text(max_length=20)
    comment = Text(max_length=5000, allow_blank=True, default="")
    archive_existing = serializers.BooleanField(default=True)


class AnswerIn(In):
    comment = Text(max_length=5000, allow_blank=True, default="")


class ApproveIn(AnswerIn):
    archive_existing = serializers.BooleanField(required=False)


class RollBackIn(In):
    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    comment = Text(max_length=5000, allow_blank=True, default="")


class TagIn(In):
    key = Text(max_length=250)
    value = Text(allow_blank=True, trim_whitespace=False)


class TagKeyIn(In):
    key = Text(max_length=250)


class CreateVersionIn(In):
    source = Text(max_length=2000)
    run_id = Text(max_length=32, required=False)
    description = Text(max_length=100_000, allow_blank=True, default="")
    tags = serializers.DictField(child=Text(allow_blank=True), required=False)


class MoveToStageIn(In):
    stage = Text(max_length=20)
    archive_existing = serializers.BooleanField(default=False)
    comment = Text(max_length=5000, allow_blank=True, default="")


class AliasIn(In):
    alias = Text(max_length=255)
    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1)


class AliasNameIn(In):
    alias = Text(max_length=255)
