"""A repository opened for a page: who looks, where they stand, and what every section of it shows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote

from django.http import HttpRequest

from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.pages import resource_url
from apps.access.policy import fetch
from apps.access.queries import list_ancestors
from apps.access.rail import level_here
from apps.foundation.pages import Frame, Tab, page_url
from apps.jobs import queries as jobs
from apps.repos import queries
from apps.repos.models import Repo
from apps.repos.worktree import Worktree, find_checkout, stand


@dataclass
class Opened:
    """A repository as one person sees it: at a ref that they asked for, or where they stand."""

    request: HttpRequest
    repo: Repo
    level: Level
    here: Worktree
    heads: dict[str, str]
    asked: str

    @property
    def actor(self) -> Actor:
        """Who looks."""
        return self.request.actor  # type: ignore[attr-defined,no-any-return]

    @property
    def edits(self) -> bool:
        """Whether they may change anything."""
        return self.level >= Level.EDIT

    @property
    def is_own(self) -> bool:
        """Whether this is their own worktree, where files can be changed, and not a ref that they read."""
        return self.edits and not self.asked

    @cached_property
    def commit(self) -> str:
        """The commit that is shown; "" while there is none."""
        return queries.resolve(self.repo, self.asked) if self.asked else self.here.commit

    @property
    def ref(self) -> str:
        """What is shown, as people call it."""
        return self.asked or self.here.branch

    def url(self, name: str, **query: str) -> str:
        """The address of a section, at the same ref."""
        asked = {"ref": self.asked, **query} if self.asked else query
        said = "&".join(f"{key}={quote(value, safe='')}" for key, value in asked.items() if value)
        return page_url(self.request, f"repos:{name}", repo_id=self.repo.pk) + (f"?{said}" if said else "")

    def context(self, section: str) -> dict[str, Any]:
        """What the frame of every section prints."""
        repo = self.repo
        return {
            "page_title": repo.resource.name,
            "frame": self._frame(section),
            "repo": repo,
            "here": self.here,
            "ref": self.ref,
            "asked": self.asked,
            "commit": self.commit,
            "refs": sorted(self.heads),
            "edits": self.edits,
            "manages": self.level >= Level.MANAGE,
            "own": self.is_own,
            "is_empty": not self.commit,
            "remote": (remote := queries.find_remote(repo)),
            "sync": queries.newest_sync(repo) if remote else None,
            "jobs": list(jobs.list_jobs(self.actor).filter(source=repo.resource)[:6]),
        }

    def _frame(self, section: str) -> Frame:
        repo, request = self.repo, self.request
        names = [
            ("Files", "files", None),
            ("Commits", "commits", self._count()),
            ("Branches", "branches", len(self.heads)),
        ]
        names += [("Settings", "settings", None)] if self.edits else []
        tabs = [Tab(label, self.url(name), count, name == section) for label, name, count in names]
        crumbs: list[tuple[str, str | None]] = [("Repos", page_url(request, "repos:list"))]
        crumbs += [(one.name, resource_url(request, one)) for one in list_ancestors(repo.resource) if one.parent_id]
        clone = f"git clone {repo.clone_url}"
        api = f"curl -H 'Authorization: Bearer $BOATHOUSE_TOKEN' {request.build_absolute_uri('/')}api/v1/repos/{repo.pk}/commits"
        return Frame(
            "repo", repo.resource.name, crumbs, tabs,
            copy=[("Path", repo.resource.path), ("Clone address", repo.clone_url)], snippets={"CLI": clone, "curl": api},
            resource=repo.resource, node=("commit", f"{repo.pk}:{self.commit}") if self.commit else (),
        )  # fmt: skip

    def _count(self) -> int:
        return self.repo.git.commit_count(self.commit) if self.commit else 0


def open_repo(request: HttpRequest, repo_id: str) -> Opened:
    """The repository for a page, at the ref in the address or where its reader stands."""
    actor = request.actor  # type: ignore[attr-defined]
    repo = fetch(Repo, repo_id, actor=actor)
    level = level_here(request, repo.resource) or Level.VIEW
    heads = repo.git.refs()
    checkout = find_checkout(actor, repo) if level >= Level.EDIT else None
    asked = request.GET.get("ref", "")
    return Opened(request, repo, level, stand(repo, checkout, heads), heads, asked)
