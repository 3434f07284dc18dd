"""The audit: sealed into a chain that shows when somebody changed it."""

from __future__ import annotations

from django.db import connection, connections

from apps.access.models import AuditEntry
from apps.access.scope import workspace_scope
from apps.access.tasks import seal_audit
from tests.builders import a_folder, a_side


def first_broken(workspace_id: object) -> int | None:
    with connection.cursor() as cursor:
        cursor.execute("select access_check_audit(%s)", [workspace_id])
        return cursor.fetchone()[0]


def test_the_chain_is_sealed_and_a_change_shows(committed: None) -> None:
    side = a_side("audited", "ada@example.com")
    with workspace_scope(side.workspace):
        for name in ("a", "b", "c"):
            a_folder(side.admin, name)
        entries = AuditEntry.objects.order_by("id")
        assert entries.count() >= 3
    assert seal_audit.run() >= 3 and seal_audit.run() == 0
    assert first_broken(side.workspace.pk) is None
    with workspace_scope(side.workspace):
        middle = AuditEntry.objects.get(verb="access.create_folder", thing_label="/b")
    with connections["owner"].cursor() as cursor:
        cursor.execute("update access_auditentry set actor_label = 'nobody' where id = %s", [middle.pk])
    assert first_broken(side.workspace.pk) == middle.pk
