"""Current grants, in guardian's direct-key tables, and their history. Only access knows that guardian exists."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from guardian.models.models import GroupObjectPermissionBase, UserObjectPermissionBase

from apps.access.models.resources import Resource
from apps.access.scope import ScopedManager, WorkspaceModel
from apps.foundation.clock import now
from apps.foundation.ids import new_id


class GrantFields(WorkspaceModel):
    """What both kinds of grant say beside guardian's permission: the level as a number, until when, by whom."""

    level = models.PositiveSmallIntegerField()
    expires_at = models.DateTimeField(null=True, blank=True)
    granted_by = models.ForeignKey("access.User", null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=now)

    class Meta:
        abstract = True


class UserGrant(GrantFields, UserObjectPermissionBase):
    """One person's or service principal's level on one resource."""

    content_object = models.ForeignKey(
        Resource, on_delete=models.CASCADE, related_name="user_grants", db_column="resource_id"
    )

    objects: ClassVar[Any] = ScopedManager()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["content_object", "user"], name="access_user_grant_once")
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["user", "content_object", "level"], name="access_user_grant_of")
        ]


class GroupGrant(GrantFields, GroupObjectPermissionBase):
    """One group's level on one resource."""

    content_object = models.ForeignKey(
        Resource, on_delete=models.CASCADE, related_name="group_grants", db_column="resource_id"
    )

    objects: ClassVar[Any] = ScopedManager()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["content_object", "group"], name="access_group_grant_once")
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["group", "content_object", "level"], name="access_group_grant_of")
        ]


class GrantPeriod(WorkspaceModel):
    """What was granted when, kept after the thing and the account are gone: plain values, never overwritten."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    resource_id = models.UUIDField()
    grantee_kind = models.CharField(max_length=8)
    grantee_id = models.CharField(max_length=36)
    grantee_label = models.CharField(max_length=254)
    level = models.PositiveSmallIntegerField()
    valid_from = models.DateTimeField(default=now)
    valid_to = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["workspace", "resource_id", "grantee_id"], name="access_grant_period")
        ]
