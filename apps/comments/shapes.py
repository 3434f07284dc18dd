"""What the API shows and takes about threads and comments."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.comments.anchors import PATH_MAX
from apps.comments.markup import TEXT_MAX, comment_html
from apps.comments.models import REACTIONS, Comment
from apps.comments.operations import QUOTE_MAX, REASON_MAX
from apps.comments.queries import STATES
from apps.foundation.api import In, Out


class TextIn(In):
    text = serializers.CharField(max_length=TEXT_MAX, trim_whitespace=False)


class ThreadIn(TextIn):
    resource_id = serializers.UUIDField()
    path = serializers.CharField(max_length=PATH_MAX, allow_blank=True, required=False)
    quote = serializers.CharField(max_length=QUOTE_MAX, allow_blank=True, required=False)


class ThreadsIn(In):
    resource_id = serializers.UUIDField(required=False)
    path = serializers.CharField(max_length=PATH_MAX, allow_blank=True, required=False)
    state = serializers.ChoiceField(STATES, default="open")


class ReasonIn(In):
    reason = serializers.CharField(max_length=REASON_MAX, allow_blank=True, required=False)


class ReactionIn(In):
    name = serializers.ChoiceField(list(REACTIONS))


class ReactionOut(serializers.Serializer[Any]):
    name = serializers.CharField()
    by = serializers.CharField(source="user.label")


class MentionOut(serializers.Serializer[Any]):
    handle = serializers.CharField()
    reached = serializers.BooleanField(help_text="Whether whoever is named could view the resource and was told.")


class CommentOut(Out):
    id = serializers.UUIDField()
    thread_id = serializers.UUIDField()
    author = serializers.CharField(source="author_label")
    text = serializers.CharField()
    html = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    edited_at = serializers.DateTimeField(allow_null=True)
    deleted_at = serializers.DateTimeField(allow_null=True)
    reactions = ReactionOut(many=True, source="reactions.all")
    mentions = MentionOut(many=True, source="mentions.all")

    @extend_schema_field(serializers.CharField())
    def get_html(self, comment: Comment) -> str:
        names = tuple(sorted((mention.handle, mention.handle) for mention in comment.mentions.all()))
        return comment_html(comment.text, names) if comment.text else ""


class EarlierOut(Out):
    text = serializers.CharField()
    written_at = serializers.DateTimeField()


class ThreadOut(Out):
    id = serializers.UUIDField()
    resource_id = serializers.UUIDField()
    path = serializers.CharField()
    label = serializers.CharField()
    quote = serializers.CharField()
    created_at = serializers.DateTimeField()
    active_at = serializers.DateTimeField()
    resolved_at = serializers.DateTimeField(allow_null=True)
    resolved_by = serializers.CharField(source="resolved_by.label", allow_null=True, default=None)
    reason = serializers.CharField()
    comment_count = serializers.SerializerMethodField()

    @extend_schema_field(serializers.IntegerField())
    def get_comment_count(self, thread: Any) -> int:
        known = getattr(thread, "comment_count", None)
        return thread.comments.count() if known is None else known
