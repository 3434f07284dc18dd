"""The second lock: row-level security on every table that has a workspace column (reference: PostgreSQL, CREATE POLICY).

The policy binds the program's role (`app`), which owns nothing. Migrations and the few definer functions run as the owner, whom
policies do not bind: what must look across workspaces goes through those functions on named tables, and nothing else can.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import connections
from django.db.migrations.operations.base import Operation

SETTING = "nullif(current_setting('boathouse.workspace', true), '')::uuid"


class EnableWall(Operation):
    """Migration operation: put the workspace wall around the tables of these models."""

    reversible = True

    def __init__(self, *models: str) -> None:
        self.models = models

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return type(self).__name__, list(self.models), {}

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Nothing in the state changes."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        for table in self._tables(app_label, to_state):
            schema_editor.execute(f'alter table "{table}" enable row level security')
            schema_editor.execute(
                f'create policy workspace_wall on "{table}" using (workspace_id = {SETTING}) with check (workspace_id = {SETTING})'
            )

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        for table in self._tables(app_label, from_state):
            schema_editor.execute(f'drop policy workspace_wall on "{table}"')
            schema_editor.execute(f'alter table "{table}" disable row level security')

    def _tables(self, app_label: str, state: Any) -> list[str]:
        return [state.apps.get_model(app_label, model)._meta.db_table for model in self.models]

    def describe(self) -> str:
        return f"Workspace wall on {', '.join(self.models)}"


def grant_app_role(**_: Any) -> None:
    """Give the program's role what it may do, after migrations: rows yes, structure no, and audit entries are only added."""
    role = settings.DATABASES["default"]["USER"]
    with connections["owner"].cursor() as cursor:
        cursor.execute("select quote_ident(%s)", [role])
        name = cursor.fetchone()[0]
        cursor.execute(
            f"grant usage on schema public to {name};"
            f"grant select, insert, update, delete on all tables in schema public to {name};"
            f"grant usage, select on all sequences in schema public to {name};"
            f"revoke execute on all functions in schema public from public;"
            f"grant execute on all functions in schema public to {name};"
            f"revoke insert, update, delete on django_migrations from {name};"
        )
        cursor.execute("select to_regclass('access_auditentry') is not null")
        if cursor.fetchone()[0]:
            cursor.execute(f"revoke update, delete, truncate on access_auditentry from {name}")
