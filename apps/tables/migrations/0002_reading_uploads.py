"""Which guest reads an upload, when it was last looked at, and the function by which upkeep finds what was left lying."""

from django.db import migrations, models

import apps.foundation.clock

FUNCTION = """
create or replace function tables_unsettled_writes() returns table (workspace_id uuid, id uuid, is_overdue boolean)
language sql stable security definer set search_path = public, pg_temp as $$
  select w.workspace_id, w.id, w.expires_at < now()
  from tables_stagedwrite w
  where (w.state = 'parsing' and w.stepped_at < now() - interval '60 seconds')
     or (w.state not in ('committed', 'abandoned') and w.expires_at < now())
  limit 1000
$$;
"""


class Migration(migrations.Migration):
    dependencies = [("tables", "0001_initial")]

    operations = [
        migrations.AddField("stagedwrite", "guest_id", models.UUIDField(null=True)),
        migrations.AddField("stagedwrite", "stepped_at", models.DateTimeField(default=apps.foundation.clock.now)),
        migrations.RunSQL(FUNCTION, "drop function tables_unsettled_writes()"),
    ]
