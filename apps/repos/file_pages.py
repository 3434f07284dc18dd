"""Pages of a repository's files: folders, a file to read, to edit, or with who changed each line; the tree and finding a file."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from apps.access.levels import Level
from apps.foundation.errors import Forbidden, Invalid, NotFound
from apps.foundation.pages import page, page_url
from apps.jobs import queries as jobs
from apps.repos import api, contents, git, refnames
from apps.repos.opening import Opened, open_repo
from apps.repos.worktree import Item, Worktree

README = ("README.md", "readme.md", "README", "README.txt", "README.rst")
FOUND = 40


@page("repos/files.html")
def files(request: HttpRequest, repo_id: str) -> dict[str, Any]:
    """A folder or a file: where one stands, or at a branch, tag or commit."""
    opened = open_repo(request, repo_id)
    context = opened.context("files")
    path = refnames.require_path(request.GET.get("path", "").strip("/"))
    parts = path.split("/") if path else []
    context |= {"path": path, "parts": [(part, "/".join(parts[: i + 1])) for i, part in enumerate(parts)]}
    place = _place(opened)
    if not opened.commit and not (opened.is_own and (place.drafts or "edit" in request.GET)):
        return context | {"nothing": True}
    context |= {"tip": opened.repo.git.commit(opened.commit) if opened.commit else None}
    context |= {"tree": _tree(place, "", path), "checks": _checks(opened, opened.commit)}
    kind = place.kind_at(path) if path else "folder"
    if opened.is_own and "edit" in request.GET:
        return context | _editor(opened, path, kind)
    if kind == "folder":
        return context | _folder(opened, place, path)
    if kind in ("file", "link"):
        return context | _file(opened, place, path)
    if kind == "submodule":
        return context | {"other": place.entry(path)}
    if path in place.drafts:
        return context | {"removed": place.drafts[path]}
    raise NotFound(f"There is no {path} here.")


@page("repos/_tree.html")
def tree(request: HttpRequest, repo_id: str) -> dict[str, Any]:
    """The inside of one folder of the tree at the left, when it is opened."""
    opened = open_repo(request, repo_id)
    folder = refnames.require_path(request.GET.get("path", "").strip("/"))
    return {"tree": _tree(_place(opened), folder, ""), "repo": opened.repo, "asked": opened.asked, "path": ""}


@page("repos/_found.html")
def find(request: HttpRequest, repo_id: str) -> dict[str, Any]:
    """Files whose path has the typed letters in it."""
    opened = open_repo(request, repo_id)
    words = request.GET.get("q", "").casefold().split()
    place = _place(opened)
    names = {entry.path for entry in opened.repo.git.walk(opened.commit)} if opened.commit else set()
    names |= {path for path, draft in place.drafts.items() if draft.content}
    found = [name for name in names if all(word in name.casefold() for word in words)] if words else []
    found.sort(key=lambda name: (words[-1] not in name.rpartition("/")[2].casefold(), len(name), name))
    return {
        "found": found[:FOUND],
        "more": max(0, len(found) - FOUND),
        "words": words,
        "repo": opened.repo,
        "asked": opened.asked,
    }


@page("repos/files.html")
def raw(request: HttpRequest, repo_id: str) -> HttpResponseBase:
    """A file's bytes, as a download."""
    opened = open_repo(request, repo_id)
    path = request.GET.get("path", "")
    draft = opened.here.drafts.get(path) if not opened.asked else None
    if draft is not None and draft.content:
        return api.attachment(path, [contents.read(draft, draft.size_bytes)], draft.size_bytes)  # type: ignore[return-value]
    return api.download(opened.repo, ref=opened.asked or opened.commit, path=path)  # type: ignore[return-value]


def _place(opened: Opened) -> Worktree:
    """The worktree that is shown: one's own, or a commit without changes."""
    return opened.here if not opened.asked else Worktree(opened.repo, opened.asked, opened.commit, "")


def _folder(opened: Opened, place: Worktree, path: str) -> dict[str, Any]:
    inside = place.items(path)
    changes = opened.repo.git.last_changes(opened.commit, path) if opened.commit else {}
    readme = next((item for name in README for item in inside if item.name == name and item.kind == "file"), None)
    text = place.read(readme.path) if readme and readme.mark != "D" else None
    return {"inside": [(item, changes.get(item.name)) for item in inside], "readme": text}


def _file(opened: Opened, place: Worktree, path: str) -> dict[str, Any]:
    history = opened.repo.git.history(opened.commit, path=path, size=1) if opened.commit else []
    blamed = None
    file = place.read(path)
    if "blame" in opened.request.GET and history and not file.is_binary:
        blamed = git.blame(opened.repo.git, opened.commit, path)
    return {
        "file": file,
        "changed": history[0] if history else None,
        "blamed": blamed,
        "is_link": place.kind_at(path) == "link",
    }


def _editor(opened: Opened, path: str, kind: str) -> dict[str, Any]:
    """What the editor island works on."""
    if opened.level < Level.EDIT:
        raise Forbidden("Changing files needs can edit.", needs="edit")
    if kind not in ("file", ""):
        raise Invalid(f"{path} is a {kind}, which the editor cannot change.")
    place = opened.here
    file = place.read(path) if kind == "file" else None
    if file is not None and (file.is_binary or file.is_cut):
        return {"file": file, "changed": None, "uneditable": True}
    draft = place.drafts.get(path)
    content = {
        "path": path,
        "text": file.text if file else "",
        "version": file.version if file else "",
        "save": f"/api/v1/repos/{opened.repo.pk}/checkout/save",
        "read": f"/api/v1/repos/{opened.repo.pk}/checkout/file",
        "workspace": opened.actor.workspace.name,
        "key": f"{opened.actor.user_id}:{opened.repo.pk}:{place.branch}:{path}",
        "saved": draft.saved_at.isoformat() if draft else "",
    }
    return {
        "editing": SimpleNamespace(path=path, name=path.rpartition("/")[2], content=content, is_new=file is None),
        "file": file,
    }


def _tree(place: Worktree, folder: str, path: str) -> list[dict[str, Any]]:
    """The lines of one folder; those on the way to `path` come open, the others fetch what they hold when they open."""
    try:
        items: list[Item] = place.items(folder)
    except NotFound:
        return []
    lines: list[dict[str, Any]] = []
    for item in items:
        on_way = item.kind == "folder" and (path == item.path or path.startswith(f"{item.path}/"))
        lines.append({"item": item, "inside": _tree(place, item.path, path) if on_way else None})
    return lines


def _checks(opened: Opened, commit: str) -> Any:
    """The last job run from a commit, for the mark beside it."""
    if not commit:
        return None
    runs = jobs.list_runs(opened.actor).filter(source=opened.repo.resource, commit=commit)
    run = runs.order_by("-created_at").first()
    return SimpleNamespace(run=run, url=page_url(opened.request, "jobs:run", run_id=run.pk)) if run else None
