"""Reads of a repository for API and pages: lists in pages, files and differences, all from a ref that people type."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.core import signing
from django.db import models

from apps.access.actor import Actor
from apps.access.policy import visible
from apps.comments import queries as comments
from apps.foundation.errors import Invalid, NotFound
from apps.foundation.paging import Page, parse_size
from apps.repos import contents, git, operations
from apps.repos.models import Checkout, Draft, Push, Remote, Repo, Sync
from apps.repos.sidebyside import Shown, lay_out
from apps.repos.worktree import Worktree, find_checkout

SALT = "boathouse.repos.page"
CAP = 200
MENU = 30


@dataclass(frozen=True)
class Branch:
    """A branch, and how far it is from the default branch."""

    name: str
    commit: str
    subject: str
    author: str
    at: Any
    is_default: bool
    ahead: int | None
    behind: int | None


@dataclass(frozen=True)
class Change:
    """A commit and what it changed against its first parent (or another commit)."""

    base: str
    head: git.Commit
    diff: git.Diff


def list_repos(actor: Actor) -> models.QuerySet[Repo]:
    """The repositories that the actor may view."""
    return visible(Repo, actor).select_related("resource", "resource__owner", "resource__workspace", "remote")


def list_branches(repo: Repo, *, token: str | None = None, size: Any = None) -> Page[Branch]:
    """Branches by name."""
    refs = repo.git.refs()
    names, next_token = _slice(sorted(refs), token, size)
    base = refs.get(repo.default_branch)
    found = []
    for ref in repo.git.describe_refs(names):
        ahead, behind = repo.git.ahead_behind(base, ref.commit) if base else (None, None)
        found.append(
            Branch(
                ref.name, ref.commit, ref.subject, ref.author, ref.at, ref.name == repo.default_branch, ahead, behind
            )
        )
    return Page(found, next_token)


def list_tags(repo: Repo, *, token: str | None = None, size: Any = None) -> Page[git.Ref]:
    """Tags by name."""
    names, next_token = _slice(sorted(repo.git.refs("tags")), token, size)
    return Page(repo.git.describe_refs(names, "tags"), next_token)


def list_commits(
    repo: Repo,
    *,
    ref: str = "",
    path: str = "",
    author: str = "",
    words: str = "",
    token: str | None = None,
    size: Any = None,
) -> Page[git.Commit]:
    """Commits from a ref backwards. Later pages go on from the commit that the first one began at, whatever was pushed since."""
    limit = parse_size(size, CAP)
    wish = [path, author, words]
    sha, skip = _open(token, wish) if token else (resolve(repo, ref), 0)
    found = repo.git.history(sha, path=path, skip=skip, size=limit + 1, author=author, words=words)
    if len(found) <= limit:
        return Page(found, None)
    return Page(found[:limit], signing.dumps({"s": sha, "n": skip + limit, "p": wish}, salt=SALT))


def resolve(repo: Repo, ref: str = "") -> str:
    """The commit that a ref names; the default branch's without one."""
    return repo.git.resolve(ref or f"refs/heads/{repo.default_branch}")


def is_empty(repo: Repo) -> bool:
    """Whether nothing was pushed yet."""
    return not repo.git.refs()


def get_change(repo: Repo, *, head: str, base: str = "", path: str = "", three_dot: bool = False) -> Change:
    """What `head` changed: against `base`, against where both parted (`three_dot`), or against its first parent."""
    commit = repo.git.commit(resolve(repo, head))
    if base:
        start = resolve(repo, base)
        start = repo.git.merge_base(start, commit.sha) if three_dot else start
    else:
        start = commit.parents[0] if commit.parents else ""
    return Change(start, commit, repo.git.diff(start, commit.sha, path=path))


@dataclass(frozen=True)
class BranchRow:
    """A branch to switch to: one's own commits against everybody's, or everybody's against the default branch."""

    name: str
    author: str
    at: Any
    ahead: int
    behind: int
    is_here: bool
    is_shared: bool


