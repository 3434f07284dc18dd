"""What is worked out from a table's files, what people say of columns, how often a table is read, what a table is for."""

import django.db.models.deletion
from django.db import migrations, models

import apps.foundation.clock
import apps.foundation.ids
from apps.access.rls import EnableWall

INFERENCE = """
update tables_table set purpose = 'inference' where columns @> '[{"name": "databricks_request_id"}]'::jsonb;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0003_visible"),
        ("tables", "0003_may_read"),
    ]

    operations = [
        migrations.AddField(
            model_name="table",
            name="key_columns",
            field=models.JSONField(default=list),
        ),
        migrations.AddField(
            model_name="table",
            name="purpose",
            field=models.CharField(
                blank=True,
                choices=[("", "Table"), ("features", "Feature table"), ("inference", "Inference table")],
                default="",
                max_length=20,
            ),
        ),
        migrations.AlterField(
            model_name="tableversion",
            name="kind",
            field=models.CharField(
                choices=[
                    ("create", "Created"),
                    ("append", "Rows added"),
                    ("overwrite", "Overwritten"),
                    ("restore", "Restored"),
                    ("add_columns", "Columns added"),
                    ("compact", "Files joined"),
                    ("other", "Changed"),
                ],
                max_length=20,
            ),
        ),
        migrations.CreateModel(
            name="ColumnNote",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=apps.foundation.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=255)),
                ("description", models.TextField(blank=True)),
                ("tags", models.JSONField(default=list)),
                (
                    "table",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="column_notes",
                        to="tables.table",
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="access.workspace",
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("table", "name"), name="tables_column_note_once")],
            },
        ),
        migrations.CreateModel(
            name="Computation",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=apps.foundation.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("statistics", "Statistics"),
                            ("difference", "Difference"),
                            ("row_history", "History of a row"),
                            ("random_rows", "Random rows"),
                        ],
                        max_length=20,
                    ),
                ),
                ("digest", models.CharField(max_length=64)),
                ("wish", models.JSONField(default=dict)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("running", "Running"),
                            ("ready", "Ready"),
                            ("failed", "Failed"),
                            ("canceled", "Canceled"),
                        ],
                        default="waiting",
                        max_length=20,
                    ),
                ),
                ("attempt", models.UUIDField(null=True)),
                ("done", models.IntegerField(default=0)),
                ("total", models.IntegerField(default=0)),
                ("result", models.JSONField(default=dict)),
                ("error", models.TextField(blank=True)),
                ("created_at", models.DateTimeField(default=apps.foundation.clock.now)),
                ("stepped_at", models.DateTimeField(default=apps.foundation.clock.now)),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "table",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="computations",
                        to="tables.table",
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="access.workspace",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["workspace", "state"], name="tables_computation_state")],
                "constraints": [
                    models.UniqueConstraint(fields=("table", "kind", "digest"), name="tables_computation_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="ReadCount",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("day", models.DateField()),
                ("count", models.BigIntegerField(default=0)),
                (
                    "table",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="read_counts",
                        to="tables.table",
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="access.workspace",
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("table", "day"), name="tables_read_count_once")],
            },
        ),
        migrations.RunSQL(INFERENCE, migrations.RunSQL.noop),
        EnableWall("ColumnNote", "Computation", "ReadCount"),
    ]
