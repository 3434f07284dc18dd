"""Watches, notices, preferences, and the outbox of what still has to be told."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q

from apps.access.models import Resource
from apps.access.scope import WorkspaceModel
from apps.foundation.clock import now
from apps.foundation.ids import new_id


class Watch(WorkspaceModel):
    """That somebody wants to hear of a resource, or, `muted`, expressly not. Owners hear of theirs without one."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey("access.User", on_delete=models.CASCADE, related_name="+")
    resource = models.ForeignKey(Resource, on_delete=models.CASCADE, related_name="+", db_index=False)
    muted = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["resource", "user"], name="notifications_watch_once")
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["user", "-created_at", "-id"], name="notifications_watch_of")
        ]

    def __str__(self) -> str:
        return str(self.resource)


class Notice(WorkspaceModel):
    """One message to one person. It says who did what to which thing and leads there; it never repeats what others wrote.

    `text` is the sentence after the actor's name, `{thing}` in it is `label`. `about` names what has words of its own
    (`comment:<id>`), which are read afresh, as the reader may, whenever the notice is shown. `level` is what the reader must hold
    on the resource for the notice to exist to them; 0 for what was meant for them anyway (the answer to their own request).
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey("access.User", on_delete=models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=32)
    resource = models.ForeignKey(Resource, null=True, on_delete=models.CASCADE, related_name="+")
    level = models.PositiveSmallIntegerField(default=2)
    actor_label = models.CharField(max_length=254, blank=True)
    text = models.CharField(max_length=500)
    label = models.CharField(max_length=1000, blank=True)
    detail = models.CharField(max_length=500, blank=True)
    about = models.CharField(max_length=100, blank=True)
    url = models.CharField(max_length=2000)
    entry_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(default=now)
    read_at = models.DateTimeField(null=True)
    mailed_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["user", "entry_id"], name="notifications_notice_once", condition=Q(entry_id__isnull=False)
            )
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["user", "workspace", "-created_at", "-id"], name="notifications_notice_of"),
            models.Index(fields=["user", "workspace"], name="notifications_notice_unread", condition=Q(read_at=None)),
            models.Index(fields=["created_at"], name="notifications_notice_age"),
        ]

    def __str__(self) -> str:
        return self.text.replace("{thing}", self.label)


class Preference(WorkspaceModel):
    """What one person wants to be told in this workspace: kinds that they do not want, and kinds that come by mail too."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey("access.User", on_delete=models.CASCADE, related_name="+")
    off = models.JSONField(default=list)
    mail = models.JSONField(default=list)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["workspace", "user"], name="notifications_preference_once")
        ]


class Outbox(WorkspaceModel):
    """That an audit entry has not been told yet: written with the entry, deleted with its notices."""

    entry_id = models.BigIntegerField(primary_key=True)
    created_at = models.DateTimeField(default=now)

    class Meta:
        indexes: ClassVar[list[Any]] = [models.Index(fields=["created_at"], name="notifications_outbox_age")]
