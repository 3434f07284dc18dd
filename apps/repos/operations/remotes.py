"""Repositories that were cloned from elsewhere: adding one, its credentials, and the transfers that workers do for people."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction

from apps.access import audit, secrets
from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.operation import operation
from apps.access.resources import create_resource, touch
from apps.access.tasks import after_commit
from apps.foundation.clock import now
from apps.foundation.errors import Conflict
from apps.repos import git, refnames
from apps.repos.models import Remote, Repo, Sync

from .hosted import _note_commits

LEASE = timedelta(seconds=45)
LOG_CHARACTERS = 16_000
AT_ONCE = 2  # of one installation's workers; the others keep their hands free for everything else


@operation(needs=Level.EDIT, on="parent", open_to_makers=True)
def clone_repo(
    *,
    actor: Actor,
    parent: Resource,
    name: str,
    url: str,
    username: str = "",
    password: str = "",
    description: str = "",
) -> Repo:
    """Add a repository that lives elsewhere; a worker tries the address and credentials, then fetches it."""
    git.remotes.pin(git.remotes.parse_url(url))
    resource = create_resource(actor, kind="repo", name=name, parent=parent, description=description)
    repo = Repo(resource=resource)
    repo.save(force_insert=True)
    git.Repository.create(repo.git.path, repo.default_branch)
    remote = Remote(repo=repo, url=url.strip(), username=username.strip(), password=_sealed(password))
    remote.save(force_insert=True)
    audit.record(actor, "repos.clone_repo", repo, after={"url": remote.url, "username": remote.username})
    _queue(actor, repo, Sync.Kind.FETCH, {"first": True})
    return repo


@operation(needs=Level.MANAGE, on="repo")
def change_remote(*, actor: Actor, repo: Repo, url: str, username: str, password: str | None) -> Sync:
    """Another address or credential (`None` keeps the password, unless the host changes), tried at once by a fetch."""
    remote = _remote(repo)
    target = git.remotes.pin(git.remotes.parse_url(url))
    if password is None and target.host != git.remotes.parse_url(remote.url).host:
        password = ""  # a password belongs to the host it was given for
    before = {"url": remote.url, "username": remote.username}
    remote.url, remote.username = url.strip(), username.strip()
    if password is not None:
        remote.password = _sealed(password)
    remote.save()
    after = {"url": remote.url, "username": remote.username, "password_changed": password is not None}
    audit.record(actor, "repos.change_remote", repo, before=before, after=after)
    return _queue(actor, repo, Sync.Kind.FETCH, {"first": not repo.git.refs()})


@operation(needs=Level.EDIT, on="repo")
def fetch_remote(*, actor: Actor, repo: Repo) -> Sync:
    """Have a worker bring what was pushed over there. Nobody's checkout moves by it."""
    _remote(repo)
    sync = _queue(actor, repo, Sync.Kind.FETCH, {"first": not repo.git.refs()})
    audit.record(actor, "repos.fetch_remote", repo, after={"sync_id": sync.pk})
    return sync


@operation(needs=Level.EDIT, on="repo")
def cancel_sync(*, actor: Actor, repo: Repo) -> Sync:
    """Ask the transfer under way to stop; it ends within seconds and leaves the repository as it was."""
    sync = Sync.objects.select_for_update().filter(repo=repo, state__in=["queued", "running"]).first()
    if sync is None:
        raise Conflict("No transfer is under way.")
    sync.cancel_asked_at = now()
    if sync.state == Sync.State.QUEUED:
        sync.state, sync.ended_at = Sync.State.CANCELED, now()
    sync.save()
    audit.record(actor, "repos.cancel_sync", repo, after={"sync_id": sync.pk})
    return sync


def queue_push(actor: Actor, repo: Repo, branch: str, commit: str) -> Sync:
    """A push of one branch to the remote; called inside the operation that decides it."""
    return _queue(actor, repo, Sync.Kind.PUSH, {"branch": branch, "commit": commit})


def has_remote(repo: Repo) -> bool:
    """Whether the repository follows one elsewhere."""
    return Remote.objects.filter(repo=repo).exists()


def require_no_remote(repo: Repo) -> None:
    """Conflict for a repository whose branches belong to another place."""
    remote = Remote.objects.filter(repo=repo).first()
    if remote is not None:
        host = git.remotes.parse_url(remote.url).host
        raise Conflict(
            f"The branches of this repository live at {host}. Change them in your checkout here and push, or push there."
        )


