"""The workspace walls and the SQL functions of this room."""

from pathlib import Path

from django.db import migrations

from apps.access.rls import EnableWall

# In a list, so that Django does not take the functions apart at their semicolons.
FUNCTIONS = (Path(__file__).parents[1] / "sql" / "functions.sql").read_text()


class Migration(migrations.Migration):
    dependencies = [("notifications", "0001_initial")]
    operations = [
        EnableWall("Notice", "Outbox", "Preference", "Watch"),
        migrations.RunSQL([FUNCTIONS], reverse_sql=migrations.RunSQL.noop),
    ]
