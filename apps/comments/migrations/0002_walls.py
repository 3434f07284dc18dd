"""The workspace walls of this room."""

from django.db import migrations

from apps.access.rls import EnableWall


class Migration(migrations.Migration):
    dependencies = [("comments", "0001_initial")]
    operations = [EnableWall("Comment", "EarlierText", "Mention", "Reaction", "Thread")]
