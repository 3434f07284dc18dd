"""Telling after commit, mail, and the sweep of what was left untold."""

from __future__ import annotations

import logging
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import connection

from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.queries import who_may
from apps.access.tasks import stepped_task, upkeep_task, workspace_task
from apps.foundation.clock import now
from apps.notifications import telling
from apps.notifications.models import Notice

logger = logging.getLogger(__name__)
UNTOLD_SECONDS = 20


@workspace_task()
def tell(actor: Actor, entry_id: int) -> None:
    """Tell whom an audit entry concerns."""
    telling.tell_entry(entry_id)


@stepped_task(autoretry_for=(OSError,), retry_backoff=10, retry_backoff_max=3600, max_retries=12)
def send_mail(open_scope: Any, notice_id: str) -> None:
    """Send one notice by mail, if its person may still have it and has not read it. Only that something happened, and the link."""
    with open_scope() as actor:
        notice = Notice.objects.select_related("user", "resource").filter(pk=notice_id).first()
        if notice is None or notice.mailed_at or notice.read_at or not notice.user.email or not _is_open(notice):
            return
        message = _message(notice, actor.workspace.name)
    message.send()
    with open_scope():
        Notice.objects.filter(pk=notice_id).update(mailed_at=now())


def _is_open(notice: Notice) -> bool:
    if notice.resource is None or not notice.level:
        return bool(notice.user.is_active)
    live = notice.resource.deleted_at is None
    return live and notice.user_id in who_may(notice.resource, Level(notice.level), [notice.user_id])


def _message(notice: Notice, workspace: str) -> EmailMessage:
    who = f"{notice.actor_label.partition('@')[0]} " if notice.actor_label else ""
    # A name with a line break must not become a header.
    sentence = " ".join(f"{who}{notice}".split())
    link = f"{settings.BOATHOUSE_URL}/w/{workspace}/{notice.url}"
    own = f"{settings.BOATHOUSE_URL}/w/{workspace}/notifications/settings"
    body = f"{sentence}\n{link}\n\nWhat tells you, and how: {own}\n"
    return EmailMessage(f"[{workspace}] {sentence}"[:200], body, to=[notice.user.email or ""])


@upkeep_task()
def sweep_outbox() -> int:
    """Queue again what was committed and never told, its message having been lost; how many."""
    with connection.cursor() as cursor:
        cursor.execute("select workspace_id, entry_id from notifications_untold(%s)", [UNTOLD_SECONDS])
        rows = cursor.fetchall()
    for workspace_id, entry_id in rows:
        tell.delay(str(workspace_id), entry_id)
    return len(rows)


@upkeep_task()
def forget_notices() -> int:
    """Delete notices that are older than half a year; how many."""
    with connection.cursor() as cursor:
        cursor.execute("select notifications_forget_old()")
        return int(cursor.fetchone()[0])


UPKEEP = {"notifications.sweep_outbox": 30, "notifications.forget_notices": 86_400}