# -- what the worker says, each in a short transaction of its own ------------------------------------------------


def claim(sync_id: Any) -> Sync | None:
    """The transfer with a new fence, when nobody holds it; None otherwise, and when enough others run."""
    sync = Sync.objects.select_for_update().select_related("repo__resource").filter(pk=sync_id).first()
    if (
        sync is None
        or sync.is_over
        or (sync.state == Sync.State.RUNNING and sync.seen_at and sync.seen_at > now() - LEASE)
    ):
        return None
    if sync.cancel_asked_at:
        finish(sync, Sync.State.CANCELED)
        return None
    running = Sync.objects.filter(state=Sync.State.RUNNING, seen_at__gt=now() - LEASE).exclude(pk=sync.pk).count()
    if running >= AT_ONCE:
        return None
    sync.state, sync.fence, sync.seen_at = Sync.State.RUNNING, sync.fence + 1, now()
    sync.save(update_fields=["state", "fence", "seen_at"])
    return sync


def beat(sync: Sync, phase: str, percent: int | None, said: str) -> bool:
    """Note how far it is; whether to go on."""
    held = Sync.objects.filter(pk=sync.pk, fence=sync.fence, state=Sync.State.RUNNING)
    changed = held.update(seen_at=now(), phase=phase[:200], percent=percent, log=said[-LOG_CHARACTERS:])
    return bool(changed) and not held.filter(cancel_asked_at__isnull=False).exists()


def is_held(sync: Sync) -> bool:
    """Whether the transfer is still this worker's."""
    return Sync.objects.select_for_update().filter(pk=sync.pk, fence=sync.fence, state=Sync.State.RUNNING).exists()


def finish(sync: Sync, state: str, error: str = "", said: str = "") -> None:
    """The end of a transfer, unless another worker has taken it over."""
    held = Sync.objects.filter(pk=sync.pk, fence=sync.fence, state__in=["queued", "running"])
    log = {"log": said[-LOG_CHARACTERS:]} if said else {}
    held.update(state=state, error=error, ended_at=now(), seen_at=now(), **log)


def settle_fetch(actor: Actor, repo: Repo, before: dict[str, str], head: str) -> None:
    """Note what a fetch moved; the first one chooses the default branch."""
    after = repo.git.refs()
    moved = {name: sha for name, sha in after.items() if before.get(name) != sha}
    gone = {name: sha for name, sha in before.items() if name not in after}
    Remote.objects.filter(repo=repo).update(fetched_at=now())
    if repo.default_branch not in after and (head in after or after):
        repo.default_branch = head if head in after else sorted(after)[0]
        repo.save(update_fields=["default_branch"])
        repo.git.set_default_branch(repo.default_branch)
    if moved or gone:
        old = {f"refs/heads/{name}": before.get(name, refnames.ZERO) for name in [*moved, *gone][:200]}
        new = {f"refs/heads/{name}": after.get(name, refnames.ZERO) for name in [*moved, *gone][:200]}
        audit.record(actor, "repos.refs_moved", repo, before=old, after=new)
        _note_commits(actor, repo, set(moved.values()))
        touch(repo.resource)


def settle_remote_push(actor: Actor, repo: Repo, branch: str, commit: str) -> None:
    """Note a push that the other side took: its branch here follows."""
    ref, old = f"refs/heads/{branch}", repo.git.refs().get(branch, refnames.ZERO)
    if old != commit:
        git.move_ref(repo.git, ref, commit, old)
    audit.record(actor, "repos.refs_moved", repo, before={ref: old}, after={ref: commit})
    _note_commits(actor, repo, {commit})
    touch(repo.resource)


def _queue(actor: Actor, repo: Repo, kind: str, wanted: dict[str, Any]) -> Sync:
    from apps.repos.tasks import sync_repo  # tasks import operations

    sync = Sync(repo=repo, user=actor.user, kind=kind, wanted=wanted)
    try:
        with transaction.atomic():
            sync.save(force_insert=True)
    except IntegrityError:
        raise Conflict("A transfer with the remote is under way already; wait for it, or cancel it.") from None
    after_commit(sync_repo, repo.workspace_id, sync.pk)
    return sync


def _remote(repo: Repo) -> Remote:
    remote = Remote.objects.filter(repo=repo).first()
    if remote is None:
        raise Conflict("This repository lives here; it has no other place to fetch from.")
    return remote


def _sealed(password: str) -> bytes | None:
    return secrets.seal(password) if password else None
