"""Tasks: short, retried, ids only, with the workspace scope restored. Also this room's own upkeep."""

from __future__ import annotations

import contextlib
import functools
import logging
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from celery import shared_task
from django.conf import settings
from django.core import mail
from django.db import connection, transaction

from apps.access import usage
from apps.access.actor import Actor, system_actor
from apps.access.models import Workspace
from apps.access.scope import workspace_scope

logger = logging.getLogger(__name__)
_queues: dict[str, str] = {}


def workspace_task(queue: str = "control", **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """A Celery task whose first argument is a workspace id; the function gets `actor` (the installation) inside its scope.

    Queue it with `after_commit(task, workspace.pk, ...)`: arguments are ids and plain values.
    """

    def wrap(function: Callable[..., Any]) -> Any:
        @shared_task(name=_listed(function, queue), **options)
        @functools.wraps(function)
        def run(workspace_id: str, *arguments: Any) -> Any:
            workspace = Workspace.objects.filter(pk=workspace_id).first()
            if workspace is None:
                logger.info("workspace %s is gone; nothing to do for %s", workspace_id, function.__name__)
                return None
            with workspace_scope(workspace):
                return function(system_actor(workspace), *arguments)

        return run

    return wrap


def stepped_task(queue: str = "control", **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """A Celery task that takes longer than a transaction may: the function gets `open_scope`, for each of its short steps.

    `with open_scope() as actor:` is one transaction in the workspace; between two the connection is given back.
    """

    def wrap(function: Callable[..., Any]) -> Any:
        @shared_task(name=_listed(function, queue), **options)
        @functools.wraps(function)
        def run(workspace_id: str, *arguments: Any) -> Any:
            workspace = Workspace.objects.filter(pk=workspace_id).first()
            if workspace is None:
                logger.info("workspace %s is gone; nothing to do for %s", workspace_id, function.__name__)
                return None

            @contextlib.contextmanager
            def open_scope() -> Iterator[Actor]:
                with workspace_scope(workspace):
                    yield system_actor(workspace)
                if not connection.in_atomic_block:
                    connection.close()

            return function(open_scope, *arguments)

        return run

    return wrap


def upkeep_task(queue: str = "control", **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """A Celery task of the installation itself, outside every workspace: sweepers, sealing, shipping."""

    def wrap(function: Callable[..., Any]) -> Any:
        return shared_task(name=_listed(function, queue), **options)(function)

    return wrap


def after_commit(task: Any, *arguments: Any) -> None:
    """Queue a task once the transaction is there for others to see. Ids become text. A broker that is away is logged, no more."""
    plain = [str(item) if isinstance(item, uuid.UUID) else item for item in arguments]
    transaction.on_commit(lambda: task.delay(*plain), robust=True)  # what was committed stands; sweepers find the rest


def route(name: str, *_: Any, **__: Any) -> dict[str, str] | None:
    """Celery's router: the queue that a task named when it was made."""
    return {"queue": _queues[name]} if name in _queues else None


def _listed(function: Callable[..., Any], queue: str) -> str:
    name = f"{function.__module__.split('.')[1]}.{function.__name__}"
    _queues[name] = queue
    return name


@upkeep_task()
def seal_audit() -> int:
    """Seal new audit entries of all workspaces into their chains; how many."""
    with connection.cursor() as cursor:
        cursor.execute("select coalesce(sum(access_seal_audit(id)), 0) from access_unsealed_workspaces() as id")
        return int(cursor.fetchone()[0])


@upkeep_task()
def forget_old() -> int:
    """Delete old idempotent answers, failed sign-ins, used links and dead run keys; how many."""
    with connection.cursor() as cursor:
        cursor.execute("select access_forget_old()")
        return int(cursor.fetchone()[0])


RESET_WORDS = """Somebody, probably you, asked to set a new password for Boathouse.

{url}

The link works once, for a quarter of an hour. If it was not you, do nothing: your password stays.
"""


@upkeep_task(max_retries=5)
def send_reset_link(email: str) -> None:
    """Mail a link to set a new password, if there is somebody with this address; tried again when mail is down."""
    from apps.access.signin import make_reset_link

    if (path := make_reset_link(email)) is None:
        return
    try:
        mail.send_mail("Set a new password", RESET_WORDS.format(url=settings.BOATHOUSE_URL + path), None, [email])
    except OSError as error:
        raise send_reset_link.retry(exc=error, countdown=30) from error


@upkeep_task(queue="sql")
def measure_storage() -> int:
    """Count what the resources of all workspaces take on disk; how many have files."""
    known = 0
    for workspace in Workspace.objects.all():
        measured = list(usage.measure(workspace.pk))
        with workspace_scope(workspace):
            known += usage.keep(measured)
    return known


UPKEEP = {"access.seal_audit": 10, "access.forget_old": 3600, "access.measure_storage": 900}
