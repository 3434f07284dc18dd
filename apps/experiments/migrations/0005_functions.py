"""The SQL functions again: cheaper batches, visible experiments as a set."""

from pathlib import Path

from django.db import migrations

FUNCTIONS = (Path(__file__).parents[1] / "sql" / "functions.sql").read_text()


class Migration(migrations.Migration):
    dependencies = [("experiments", "0004_measurements_without_workspace_checks"), ("access", "0003_visible")]
    operations = [migrations.RunSQL(FUNCTIONS, reverse_sql=migrations.RunSQL.noop)]
