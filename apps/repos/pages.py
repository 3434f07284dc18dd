"""Pages of repositories: the list, branches and tags, settings."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.policy import fetch_path
from apps.access.resources import root_resource
from apps.foundation.errors import Invalid, NotFound
from apps.foundation.pages import go, page, page_url, parse_filter
from apps.foundation.paging import page as page_of
from apps.repos import operations, queries
from apps.repos.models import Repo
from apps.repos.opening import open_repo


@page("repos/list.html", methods=["GET", "POST"])
def list_repos(request: HttpRequest) -> dict[str, Any] | HttpResponse:
    """The repositories one may read; make a new one."""
    actor = request.actor  # type: ignore[attr-defined]
    if request.method == "POST":
        if request.POST.get("act") == "clone":
            return _clone(request)
        wish = {name: request.POST.get(name, "").strip() for name in ("name", "description")}
        branch = request.POST.get("default_branch", "").strip() or "main"
        parent = _folder(request, request.POST.get("folder", "/").strip())
        repo = operations.create_repo(actor=actor, parent=parent, default_branch=branch, **wish)
        return go(request, page_url(request, "repos:files", repo_id=repo.pk))
    wanted = parse_filter(request, [])
    found = queries.list_repos(actor)
    if wanted.words:
        found = found.filter(resource__name__icontains=wanted.words)
    rows = page_of(found, order=("-resource__updated_at", "-pk"), token=request.GET.get("page_token"))
    return {"page_title": "Repos", "page": rows, "filter": wanted, "home": f"/Users/{actor.label}"}


def _clone(request: HttpRequest) -> HttpResponse:
    wish = {name: request.POST.get(name, "").strip() for name in ("name", "url", "username", "description")}
    wish["name"] = wish["name"] or wish["url"].rstrip("/").rpartition("/")[2].removesuffix(".git")
    parent, actor = _folder(request, request.POST.get("folder", "/").strip()), request.actor  # type: ignore[attr-defined]
    repo = operations.clone_repo(actor=actor, parent=parent, password=request.POST.get("password", ""), **wish)
    return go(request, page_url(request, "repos:files", repo_id=repo.pk))


def _folder(request: HttpRequest, path: str) -> Resource:
    if path in ("", "/"):
        return root_resource()
    try:
        return fetch_path(Resource, "folder", path.rstrip("/"), actor=request.actor, needs=Level.DISCOVER)  # type: ignore[attr-defined]
    except NotFound:
        raise Invalid(fields={"folder": "There is no such folder, or you may not know of it."}) from None


@page("repos/files.html")
def by_path(request: HttpRequest, place: str) -> HttpResponse:
    """A repository by its path: `/repos/flight-delays/code`."""
    repo = fetch_path(Repo, "repo", f"/{place}", actor=request.actor)  # type: ignore[attr-defined]
    return go(request, page_url(request, "repos:files", repo_id=repo.pk))


@page("repos/branches.html", methods=["GET", "POST"])
def branches(request: HttpRequest, repo_id: str) -> dict[str, Any] | HttpResponse:
    """Branches with how far each is from the default one, and tags; make and delete branches."""
    actor = request.actor  # type: ignore[attr-defined]
    opened = open_repo(request, repo_id)
    repo = opened.repo
    if request.method == "POST":
        here, name = page_url(request, "repos:branches", repo_id=repo.pk), request.POST.get("name", "").strip()
        if request.POST.get("act") == "delete":
            operations.delete_branch(actor=actor, repo=repo, name=name, commit=request.POST.get("commit", ""))
            return go(request, here, say=f"Branch {name} deleted")
        if request.POST.get("act") == "forget":
            checkout = queries.my_checkout(actor, repo)
            operations.forget_branch(actor=actor, checkout=checkout, branch=name)
            return go(request, here, say=f"{name} is gone from your checkout")
        operations.create_branch(actor=actor, repo=repo, name=name, ref=request.POST.get("ref", ""))
        return go(request, here, say=f"Branch {name} made")
    context = opened.context("branches")
    shown = queries.list_branches(repo, token=request.GET.get("page_token"))
    checkout = opened.here.checkout
    own = sorted(set(repo.git.refs(checkout.refs)) - set(opened.heads)) if checkout else []
    return context | {"page": shown, "tags": queries.list_tags(repo, size=100).items, "own_branches": own}


@page("repos/settings.html", methods=["GET", "POST"])
def settings(request: HttpRequest, repo_id: str) -> dict[str, Any] | HttpResponse:
    """Name, default branch, trash."""
    opened = open_repo(request, repo_id)
    if request.method == "POST":
        actor, branch = request.actor, request.POST.get("branch", "")  # type: ignore[attr-defined]
        if request.POST.get("act") == "remote":
            wish = {name: request.POST.get(name, "").strip() for name in ("url", "username")}
            password = request.POST.get("password") or ("" if "forget" in request.POST else None)
            operations.change_remote(actor=actor, repo=opened.repo, password=password, **wish)
            return go(request, page_url(request, "repos:files", repo_id=repo_id), say="Saved, and tried now")
        operations.set_default_branch(actor=actor, repo=opened.repo, branch=branch)
        return go(
            request, page_url(request, "repos:settings", repo_id=repo_id), say=f"{branch} is the default branch now"
        )
    return opened.context("settings")
