"""The function by which upkeep finds inference tables of many files, of the whole installation."""

from django.db import migrations

FUNCTION = """
create or replace function tables_of_many_files(p_files bigint) returns table (workspace_id uuid, id uuid)
language sql stable security definer set search_path = public, pg_temp as $$
  select t.workspace_id, t.resource_id
  from tables_table t join access_resource r on r.id = t.resource_id and r.deleted_at is null
  where t.purpose = 'inference' and t.files >= p_files
  limit 100
$$;
"""


class Migration(migrations.Migration):
    dependencies = [("tables", "0004_computations")]
    operations = [migrations.RunSQL(FUNCTION, "drop function tables_of_many_files(bigint)")]
