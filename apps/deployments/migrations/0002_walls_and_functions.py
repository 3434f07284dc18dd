"""The workspace walls and the SQL functions of this room."""

from pathlib import Path

from django.db import migrations

from apps.access.rls import EnableWall

FUNCTIONS = (Path(__file__).parents[1] / "sql" / "functions.sql").read_text()


class Migration(migrations.Migration):
    dependencies = [("deployments", "0001_initial"), ("access", "0002_walls_and_functions")]
    operations = [
        EnableWall("Endpoint", "EndpointConfig", "ServedVersion", "Replica"),
        migrations.RunSQL(FUNCTIONS, reverse_sql=migrations.RunSQL.noop),
    ]
