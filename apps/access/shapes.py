"""What the API shows and takes about access."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.access.levels import Level
from apps.foundation.api import In, Out

LEVELS = [level.word for level in Level]


class MemberOut(Out):
    user_id = serializers.UUIDField()
    kind = serializers.CharField(source="user.kind")
    email = serializers.CharField(source="user.email", allow_null=True)
    name = serializers.CharField(source="user.name")
    label = serializers.CharField(source="user.label")
    created_at = serializers.DateTimeField()
    suspended_at = serializers.DateTimeField(allow_null=True)
    seen_at = serializers.DateTimeField(allow_null=True)


class AddMemberIn(In):
    email = serializers.EmailField(max_length=254)
    is_admin = serializers.BooleanField(default=False)


class NameIn(In):
    name = serializers.CharField(max_length=255)


class OwnNameIn(In):
    name = serializers.CharField(max_length=200, allow_blank=True)


class GroupIn(In):
    name = serializers.CharField(max_length=100)
    description = serializers.CharField(max_length=500, allow_blank=True, default="")


class GroupOut(Out):
    id = serializers.CharField(source="pk")
    name = serializers.CharField()
    description = serializers.CharField()
    built_in = serializers.BooleanField()
    created_at = serializers.DateTimeField()


class UserIdIn(In):
    user_id = serializers.UUIDField()


class TokenIn(In):
    name = serializers.CharField(max_length=200)
    expires_at = serializers.DateTimeField(required=False, allow_null=True, default=None)
    scopes = serializers.ListField(child=serializers.CharField(max_length=60), required=False, max_length=30)
    user_id = serializers.UUIDField(required=False)


class TokenOut(Out):
    id = serializers.UUIDField()
    name = serializers.CharField()
    prefix = serializers.CharField()
    user = serializers.CharField(source="user.label")
    scopes = serializers.ListField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    used_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)


class NewTokenOut(TokenOut):
    token = serializers.CharField()


class ResourceOut(Out):
    id = serializers.UUIDField()
    kind = serializers.CharField()
    name = serializers.CharField()
    path = serializers.CharField()
    parent_id = serializers.UUIDField(allow_null=True)
    owner = serializers.CharField(source="owner.label", default=None, allow_null=True)
    description = serializers.CharField()
    labels = serializers.DictField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    deleted_at = serializers.DateTimeField(allow_null=True)


class DescribeIn(In):
    description = serializers.CharField(max_length=20_000, allow_blank=True, required=False)
    labels = serializers.DictField(child=serializers.CharField(max_length=500, allow_blank=True), required=False)


class FolderIn(In):
    name = serializers.CharField(max_length=255)
    parent_id = serializers.UUIDField(required=False)
    parent_path = serializers.CharField(max_length=4000, required=False)
    description = serializers.CharField(max_length=20_000, allow_blank=True, default="")


class ParentIn(In):
    parent_id = serializers.UUIDField()


class GranteeIn(In):
    grantee_kind = serializers.ChoiceField(["person", "service", "group"])
    grantee_id = serializers.CharField(max_length=40)


class ShareIn(GranteeIn):
    level = serializers.ChoiceField(LEVELS)
    expires_at = serializers.DateTimeField(required=False, allow_null=True, default=None)


class LevelField(serializers.Field):  # type: ignore[type-arg]
    """A level as its word."""

    def to_representation(self, value: Any) -> str:
        return Level(value).word


class GrantOut(Out):
    grantee_kind = serializers.CharField()
    grantee_id = serializers.CharField()
    label = serializers.CharField()
    level = LevelField()
    owner = serializers.BooleanField()
    inherited = serializers.BooleanField()
    through_kind = serializers.CharField(source="resource.kind")
    through_path = serializers.CharField(source="resource.path")
    expires_at = serializers.DateTimeField(allow_null=True)


class ReasonOut(Out):
    level = LevelField()
    through = serializers.CharField()
    group = serializers.CharField()
    resource_kind = serializers.CharField(source="resource.kind")
    resource_path = serializers.CharField(source="resource.path")
    expires_at = serializers.DateTimeField(allow_null=True)


class RequestAccessIn(In):
    level = serializers.ChoiceField(LEVELS)
    reason = serializers.CharField(max_length=2000, allow_blank=True, default="")
    days = serializers.IntegerField(min_value=1, max_value=3660, allow_null=True, default=None)


class GrantRequestIn(In):
    level = serializers.ChoiceField(LEVELS, required=False)
    days = serializers.IntegerField(min_value=1, max_value=3660, required=False)
    answer = serializers.CharField(max_length=2000, allow_blank=True, default="")


class AnswerIn(In):
    answer = serializers.CharField(max_length=2000, allow_blank=True, default="")


class AccessRequestOut(Out):
    id = serializers.UUIDField()
    resource_id = serializers.UUIDField()
    resource_kind = serializers.CharField(source="resource.kind")
    resource_path = serializers.CharField(source="resource.path")
    user = serializers.CharField(source="user.label")
    level = LevelField()
    days = serializers.IntegerField(allow_null=True)
    reason = serializers.CharField()
    state = serializers.CharField()
    created_at = serializers.DateTimeField()
    answered_at = serializers.DateTimeField(allow_null=True)
    answered_by = serializers.CharField(source="answered_by.label", default=None, allow_null=True)
    answer = serializers.CharField()


class AuditOut(Out):
    id = serializers.CharField()
    at = serializers.DateTimeField()
    verb = serializers.CharField()
    outcome = serializers.CharField()
    actor = serializers.CharField(source="actor_label")
    activity = serializers.CharField()
    request_id = serializers.CharField()
    resource_id = serializers.UUIDField(allow_null=True)
    resource_kind = serializers.CharField()
    thing = serializers.CharField(source="thing_label")
    before = serializers.JSONField()
    after = serializers.JSONField()
    comment = serializers.CharField()
    sealed = serializers.SerializerMethodField()

    def get_sealed(self, entry: Any) -> bool:
        return entry.hash is not None
