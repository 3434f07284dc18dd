import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import apps.access.rls
import apps.foundation.clock


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0002_walls_and_functions"),
        ("experiments", "0002_walls_and_functions"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="LoggedModel",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("uuid", models.UUIDField(default=uuid.uuid4, editable=False)),
                ("name", models.TextField()),
                ("model_type", models.TextField(blank=True)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("LOGGED_MODEL_PENDING", "Pending"),
                            ("LOGGED_MODEL_READY", "Ready"),
                            ("LOGGED_MODEL_UPLOAD_FAILED", "Upload Failed"),
                        ],
                        default="LOGGED_MODEL_PENDING",
                        max_length=32,
                    ),
                ),
                ("params", models.JSONField(blank=True, default=dict)),
                ("tags", models.JSONField(blank=True, default=dict)),
                ("created_at", models.DateTimeField(default=apps.foundation.clock.now)),
                ("updated_at", models.DateTimeField(default=apps.foundation.clock.now)),
                ("deleted_at", models.DateTimeField(null=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "experiment",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="logged_models",
                        to="experiments.experiment",
                    ),
                ),
                (
                    "source_run",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="logged_models",
                        to="experiments.run",
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
                "indexes": [
                    models.Index(fields=["experiment", "-created_at", "uuid"], name="experiments_logged_model_order")
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("workspace", "uuid"), name="experiments_logged_model_uuid")
                ],
            },
        ),
        apps.access.rls.EnableWall("LoggedModel"),
    ]
