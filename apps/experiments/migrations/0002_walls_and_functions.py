"""The workspace walls, the ingest functions, and storage settings of the tables that are written most."""

from pathlib import Path

from django.db import migrations

from apps.access.rls import EnableWall

FUNCTIONS = (Path(__file__).parents[1] / "sql" / "functions.sql").read_text()
# Summaries are rewritten often and read by the page: kept in the row, uncompressed, with room for a new version beside the old one.
STORAGE = "alter table experiments_runsummary set (toast_tuple_target = 8160, fillfactor = 70)"


class Migration(migrations.Migration):
    dependencies = [("experiments", "0001_initial"), ("access", "0002_walls_and_functions")]
    operations = [
        EnableWall(
            "Dataset",
            "Experiment",
            "MetricPoint",
            "ModelMetric",
            "Run",
            "RunInput",
            "RunMetric",
            "RunModel",
            "RunParam",
            "RunSummary",
            "RunTag",
        ),
        migrations.RunSQL(FUNCTIONS, reverse_sql=migrations.RunSQL.noop),
        migrations.RunSQL(STORAGE, reverse_sql=migrations.RunSQL.noop),
    ]
