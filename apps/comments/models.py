"""Threads and their comments, with earlier texts, mentions and reactions."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from apps.access.models import Resource
from apps.access.scope import WorkspaceModel
from apps.comments.anchors import label_of
from apps.foundation.clock import now
from apps.foundation.ids import new_id

# name: its icon. Icons and not characters, which are boxes where no font has them.
REACTIONS = {
    "thumbs_up": "thumbs-up",
    "thumbs_down": "thumbs-down",
    "tada": "party-popper",
    "heart": "heart",
    "eyes": "eye",
    "rocket": "rocket",
    "idea": "lightbulb",
    "check": "check",
}


class Thread(WorkspaceModel):
    """One talk, hung on a place in a resource. `quote` is what stood there when it began; `active_at` moves with each comment."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    resource = models.ForeignKey(Resource, on_delete=models.CASCADE, related_name="+", db_index=False)
    path = models.CharField(max_length=500, blank=True)
    quote = models.CharField(max_length=1000, blank=True)
    created_at = models.DateTimeField(default=now)
    active_at = models.DateTimeField(default=now)
    resolved_at = models.DateTimeField(null=True)
    resolved_by = models.ForeignKey("access.User", null=True, on_delete=models.SET_NULL, related_name="+")
    reason = models.CharField(max_length=1000, blank=True)

    class Meta:
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["resource", "path", "-active_at", "-id"], name="comments_thread_place"),
            models.Index(fields=["workspace", "-active_at", "-id"], name="comments_thread_recent"),
        ]

    def __str__(self) -> str:
        return f"{self.resource.name}, {self.label}" if self.path else self.resource.name

    @property
    def label(self) -> str:
        """Where in the resource it hangs, as it reads; empty for the thing itself."""
        return label_of(self.path)

    @property
    def is_open(self) -> bool:
        """Whether it is still talked about."""
        return self.resolved_at is None


class Comment(WorkspaceModel):
    """One message in Markdown. A deleted one stays as a place without words."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    thread = models.ForeignKey(Thread, on_delete=models.CASCADE, related_name="comments", db_index=False)
    author = models.ForeignKey("access.User", null=True, on_delete=models.SET_NULL, related_name="+")
    author_label = models.CharField(max_length=254)
    text = models.TextField(blank=True)
    created_at = models.DateTimeField(default=now)
    edited_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)
    deleted_by_label = models.CharField(max_length=254, blank=True)

    resource_path = "thread"

    class Meta:
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["thread", "created_at", "id"], name="comments_comment_order"),
            models.Index(fields=["author", "-created_at"], name="comments_comment_author"),
        ]

    def __str__(self) -> str:
        return str(self.thread)


class EarlierText(WorkspaceModel):
    """What a comment said before it was edited, and since when."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    comment = models.ForeignKey(Comment, on_delete=models.CASCADE, related_name="earlier", db_index=False)
    text = models.TextField()
    written_at = models.DateTimeField()

    resource_path = "comment.thread"

    class Meta:
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["comment", "-written_at", "-id"], name="comments_earlier_order")
        ]


class Mention(WorkspaceModel):
    """That a comment names a person or a group as `@handle`; `reached` is false when they could not read it then."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    comment = models.ForeignKey(Comment, on_delete=models.CASCADE, related_name="mentions")
    handle = models.CharField(max_length=254)
    user = models.ForeignKey("access.User", null=True, on_delete=models.CASCADE, related_name="+")
    group = models.ForeignKey("access.Group", null=True, on_delete=models.CASCADE, related_name="+")
    reached = models.BooleanField()

    resource_path = "comment.thread"

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["comment", "handle"], name="comments_mention_once")
        ]


class Reaction(WorkspaceModel):
    """One person's sign under a comment."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    comment = models.ForeignKey(Comment, on_delete=models.CASCADE, related_name="reactions", db_index=False)
    user = models.ForeignKey("access.User", on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=16, choices=[(name, name) for name in REACTIONS])

    resource_path = "comment.thread"

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["comment", "name", "user"], name="comments_reaction_once")
        ]
