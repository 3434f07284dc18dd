"""The second lock: what the program's role can do in raw SQL, without a scope and against the structure."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import DatabaseError, connection, transaction

from apps.access.models import Resource, Token
from apps.access.scope import Stranger, WorkspaceModel, workspace_scope
from tests.builders import World, a_folder

WALLED = [model for model in apps.get_models() if issubclass(model, WorkspaceModel)]


def count(sql: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def test_every_table_with_a_workspace_has_its_wall(db: None) -> None:
    open_tables = """
        select count(*) from information_schema.columns c join pg_class t on t.relname = c.table_name
        where c.table_schema = 'public' and c.column_name = 'workspace_id' and t.relkind in ('r', 'p')
          and (not t.relrowsecurity or not exists (select 1 from pg_policy p where p.polrelid = t.oid))
          and c.table_name <> 'access_signinlink'"""
    assert count(open_tables) == 0
    assert len(WALLED) > 10


def test_raw_sql_without_a_scope_gets_nothing(world: World) -> None:
    a_folder(world.admin)
    assert count("select count(*) from access_resource") > 0
    with connection.cursor() as cursor:
        cursor.execute("select set_config('boathouse.workspace', '', true)")
    for model in WALLED:
        assert count(f'select count(*) from "{model._meta.db_table}"') == 0
    with workspace_scope(world.ours.workspace):
        assert count("select count(distinct workspace_id) from access_resource") == 1


@pytest.mark.parametrize(
    "sql",
    [
        "alter table access_resource disable row level security",
        "drop policy workspace_wall on access_resource",
        "set role boathouse_owner",
        "create table mine (id int)",
        "update access_auditentry set comment = 'never'",
        "delete from access_auditentry",
        "truncate access_auditentry",
        "delete from django_migrations",
    ],
)
def test_the_role_cannot_open_the_wall(world: World, sql: str) -> None:
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


def test_rows_are_not_written_across(world: World) -> None:
    with pytest.raises(Stranger):
        Token(user=world.admin.user, name="x", prefix="x", hash=b"1" * 32, workspace=world.theirs.workspace).save()
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("update access_resource set workspace_id = %s", [world.theirs.workspace.pk])
    assert Resource.objects.exclude(workspace=world.ours.workspace).count() == 0
