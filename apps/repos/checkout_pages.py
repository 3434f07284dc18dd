"""What the buttons of a checkout do: switch, pull, push, files made, renamed, removed and uploaded, and the commit dialog."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse

from apps.access.levels import Level
from apps.access.policy import fetch
from apps.foundation.errors import Invalid
from apps.foundation.pages import go, page, page_url
from apps.repos import operations, queries, refnames
from apps.repos.models import Checkout, Repo
from apps.repos.opening import open_repo
from apps.repos.sidebyside import icon_of
from apps.repos.worktree import stand


@page("repos/_branch_menu.html")
def branch_menu(request: HttpRequest, repo_id: str) -> dict[str, Any]:
    """The branches to switch to: one's own and everybody's, with what each has to push and to pull."""
    opened = open_repo(request, repo_id)
    rows = queries.branch_rows(opened.repo, opened.heads, opened.here.checkout, opened.here.branch)
    return {"rows": rows, "here": opened.here, "repo": opened.repo, "edits": opened.edits, "ref": opened.ref}


@page("repos/files.html", methods=["POST"])
def switch(request: HttpRequest, repo_id: str) -> HttpResponse:
    """Stand on another branch, or on a new one."""
    checkout = _checkout(request, repo_id)
    branch, asked = request.POST.get("branch", "").strip(), request.POST
    operations.switch_branch(
        actor=_actor(request), checkout=checkout, branch=branch, create="create" in asked, keep="keep" in asked
    )
    return _back(request, repo_id, say=f"You are on {branch} now")


@page("repos/files.html", methods=["POST"])
def pull(request: HttpRequest, repo_id: str) -> HttpResponse:
    """Bring the pushed commits in."""
    checkout = _checkout(request, repo_id)
    commit = operations.pull(actor=_actor(request), checkout=checkout)
    return _back(request, repo_id, say=f"Pulled: you stand on {commit.short} now")


@page("repos/files.html", methods=["POST"])
def push(request: HttpRequest, repo_id: str) -> HttpResponse:
    """Give one's commits to everybody."""
    checkout = _checkout(request, repo_id)
    operations.push_branch(actor=_actor(request), checkout=checkout)
    return _back(request, repo_id, say=f"Pushed {checkout.branch}")


@page("repos/files.html", methods=["POST"])
def rename(request: HttpRequest, repo_id: str) -> HttpResponse:
    """Give a file or folder another path."""
    path, to = request.POST.get("path", ""), request.POST.get("to", "").strip().strip("/")
    operations.rename_file(actor=_actor(request), checkout=_checkout(request, repo_id), path=path, to=to)
    return _back(request, repo_id, to, say=f"Renamed to {to}; commit it to keep that")


@page("repos/files.html", methods=["POST"])
def remove(request: HttpRequest, repo_id: str) -> HttpResponse:
    """Delete a file or folder in one's checkout."""
    path = request.POST.get("path", "")
    operations.delete_file(actor=_actor(request), checkout=_checkout(request, repo_id), path=path)
    return _back(request, repo_id, path.rpartition("/")[0], say=f"Deleted {path}; discard the change to have it back")


@page("repos/files.html", methods=["POST"])
def discard(request: HttpRequest, repo_id: str) -> HttpResponse:
    """Bring a file back to how the commit has it."""
    paths = request.POST.getlist("path")
    count = operations.discard_drafts(actor=_actor(request), checkout=_checkout(request, repo_id), paths=paths)
    return _back(
        request,
        repo_id,
        request.POST.get("at", ""),
        say=f"Discarded the changes of {count} file{'s' if count > 1 else ''}",
    )


@page("repos/files.html", methods=["POST"])
def create(request: HttpRequest, repo_id: str) -> HttpResponse:
    """Open the editor on a new path; the file begins with its first save."""
    name = request.POST.get("name", "").strip().strip("/")
    folder = refnames.require_path(request.POST.get("folder", "").strip("/"))
    checkout = _checkout(request, repo_id)
    path = stand(checkout.repo, checkout).require_free(f"{folder}/{name}" if folder else name)
    return go(request, page_url(request, "repos:files", repo_id=repo_id) + _query(path) + "&edit=1")


@page("repos/files.html", methods=["POST"])
def upload(request: HttpRequest, repo_id: str) -> HttpResponse:
    """Put files from one's own machine into a folder."""
    folder = refnames.require_path(request.POST.get("folder", "").strip("/"))
    sent: list[Any] = request.FILES.getlist("files")
    if not sent:
        raise Invalid(fields={"files": "Choose at least one file."})
    checkout = _checkout(request, repo_id)
    for file in sent:
        path = f"{folder}/{file.name}" if folder else str(file.name)
        operations.save_file(actor=_actor(request), checkout=checkout, path=path, content=file.read(), version=None)
    names = sent[0].name if len(sent) == 1 else f"{len(sent)} files"
    return _back(request, repo_id, folder, say=f"Uploaded {names}; commit to keep that")


@page("repos/_commit.html", methods=["GET", "POST"])
def commit(request: HttpRequest, repo_id: str) -> dict[str, Any] | HttpResponse:
    """The dialog with everything that a commit would change; commit the chosen files, and push when asked."""
    if request.method == "POST":
        checkout = _checkout(request, repo_id)
        made = operations.commit_drafts(
            actor=_actor(request),
            checkout=checkout,
            message=request.POST.get("message", ""),
            paths=request.POST.getlist("paths"),
            clear_outputs="clear_outputs" in request.POST,
        )
        if "push" not in request.POST:
            return _back(request, repo_id, say=f"Committed {made.short}; push it to give it to everybody")
        if stand(checkout.repo, checkout).behind:
            return _back(
                request, repo_id, say=f"Committed {made.short}, not pushed: pull first, others pushed meanwhile"
            )
        operations.push_branch(actor=_actor(request), checkout=checkout)
        return _back(request, repo_id, say=f"Committed and pushed {made.short}")
    opened = open_repo(request, repo_id)
    here = opened.here
    shown = queries.draft_change(here)
    chosen = request.GET.getlist("path")
    rows = [(draft, next((s for s in shown if s.file.path == path), None), icon_of(path), not chosen or path in chosen)
            for path, draft in here.drafts.items()]  # fmt: skip
    return {
        "repo": opened.repo,
        "here": here,
        "rows": rows,
        "shown": shown,
        "who": operations.identity(_actor(request)),
        "has_notebooks": any(path.endswith(".ipynb") for path in here.drafts),
    }


def _actor(request: HttpRequest) -> Any:
    return request.actor  # type: ignore[attr-defined]


def _checkout(request: HttpRequest, repo_id: str) -> Checkout:
    repo = fetch(Repo, repo_id, actor=_actor(request), needs=Level.EDIT)
    return queries.my_checkout(_actor(request), repo)


def _back(request: HttpRequest, repo_id: str, path: str = "", say: str = "") -> HttpResponse:
    return go(request, page_url(request, "repos:files", repo_id=repo_id) + (_query(path) if path else ""), say=say)


def _query(path: str) -> str:
    return f"?path={quote(path, safe='')}"
