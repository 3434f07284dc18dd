"""One statement that says whether the owner of a read ticket may still read: asked for every file."""

from django.db import migrations

FUNCTION = """
create or replace function tables_may_read(p_workspace uuid, p_table uuid, p_user uuid, p_token uuid) returns boolean
language sql stable security definer set search_path = public, pg_temp as $$
  select exists (
      select 1 from access_resource r
      where r.id = p_table and r.workspace_id = p_workspace and r.kind = 'table' and r.deleted_at is null)
    and exists (
      select 1 from access_membership m join access_user u on u.id = m.user_id and u.is_active
      where m.workspace_id = p_workspace and m.user_id = p_user and m.suspended_at is null)
    and (p_token is null or exists (
      select 1 from access_token t
      where t.id = p_token and t.user_id = p_user and t.workspace_id = p_workspace and t.revoked_at is null
        and (t.expires_at is null or t.expires_at > now())))
    and access_level(p_user, p_table) >= 2
$$;
"""


class Migration(migrations.Migration):
    dependencies = [("tables", "0002_reading_uploads")]
    operations = [migrations.RunSQL(FUNCTION, "drop function tables_may_read(uuid, uuid, uuid, uuid)")]
