"""Upkeep of repositories: packing after pushes, and settling pushes whose web process died."""

from __future__ import annotations

from typing import Any

from django.db import connection

from apps.access.actor import Actor
from apps.access.models import User
from apps.access.tasks import stepped_task, upkeep_task, workspace_task
from apps.repos import contents, operations, syncing
from apps.repos.models import Push, Repo

UPKEEP = {"repos.settle_lost_pushes": 60, "repos.resend_syncs": 10}
SYNC_LIMIT_SECONDS = 3900  # longer than a transfer may take


@workspace_task(queue="git")
def tidy_repo(actor: Actor, repo_id: str) -> None:
    """Pack a repository when enough has come together."""
    repo = Repo.objects.select_related("resource").filter(pk=repo_id).first()
    if repo is not None:
        repo.git.tidy()
        for checkout in repo.checkouts.select_related("repo__resource"):
            contents.sweep(checkout)


@workspace_task(queue="git")
def settle_push(actor: Actor, push_id: str) -> None:
    """Note what a push did whose web process cannot say so any more."""
    row = Push.objects.filter(pk=push_id).first()
    if row is not None:
        user = User.objects.filter(pk=row.user_id).first()
        operations.settle_push(Actor(user=user, workspace=actor.workspace), push_id, final=False)


@stepped_task(queue="git", time_limit=SYNC_LIMIT_SECONDS, soft_time_limit=SYNC_LIMIT_SECONDS - 60)
def sync_repo(open_scope: Any, sync_id: str) -> None:
    """Do a transfer with a remote: claimed by lease and fence, so a message that comes twice does nothing."""
    syncing.run(open_scope, sync_id)


@upkeep_task()
def resend_syncs() -> int:
    """Queue again the transfers that nobody took up or whose worker died; how many."""
    with connection.cursor() as cursor:
        cursor.execute("select workspace_id, id from repos_waiting_syncs()")
        rows = cursor.fetchall()
    for workspace_id, sync_id in rows:
        sync_repo.delay(str(workspace_id), str(sync_id))
    return len(rows)


@upkeep_task()
def settle_lost_pushes() -> int:
    """Have pushes looked at that began over a minute ago and nobody settled; how many."""
    with connection.cursor() as cursor:
        cursor.execute("select workspace_id, id from repos_unsettled_pushes()")
        rows = cursor.fetchall()
    for workspace_id, push_id in rows:
        settle_push.delay(str(workspace_id), str(push_id))
    return len(rows)
