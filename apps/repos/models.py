"""Repositories and what was pushed to them. Commits and branches themselves live in git."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import quote

from django.conf import settings
from django.db import models

from apps.access.models import Resource
from apps.access.scope import WorkspaceModel
from apps.access.storage import location
from apps.foundation.clock import now
from apps.foundation.ids import new_id
from apps.repos import git


class Repo(WorkspaceModel):
    """A git repository hosted here."""

    resource = models.OneToOneField(Resource, primary_key=True, on_delete=models.CASCADE, related_name="repo")
    default_branch = models.CharField(max_length=200, default="main")

    def __str__(self) -> str:
        return self.resource.path

    @property
    def git(self) -> git.Repository:
        """The repository itself, on disk."""
        return git.Repository(location(self.resource, "repo.git"))

    @property
    def clone_url(self) -> str:
        """What one gives to `git clone`."""
        return f"{settings.BOATHOUSE_URL}/git/{self.resource.workspace.name}{quote(self.resource.path)}.git"


class Push(WorkspaceModel):
    """One push: what it wanted to move, noted before git began, and what moved, noted before the client was told.

    `wanted` and `moved` are lists of {ref, old, new}. A push whose web process died has no `settled_at`; a task looks what it did.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    repo = models.ForeignKey(Repo, on_delete=models.CASCADE, related_name="pushes")
    user = models.ForeignKey("access.User", null=True, on_delete=models.SET_NULL, related_name="+")
    wanted = models.JSONField(default=list)
    moved = models.JSONField(default=list)
    started_at = models.DateTimeField(default=now)
    settled_at = models.DateTimeField(null=True)

    resource_path = "repo"

    class Meta:
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["repo", "-started_at", "-id"], name="repos_push_recent"),
            models.Index(
                fields=["started_at"], name="repos_push_unsettled", condition=models.Q(settled_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"push to {self.repo}"
