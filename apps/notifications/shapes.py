"""What the API shows and takes about notices, watches, preferences and activity."""

from __future__ import annotations

from rest_framework import serializers

from apps.foundation.api import In, Out
from apps.notifications.inbox import STATES
from apps.notifications.kinds import KINDS

KIND_NAMES = list(KINDS)


class NoticesIn(In):
    state = serializers.ChoiceField(STATES, default="all")
    kind = serializers.ChoiceField(KIND_NAMES, required=False)


class KindIn(In):
    kind = serializers.ChoiceField(KIND_NAMES, required=False)


class NoticeOut(Out):
    id = serializers.UUIDField()
    kind = serializers.CharField()
    actor = serializers.CharField(source="actor_label")
    text = serializers.CharField(source="__str__")
    resource_id = serializers.UUIDField(allow_null=True)
    url = serializers.CharField(help_text="Below /w/<workspace>/.")
    created_at = serializers.DateTimeField()
    read_at = serializers.DateTimeField(allow_null=True)


class CountOut(Out):
    count = serializers.IntegerField()


class WatchIn(In):
    resource_id = serializers.UUIDField()
    muted = serializers.BooleanField(default=False, help_text="Hear nothing of it, even of what one owns.")


class WatchOut(Out):
    resource_id = serializers.UUIDField()
    muted = serializers.BooleanField()
    created_at = serializers.DateTimeField()


class PreferencesIn(In):
    off = serializers.ListField(child=serializers.ChoiceField(KIND_NAMES), max_length=50)
    mail = serializers.ListField(child=serializers.ChoiceField(KIND_NAMES), max_length=50)


class PreferencesOut(Out):
    off = serializers.ListField(child=serializers.CharField())
    mail = serializers.ListField(child=serializers.CharField())


class ActivityIn(In):
    resource_id = serializers.UUIDField(required=False)
    person_id = serializers.UUIDField(required=False)
    kind = serializers.CharField(max_length=32, required=False)


class DeedOut(Out):
    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    verb = serializers.CharField()
    actor = serializers.CharField(source="actor_label")
    resource_id = serializers.UUIDField()
    resource_kind = serializers.CharField()
    text = serializers.CharField()
