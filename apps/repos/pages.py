"""Pages of repositories: the list, files at any commit, history with what each commit changed, branches, settings."""

from __future__ import annotations

from itertools import groupby
from types import SimpleNamespace
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.pages import resource_url
from apps.access.policy import fetch, fetch_path, level_of
from apps.access.queries import list_ancestors
from apps.access.resources import root_resource
from apps.foundation.errors import Invalid, NotFound
from apps.foundation.pages import Frame, Tab, go, page, page_url, parse_filter
from apps.foundation.paging import page as page_of
from apps.repos import api, git, operations, queries
from apps.repos.diffs import FileDiff, side_by_side
from apps.repos.models import Repo

README = ("README.md", "readme.md", "README", "README.txt", "README.rst")


@page("repos/list.html", methods=["GET", "POST"])
def list_repos(request: HttpRequest) -> dict[str, Any] | HttpResponse:
    """The repositories one may read; make a new one."""
    actor = request.actor  # type: ignore[attr-defined]
    if request.method == "POST":
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


def _folder(request: HttpRequest, path: str) -> Resource:
    if path in ("", "/"):
        return root_resource()
    try:
        return fetch_path(Resource, "folder", path.rstrip("/"), actor=request.actor, needs=Level.DISCOVER)  # type: ignore[attr-defined]
    except NotFound:
        raise Invalid(fields={"folder": "There is no such folder, or you may not know of it."}) from None


def _open(request: HttpRequest, repo_id: str, section: str, ref: str = "") -> tuple[Repo, dict[str, Any]]:
    """The repository, and what all of its sections show."""
    actor = request.actor  # type: ignore[attr-defined]
    repo = fetch(Repo, repo_id, actor=actor)
    refs = repo.git.refs()
    ref = ref or repo.default_branch
    commit = queries.resolve(repo, ref) if refs else ""
    level = level_of(actor, repo.resource) or Level.VIEW
    names = [("Files", "files", None), ("Commits", "commits", repo.git.commit_count(commit) if commit else 0)]
    names += [("Branches", "branches", len(refs)), *([("Settings", "settings", None)] if level >= Level.EDIT else [])]
    query = f"?ref={ref}" if ref != repo.default_branch else ""
    tabs = [
        Tab(
            label,
            page_url(request, f"repos:{name}", repo_id=repo.pk) + (query if name in ("files", "commits") else ""),
            count,
            name == section,
        )
        for label, name, count in names
    ]
    crumbs = [("Repos", page_url(request, "repos:list"))]
    crumbs += [(above.name, resource_url(request, above)) for above in list_ancestors(repo.resource) if above.parent_id]
    frame = Frame(
        "repo", repo.resource.name, crumbs, tabs,
        copy=[("Path", repo.resource.path), ("Clone address", repo.clone_url)], snippets={"CLI": f"git clone {repo.clone_url}"},
        resource=repo.resource, node=("commit", f"{repo.pk}:{commit}") if commit else (),
    )  # fmt: skip
    more = {
        "page_title": repo.resource.name,
        "frame": frame,
        "repo": repo,
        "ref": ref,
        "commit": commit,
        "refs": sorted(refs),
    }
    return repo, {**more, "edits": level >= Level.EDIT, "manages": level >= Level.MANAGE, "is_empty": not refs}


@page("repos/files.html")
def files(request: HttpRequest, repo_id: str) -> dict[str, Any]:
    """A folder or a file at a branch, tag or commit."""
    ref, path = request.GET.get("ref", ""), request.GET.get("path", "").strip("/")
    repo, context = _open(request, repo_id, "files", ref)
    if context["is_empty"]:
        return context
    sha = context["commit"]
    entry = repo.git.entry(sha, path)
    parts = path.split("/") if path else []
    context |= {"path": path, "parts": [(part, "/".join(parts[: i + 1])) for i, part in enumerate(parts)]}
    context |= {"tip": repo.git.commit(sha), "top": repo.git.tree(sha)}
    if entry.kind == "folder":
        inside = repo.git.tree(sha, path)
        changes = repo.git.last_changes(sha, path)
        readme = next((e for name in README for e in inside if e.name == name and e.kind == "file"), None)
        text = repo.git.file(sha, readme.path) if readme else None
        return context | {"inside": [(e, changes.get(e.name)) for e in inside], "readme": text}
    if entry.kind not in ("file", "link"):
        return context | {"other": entry}
    history = repo.git.history(sha, path=path, size=1)
    return context | {"file": repo.git.file(sha, path), "changed": history[0] if history else None}


