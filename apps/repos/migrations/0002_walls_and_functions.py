"""The workspace walls of this room, and the look across workspaces for pushes whose process died."""

from django.db import migrations

from apps.access.rls import EnableWall

FUNCTION = """
create or replace function repos_unsettled_pushes() returns table (workspace_id uuid, id uuid)
language sql stable security definer set search_path = public, pg_temp as $$
  select p.workspace_id, p.id from repos_push p
  where p.settled_at is null and p.started_at < now() - interval '1 minute' order by p.started_at limit 500
$$
"""


class Migration(migrations.Migration):
    dependencies = [("repos", "0001_initial"), ("access", "0002_walls_and_functions")]
    operations = [
        EnableWall("Repo", "Push"),
        migrations.RunSQL(FUNCTION, "drop function repos_unsettled_pushes()"),
    ]
