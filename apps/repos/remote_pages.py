"""Pages of repositories that live elsewhere: how a transfer goes, fetch, cancel."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from apps.access.levels import Level
from apps.access.policy import fetch as fetch_thing
from apps.access.rail import level_here
from apps.foundation.pages import go, page, page_url
from apps.repos import operations, queries
from apps.repos.models import Repo


@page("repos/_sync.html")
def sync(request: HttpRequest, repo_id: str) -> dict[str, Any]:
    """How the last transfer goes; asked again until it is over."""
    repo = fetch_thing(Repo, repo_id, actor=request.actor)  # type: ignore[attr-defined]
    level = level_here(request, repo.resource) or Level.VIEW
    return {
        "repo": repo,
        "remote": queries.get_remote(repo),
        "sync": queries.newest_sync(repo),
        "edits": level >= Level.EDIT,
        "manages": level >= Level.MANAGE,
    }


@page("repos/files.html", methods=["POST"])
def fetch(request: HttpRequest, repo_id: str) -> HttpResponse:
    """Have a worker bring what was pushed over there."""
    repo = fetch_thing(Repo, repo_id, actor=request.actor)  # type: ignore[attr-defined]
    operations.fetch_remote(actor=request.actor, repo=repo)  # type: ignore[attr-defined]
    return go(request, page_url(request, "repos:files", repo_id=repo_id))


@page("repos/files.html", methods=["POST"])
def cancel(request: HttpRequest, repo_id: str) -> HttpResponse:
    """Ask the transfer under way to stop."""
    repo = fetch_thing(Repo, repo_id, actor=request.actor)  # type: ignore[attr-defined]
    operations.cancel_sync(actor=request.actor, repo=repo)  # type: ignore[attr-defined]
    return go(request, page_url(request, "repos:files", repo_id=repo_id), say="The transfer is being stopped")
