"""The SQL functions again: the sweep gives up what could not be told for two days."""

from pathlib import Path

from django.db import migrations

FUNCTIONS = (Path(__file__).parents[1] / "sql" / "functions.sql").read_text()


class Migration(migrations.Migration):
    dependencies = [("notifications", "0002_walls_and_functions")]
    operations = [migrations.RunSQL([FUNCTIONS], reverse_sql=migrations.RunSQL.noop)]
