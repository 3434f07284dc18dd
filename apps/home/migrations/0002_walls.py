"""The workspace walls of this room."""

from django.db import migrations

from apps.access.rls import EnableWall


class Migration(migrations.Migration):
    dependencies = [("home", "0001_initial"), ("access", "0002_walls_and_functions")]
    operations = [EnableWall("Star", "Visit")]
