"""Workspaces (the wall), who belongs to them, and groups."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import Group as AuthGroup
from django.db import models

from apps.access.scope import WorkspaceModel
from apps.foundation.clock import now
from apps.foundation.ids import new_id


class Workspace(models.Model):
    """The wall: everything but accounts belongs to exactly one. The name is part of addresses and never reused while it stands."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=63, unique=True)
    title = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return self.name


class Membership(WorkspaceModel):
    """That an account belongs to a workspace. Suspended members act as nobody, at once."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey("access.User", on_delete=models.CASCADE, related_name="memberships")
    created_at = models.DateTimeField(default=now)
    suspended_at = models.DateTimeField(null=True, blank=True)
    seen_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["workspace", "user"], name="access_membership_once")
        ]
        indexes: ClassVar[list[Any]] = [models.Index(fields=["user"])]


class Group(WorkspaceModel):
    """Members who get grants together. `built_in` ones are `admins` and `everyone`, made with the workspace."""

    auth_group = models.OneToOneField(AuthGroup, primary_key=True, on_delete=models.CASCADE)
    name = models.CharField(max_length=100)
    description = models.CharField(max_length=500, blank=True)
    built_in = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["workspace", "name"], name="access_group_name")
        ]

    def __str__(self) -> str:
        return self.name


class GroupMember(WorkspaceModel):
    """That an account is in a group."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="members")
    user = models.ForeignKey("access.User", on_delete=models.CASCADE, related_name="group_memberships")
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["group", "user"], name="access_group_member_once")
        ]
        indexes: ClassVar[list[Any]] = [models.Index(fields=["user", "group"])]
