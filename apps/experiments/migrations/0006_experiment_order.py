"""Lists of experiments follow an index and show ready text; what that takes of the resource is copied by a trigger."""

from pathlib import Path

from django.db import migrations, models
from django.db.models.expressions import F, Func
from django.utils.timezone import now

from apps.experiments.models.experiments import Millis

FUNCTIONS = (Path(__file__).parents[1] / "sql" / "functions.sql").read_text()
FILL = (
    "update experiments_experiment e set created_at = r.created_at, path = r.path, trashed = r.deleted_at is not null"
    " from access_resource r where r.id = e.resource_id"
)
TRIGGER = """
create trigger experiments_follow_resource after update of path, deleted_at on access_resource for each row
when (new.kind = 'experiment' and (old.path <> new.path or (old.deleted_at is null) <> (new.deleted_at is null)))
execute function experiments_follow_resource()"""
SHOWN = ("number", "plain_name", "path", "artifact_location", "tags", "trashed", "changed_at", "created_at")


def _generated(expression: Func, field: models.Field) -> models.GeneratedField:
    return models.GeneratedField(expression=expression, output_field=field, db_persist=True)


def _index(name: str, *fields: str) -> migrations.AddIndex:
    return migrations.AddIndex("experiment", models.Index(fields=["workspace", *fields], name=name))


class Migration(migrations.Migration):
    dependencies = [("experiments", "0005_functions")]
    operations = [
        migrations.RunSQL(FUNCTIONS, reverse_sql=migrations.RunSQL.noop),
        migrations.AddField("experiment", "path", models.TextField(default="", editable=False), False),
        migrations.AddField("experiment", "trashed", models.BooleanField(default=False, editable=False)),
        migrations.AddField("experiment", "created_at", models.DateTimeField(default=now, editable=False), False),
        migrations.RunSQL(FILL, reverse_sql=migrations.RunSQL.noop),
        migrations.AddField(
            "experiment", "created_millis", _generated(Millis(F("created_at")), models.BigIntegerField())
        ),
        migrations.AddField(
            "experiment", "changed_millis", _generated(Millis(F("changed_at")), models.BigIntegerField())
        ),
        migrations.AddField(
            "experiment",
            "shown",
            _generated(Func(*map(F, SHOWN), function="experiments_experiment_text"), models.TextField()),
        ),
        _index("experiments_experiment_newest", "-created_millis", "number"),
        _index("experiments_experiment_changed", "-changed_millis", "-number"),
        migrations.RunSQL(TRIGGER, reverse_sql="drop trigger experiments_follow_resource on access_resource"),
    ]