def branch_rows(repo: Repo, shared: dict[str, str], checkout: Checkout | None, here: str) -> list[BranchRow]:
    """The branches one can switch to, the current one first, then the newest; the first of very many."""
    own = repo.git.refs(checkout.refs) if checkout else {}
    names = sorted(set(shared) | set(own) | {here})
    about = {ref.name: ref for ref in repo.git.describe_refs(sorted(shared))}
    if checkout is not None:
        about |= {ref.name: ref for ref in repo.git.describe_refs(sorted(own), checkout.refs)}
    default = shared.get(repo.default_branch, "")
    moments = {name: ref.at.timestamp() for name, ref in about.items() if ref.at}
    names.sort(key=lambda name: (name != here, -moments.get(name, 0.0)))
    rows = []
    for name in names[:MENU]:
        mine, theirs = own.get(name, ""), shared.get(name, "")
        one, other = (theirs, mine) if mine and theirs else (default, mine or theirs)
        ahead, behind = repo.git.ahead_behind(one, other) if one and other and one != other else (0, 0)
        known = about.get(name)
        rows.append(
            BranchRow(
                name,
                known.author if known else "",
                known.at if known else None,
                ahead,
                behind,
                name == here,
                bool(theirs),
            )
        )
    return rows


def my_checkout(actor: Actor, repo: Repo) -> Checkout:
    """The actor's checkout; begun now if there was none."""
    return find_checkout(actor, repo) or operations.open_checkout(actor=actor, repo=repo)


def draft_diff(here: Worktree, *, paths: Iterable[str] | None = None) -> git.Diff:
    """What a commit of the drafts (of these paths) would change."""
    drafts = [draft for path, draft in here.drafts.items() if paths is None or path in set(paths)]
    if not drafts:
        return git.Diff()
    with git.aside(here.repo.git) as place:
        return place.repository.diff(here.commit, place.tree(here.commit, edits_of(drafts)))


def draft_change(here: Worktree) -> list[Shown]:
    """What a commit of all drafts would change, ready to print."""
    if not here.drafts:
        return []
    with git.aside(here.repo.git) as place:
        tree = place.tree(here.commit, edits_of(here.drafts.values()))
        return lay_out(place.repository, place.repository.diff(here.commit, tree))


def edits_of(drafts: Iterable[Draft]) -> list[git.Edit]:
    """Drafts as git takes them."""
    return [git.Edit(draft.path, contents.path_of(draft), draft.mode) for draft in drafts]


def list_pushes(repo: Repo) -> models.QuerySet[Push]:
    """What was pushed, newest first."""
    return Push.objects.filter(repo=repo).select_related("user")


def find_remote(repo: Repo) -> Remote | None:
    """Where a repository was cloned from, if it was."""
    return Remote.objects.filter(repo=repo).first()


def get_remote(repo: Repo) -> Remote:
    """Where a repository was cloned from; NotFound for one that lives here."""
    remote = find_remote(repo)
    if remote is None:
        raise NotFound("This repository was not cloned from another place.")
    return remote


def list_syncs(repo: Repo) -> models.QuerySet[Sync]:
    """Transfers with the remote."""
    return Sync.objects.filter(repo=repo).select_related("user")


def newest_sync(repo: Repo) -> Sync | None:
    """The last transfer with the remote."""
    return list_syncs(repo).order_by("-created_at", "-id").first()


def count_line_talks(actor: Actor, repo: Repo, sha: str) -> dict[str, int]:
    """How many threads hang on each line of what a commit changed: `train.py:+12` to a number."""
    prefix = f"diff:{sha}:"
    threads = comments.list_threads(actor, resource=repo.resource, state="all").filter(path__startswith=prefix)
    found: dict[str, int] = {}
    for path in threads.order_by().values_list("path", flat=True)[:500]:
        found[path.removeprefix(prefix)] = found.get(path.removeprefix(prefix), 0) + 1
    return found


def _slice(names: list[str], token: str | None, size: Any) -> tuple[list[str], str | None]:
    limit = parse_size(size, CAP)
    after = _open_name(token) if token else ""
    rest = [name for name in names if name > after]
    if len(rest) <= limit:
        return rest, None
    return rest[:limit], signing.dumps({"a": rest[limit - 1]}, salt=SALT)


def _open_name(token: str) -> str:
    return str(_load(token).get("a", ""))


def _open(token: str, wish: list[str]) -> tuple[str, int]:
    content = _load(token)
    if content.get("p") != wish or "s" not in content:
        raise Invalid(fields={"page_token": "Not a page token of this list; start again without one."})
    return content["s"], content["n"]


def _load(token: str) -> dict[str, Any]:
    try:
        return signing.loads(token, salt=SALT)
    except signing.BadSignature:
        raise Invalid(fields={"page_token": "Not a page token of this list; start again without one."}) from None