@page("repos/files.html")
def by_path(request: HttpRequest, place: str) -> HttpResponse:
    """A repository by its path: `/repos/flight-delays/code`."""
    repo = fetch_path(Repo, "repo", f"/{place}", actor=request.actor)  # type: ignore[attr-defined]
    return go(request, page_url(request, "repos:files", repo_id=repo.pk))


@page("repos/files.html")
def raw(request: HttpRequest, repo_id: str) -> HttpResponseBase:
    """A file's bytes, as a download."""
    repo = fetch(Repo, repo_id, actor=request.actor)  # type: ignore[attr-defined]
    return api.download(repo, ref=request.GET.get("ref", ""), path=request.GET.get("path", ""))  # type: ignore[return-value]


@page("repos/commits.html")
def commits(request: HttpRequest, repo_id: str) -> dict[str, Any]:
    """The history of a branch, by day, beside the chosen commit and what it changed."""
    ref, chosen = request.GET.get("ref", ""), request.GET.get("commit", "")
    repo, context = _open(request, repo_id, "commits", ref)
    if context["is_empty"]:
        return context
    path = request.GET.get("path", "").strip("/")
    shown = queries.list_commits(repo, ref=context["ref"], path=path, token=request.GET.get("page_token"), size=40)
    head = chosen or (shown.items[0].sha if shown.items else "")
    change = queries.get_change(repo, head=head) if head else None
    days = [
        (day, list(row))
        for day, row in groupby(shown.items, key=lambda commit: commit.committed_at and commit.committed_at.date())
    ]
    key = f"{repo.pk}:{change.head.sha}" if change else ""
    return context | {
        "page": shown,
        "days": days,
        "path": path,
        "change": change,
        "node_key": key,
        "diffs": _diffs(change),
    }


@page("repos/compare.html")
def compare(request: HttpRequest, repo_id: str) -> dict[str, Any]:
    """What one branch, tag or commit has that another has not."""
    repo, context = _open(request, repo_id, "commits")
    base, head = request.GET.get("base", ""), request.GET.get("head", "")
    if context["is_empty"] or not base or not head:
        return context | {"base": base or repo.default_branch, "head": head}
    change = queries.get_change(repo, head=head, base=base, three_dot=request.GET.get("direct") != "on")
    return context | {"base": base, "head": head, "change": change, "diffs": _diffs(change)}


def _diffs(change: queries.Change | None) -> list[SimpleNamespace]:
    """The files of a change as the diff tag prints them."""
    return [_rows(file) for file in change.diff.files] if change else []


def _rows(file: FileDiff) -> SimpleNamespace:
    rows: list[dict[str, Any]] = []
    for hunk in file.hunks:
        rows.append({"hunk": hunk.heading or f"line {hunk.new_start}"})
        for left, right in side_by_side(hunk):
            same = left.kind == right.kind == "same"
            row: dict[str, Any] = {"same": True} if same else {}
            if left.kind != "void":
                row |= {"old_n": left.number, "old": left.text}
            if right.kind != "void":
                row |= {"new_n": right.number, "new": right.text}
            rows.append(row)
    return SimpleNamespace(path=file.path, rows=rows, binary=file.is_binary, file=file)


@page("repos/branches.html", methods=["GET", "POST"])
def branches(request: HttpRequest, repo_id: str) -> dict[str, Any] | HttpResponse:
    """Branches with how far each is from the default one, and tags; make and delete branches."""
    actor = request.actor  # type: ignore[attr-defined]
    repo, context = _open(request, repo_id, "branches")
    if request.method == "POST":
        here, name = page_url(request, "repos:branches", repo_id=repo.pk), request.POST.get("name", "").strip()
        if request.POST.get("act") == "delete":
            operations.delete_branch(actor=actor, repo=repo, name=name, commit=request.POST.get("commit", ""))
            return go(request, here, say=f"Branch {name} deleted")
        operations.create_branch(actor=actor, repo=repo, name=name, ref=request.POST.get("ref", ""))
        return go(request, here, say=f"Branch {name} made")
    if context["is_empty"]:
        return context
    shown = queries.list_branches(repo, token=request.GET.get("page_token"))
    tags: list[git.Ref] = queries.list_tags(repo, size=100).items
    return context | {"page": shown, "tags": tags}


@page("repos/settings.html", methods=["GET", "POST"])
def settings(request: HttpRequest, repo_id: str) -> dict[str, Any] | HttpResponse:
    """Name, default branch, trash."""
    repo, context = _open(request, repo_id, "settings")
    if request.method == "POST":
        actor, branch = request.actor, request.POST.get("branch", "")  # type: ignore[attr-defined]
        operations.set_default_branch(actor=actor, repo=repo, branch=branch)
        return go(
            request, page_url(request, "repos:settings", repo_id=repo.pk), say=f"{branch} is the default branch now"
        )
    return context
