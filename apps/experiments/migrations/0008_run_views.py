"""Saved views of run tables."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import apps.access.rls
import apps.foundation.clock
import apps.foundation.ids


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0003_visible"),
        ("experiments", "0007_runs_at_once"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="RunView",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=apps.foundation.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=80)),
                ("address", models.TextField(blank=True)),
                ("shared", models.BooleanField(default=False)),
                ("created_at", models.DateTimeField(default=apps.foundation.clock.now)),
                (
                    "experiment",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="views",
                        to="experiments.experiment",
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
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
                "constraints": [
                    models.UniqueConstraint(fields=("experiment", "owner", "name"), name="experiments_view_once")
                ],
            },
        ),
        apps.access.rls.EnableWall("RunView"),
    ]
