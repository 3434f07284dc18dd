"""One transfer with a remote, from claim to end: git runs outside any transaction, the row says how far it is."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from apps.access import secrets
from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.models import User
from apps.access.policy import authorise
from apps.foundation.errors import BoathouseError, Conflict, Forbidden, NotFound
from apps.repos import git
from apps.repos.models import Remote, Sync
from apps.repos.operations import remotes

log = logging.getLogger(__name__)
Scope = Callable[[], AbstractContextManager[Actor]]


def run(open_scope: Scope, sync_id: Any) -> None:
    """Do the transfer if nobody else does; every failure ends in the row as a sentence."""
    with open_scope() as system:
        sync = remotes.claim(sync_id)
        if sync is None:
            return
        actor = _actor(sync, system)
        if actor is None:
            remotes.finish(sync, Sync.State.FAILED, "Whoever asked for this may not change the repository any more.")
            return
        remote = Remote.objects.get(repo=sync.repo)
        password = secrets.unseal(remote.password) if remote.password else ""
        before = sync.repo.git.refs()
    watch = git.remotes.Watch(lambda *said: _beat(open_scope, sync, *said), secret=password)
    state: str = Sync.State.SUCCEEDED
    error = head = ""
    try:
        head = _transfer(sync, remote, password, watch)
    except git.remotes.Stopped:
        state = Sync.State.CANCELED
    except BoathouseError as failure:
        state, error = Sync.State.FAILED, failure.message
    except Exception:
        log.exception("the transfer %s ended unexpectedly", sync.pk)
        state, error = Sync.State.FAILED, "It failed on our side; try again, and tell an operator if it stays so."
    with open_scope():
        if not remotes.is_held(sync):
            return
        if state == Sync.State.SUCCEEDED and sync.kind == Sync.Kind.FETCH:
            remotes.settle_fetch(actor, sync.repo, before, head)
        elif state == Sync.State.SUCCEEDED:
            remotes.settle_remote_push(actor, sync.repo, sync.wanted["branch"], sync.wanted["commit"])
        remotes.finish(sync, state, error, watch.said)


def _transfer(sync: Sync, remote: Remote, password: str, watch: git.remotes.Watch) -> str:
    target = git.remotes.pin(git.remotes.parse_url(remote.url))
    header, repository = git.remotes.basic(remote.username, password), sync.repo.git
    watch.phase = "Trying the address and credentials"
    watch.tell()
    if sync.kind == Sync.Kind.PUSH:
        git.remotes.push(repository, target, header, watch, commit=sync.wanted["commit"], branch=sync.wanted["branch"])
        return ""
    head = git.remotes.head_branch(repository, target, header, watch)
    git.remotes.fetch(repository, target, header, watch)
    if not repository.refs():
        raise Conflict("There is no branch at this address yet, or what answers there is not a git repository.")
    return head


def _beat(open_scope: Scope, sync: Sync, phase: str, percent: int | None, said: str) -> None:
    with open_scope():
        goes_on = remotes.beat(sync, phase, percent, said)
    if not goes_on:
        raise git.remotes.Stopped("Canceled.")


def _actor(sync: Sync, system: Actor) -> Actor | None:
    """Whoever asked, if they may still do it; a person who has lost that gets nothing done any more."""
    user = User.objects.filter(pk=sync.user_id, is_active=True).first() if sync.user_id else None
    if user is None:
        return None
    actor = Actor(user=user, workspace=system.workspace)
    try:
        authorise(actor, Level.EDIT, sync.repo)
    except (NotFound, Forbidden):
        return None
    return actor
