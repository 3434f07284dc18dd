"""Starting and changing a run are one statement each, answer included."""

from pathlib import Path

from django.db import migrations

FUNCTIONS = (Path(__file__).parents[1] / "sql" / "functions.sql").read_text()


class Migration(migrations.Migration):
    dependencies = [("experiments", "0006_experiment_order")]
    operations = [migrations.RunSQL(FUNCTIONS, reverse_sql=migrations.RunSQL.noop)]
