"""What people can do with a repository's shared branches: make one, its branches, and what a push moved."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from apps.access import audit
from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.operation import operation
from apps.access.resources import create_resource, touch
from apps.access.tasks import after_commit
from apps.foundation.clock import now
from apps.foundation.errors import Conflict
from apps.lineage.recorder import Node, observe_write
from apps.repos import git, refnames
from apps.repos.models import Push, Repo
from apps.repos.pushes import Command

UNSETTLED = timedelta(minutes=65)  # longer than any transfer may take


@operation(needs=Level.EDIT, on="parent", open_to_makers=True)
def create_repo(
    *, actor: Actor, parent: Resource, name: str, description: str = "", default_branch: str = "main"
) -> Repo:
    """Make an empty repository that git can push to."""
    refnames.require_ref_name(default_branch, "default_branch")
    resource = create_resource(actor, kind="repo", name=name, parent=parent, description=description)
    repo = Repo(resource=resource, default_branch=default_branch)
    repo.save(force_insert=True)
    git.Repository.create(repo.git.path, default_branch)
    audit.record(actor, "repos.create_repo", repo, after={"default_branch": default_branch})
    return repo


@operation(needs=Level.MANAGE, on="repo")
def set_default_branch(*, actor: Actor, repo: Repo, branch: str) -> Repo:
    """Choose the branch that a clone checks out and pages open."""
    if branch not in repo.git.refs():
        raise Conflict(f"There is no branch {branch}; push it first.")
    before, repo.default_branch = repo.default_branch, branch
    repo.save(update_fields=["default_branch"])
    audit.record(actor, "repos.set_default_branch", repo, before={"branch": before}, after={"branch": branch})
    repo.git.set_default_branch(branch)
    return repo


@operation(needs=Level.EDIT, on="repo")
def create_branch(*, actor: Actor, repo: Repo, name: str, ref: str = "") -> git.Ref:
    """Make a branch where another branch, tag or commit stands."""
    _require_hosted(repo)
    commit = repo.git.resolve(ref or repo.default_branch)
    audit.record(actor, "repos.create_branch", repo, after={"branch": name, "commit": commit})
    repo.git.create_branch(name, commit)
    return repo.git.describe_refs([name])[0]


@operation(needs=Level.EDIT, on="repo")
def delete_branch(*, actor: Actor, repo: Repo, name: str, commit: str) -> None:
    """Delete a branch that still stands at `commit`; whoever moved it meanwhile loses nothing."""
    _require_hosted(repo)
    if name == repo.default_branch:
        raise Conflict(f"{name} is the default branch; choose another one first.")
    audit.record(actor, "repos.delete_branch", repo, before={"branch": name, "commit": commit})
    repo.git.delete_branch(name, commit)


@operation(needs=Level.EDIT, on="repo")
def push(*, actor: Actor, repo: Repo, commands: tuple[Command, ...]) -> Push:
    """Move branches and tags with git. Noted before git begins; what really moved follows as `repos.refs_moved`."""
    wanted = [asdict(command) for command in commands]
    row = Push(repo=repo, user=actor.user, wanted=wanted)
    row.save(force_insert=True)
    audit.record(actor, "repos.push", repo, after={"push_id": row.pk, "wanted": wanted})
    return row


def settle_push(actor: Actor, push_id: Any, *, final: bool = True) -> int:
    """Note what a push moved, from what git itself remembers; how many refs are new. Safe to call again."""
    row = Push.objects.select_related("repo__resource").select_for_update(of=("self",)).filter(pk=push_id).first()
    if row is None or row.settled_at is not None:
        return 0
    repo = row.repo
    known = {entry["ref"] for entry in row.moved}
    waiting = [entry for entry in row.wanted if entry["ref"] not in known and entry["old"] != entry["new"]]
    moved = [entry for entry in waiting if repo.git.reached(entry["ref"], entry["old"], entry["new"])]
    row.moved = row.moved + moved
    if final or row.started_at < now() - UNSETTLED:
        row.settled_at = now()
    row.save(update_fields=["moved", "settled_at"])
    if moved:
        before = {entry["ref"]: entry["old"] for entry in moved}
        after: dict[str, Any] = {entry["ref"]: entry["new"] for entry in moved}
        audit.record(actor, "repos.refs_moved", repo, before=before, after=after)
        _note_commits(actor, repo, set(after.values()) - {refnames.ZERO})
        touch(repo.resource)
        after_commit(_tidy(), repo.workspace_id, repo.pk)
    return len(moved)


def commit_node(repo: Repo, commit: str) -> Node:
    """A commit as lineage knows it."""
    return Node("commit", f"{repo.pk}:{commit}", name=f"{repo.resource.name} {commit[:7]}", resource=repo.resource)


def _note_commits(actor: Actor, repo: Repo, commits: set[str]) -> None:
    pusher = Node("person", str(actor.user_id or "boathouse"), name=actor.label)
    for commit in sorted(commits):
        observe_write(pusher, commit_node(repo, commit))


def _tidy() -> Any:
    from apps.repos.tasks import tidy_repo  # tasks import operations

    return tidy_repo


def _require_hosted(repo: Repo) -> None:
    from .remotes import require_no_remote  # it notes commits as this file does

    require_no_remote(repo)
