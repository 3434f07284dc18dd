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


class Checkout(WorkspaceModel):
    """One person's working copy of a repository: branches of their own, and changed files that are not committed yet.

    The branches are refs that no other person and no git client sees. There is no folder of files: a working file is its
    commit's, or a draft's.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    repo = models.ForeignKey(Repo, on_delete=models.CASCADE, related_name="checkouts")
    user = models.ForeignKey("access.User", on_delete=models.CASCADE, related_name="+")
    branch = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=now)

    resource_path = "repo"

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["repo", "user"], name="repos_one_checkout_per_person")
        ]

    def __str__(self) -> str:
        return f"checkout of {self.repo}"

    @property
    def refs(self) -> str:
        """Below `refs/`: where this checkout's branches are."""
        return f"boathouse/checkouts/{self.pk.hex}"

    def ref(self, branch: str = "") -> str:
        """The whole name of one of its branches; the current one's without a name."""
        return f"refs/{self.refs}/{branch or self.branch}"


class Draft(WorkspaceModel):
    """A file that differs from the commit its checkout stands on. Without `content` the path is removed.

    `sha` is the blob that the content would be, `base` the blob it was made from ("" for a new path).
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    checkout = models.ForeignKey(Checkout, on_delete=models.CASCADE, related_name="drafts")
    branch = models.CharField(max_length=200)
    path = models.CharField(max_length=4096)
    content = models.UUIDField(null=True)
    mode = models.CharField(max_length=6, default="100644")
    size_bytes = models.BigIntegerField(default=0)
    sha = models.CharField(max_length=40, blank=True)
    base = models.CharField(max_length=40, blank=True)
    saved_at = models.DateTimeField(default=now)

    resource_path = "checkout.repo"

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["checkout", "branch", "path"], name="repos_one_draft_per_path")
        ]

    def __str__(self) -> str:
        return self.path

    @property
    def kind(self) -> str:
        """added, changed or deleted."""
        return "deleted" if self.content is None else "changed" if self.base else "added"


class Remote(WorkspaceModel):
    """Where a repository was cloned from. Its branches here follow those there; the password is sealed and never shown."""

    repo = models.OneToOneField(Repo, primary_key=True, on_delete=models.CASCADE, related_name="remote")
    url = models.CharField(max_length=2000)
    username = models.CharField(max_length=200, blank=True)
    password = models.BinaryField(null=True)
    fetched_at = models.DateTimeField(null=True)

    resource_path = "repo"

    def __str__(self) -> str:
        return self.url

    @property
    def has_password(self) -> bool:
        """Whether there is one; what it is, nobody is told."""
        return self.password is not None


class Sync(WorkspaceModel):
    """One transfer with a repository's remote: a row first, a message second; the page shows the row.

    A worker holds it by `fence` while `seen_at` is young; whoever finds it old takes it over with the next fence.
    """

    class Kind(models.TextChoices):
        FETCH = "fetch"
        PUSH = "push"

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        CANCELED = "canceled"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    repo = models.ForeignKey(Repo, on_delete=models.CASCADE, related_name="syncs")
    user = models.ForeignKey("access.User", null=True, on_delete=models.SET_NULL, related_name="+")
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.FETCH)
    state = models.CharField(max_length=12, choices=State.choices, default=State.QUEUED)
    wanted = models.JSONField(default=dict)
    phase = models.CharField(max_length=200, blank=True)
    percent = models.IntegerField(null=True)
    log = models.TextField(blank=True)
    error = models.TextField(blank=True)
    fence = models.IntegerField(default=0)
    cancel_asked_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=now)
    seen_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    resource_path = "repo"

    class Meta:
        indexes: ClassVar[list[Any]] = [models.Index(fields=["repo", "-created_at", "-id"], name="repos_sync_recent")]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["repo"], name="repos_one_sync_at_a_time", condition=models.Q(state__in=["queued", "running"])
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.repo}"

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self.state not in (self.State.QUEUED, self.State.RUNNING)
