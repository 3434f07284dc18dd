import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import apps.access.rls
import apps.foundation.clock
import apps.foundation.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("access", "0002_walls_and_functions"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="RegisteredModel",
            fields=[
                (
                    "resource",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="access.resource",
                    ),
                ),
                ("plain", models.BooleanField(default=False)),
                ("next_version", models.PositiveIntegerField(default=1)),
                ("tags", models.JSONField(blank=True, default=dict)),
                ("gates", models.JSONField(default=dict)),
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
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="ModelVersion",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=apps.foundation.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("version", models.PositiveIntegerField()),
                ("source", models.TextField(blank=True)),
                ("run", models.UUIDField(null=True)),
                ("run_link", models.TextField(blank=True)),
                ("logged_model", models.UUIDField(null=True)),
                ("description", models.TextField(blank=True)),
                ("tags", models.JSONField(blank=True, default=dict)),
                ("stage", models.CharField(default="None", max_length=16)),
                (
                    "status",
                    models.CharField(
                        choices=[("READY", "Ready"), ("FAILED_REGISTRATION", "Failed")], default="READY", max_length=24
                    ),
                ),
                ("facts", models.JSONField(default=dict)),
                ("files_at", models.DateTimeField(null=True)),
                ("bytes", models.BigIntegerField(default=0)),
                ("created_label", models.CharField(blank=True, max_length=254)),
                ("created_at", models.DateTimeField(default=apps.foundation.clock.now)),
                ("updated_at", models.DateTimeField(default=apps.foundation.clock.now)),
                ("deleted_at", models.DateTimeField(null=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
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
                (
                    "model",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="versions",
                        to="registry.registeredmodel",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Alias",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=apps.foundation.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=255)),
                ("valid_from", models.DateTimeField(default=apps.foundation.clock.now)),
                ("valid_to", models.DateTimeField(null=True)),
                ("actor_label", models.CharField(max_length=254)),
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
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="aliases", to="registry.modelversion"
                    ),
                ),
                (
                    "model",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="alias_periods",
                        to="registry.registeredmodel",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="StagePeriod",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=apps.foundation.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("stage", models.CharField(max_length=16)),
                ("valid_from", models.DateTimeField(default=apps.foundation.clock.now)),
                ("valid_to", models.DateTimeField(null=True)),
                ("actor_label", models.CharField(max_length=254)),
                ("comment", models.TextField(blank=True)),
                (
                    "version",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="stage_periods",
                        to="registry.modelversion",
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
        ),
        migrations.AddIndex(
            model_name="modelversion",
            index=models.Index(
                condition=models.Q(("deleted_at__isnull", True)),
                fields=["model", "stage", "-version"],
                name="registry_version_stage",
            ),
        ),
        migrations.AddIndex(
            model_name="modelversion",
            index=models.Index(fields=["workspace", "-updated_at", "-id"], name="registry_version_recent"),
        ),
        migrations.AddIndex(
            model_name="modelversion",
            index=models.Index(fields=["workspace", "run"], name="registry_version_run"),
        ),
        migrations.AddIndex(
            model_name="modelversion",
            index=models.Index(fields=["workspace", "logged_model"], name="registry_version_logged"),
        ),
        migrations.AddConstraint(
            model_name="modelversion",
            constraint=models.UniqueConstraint(fields=("model", "version"), name="registry_version_once"),
        ),
        migrations.AddIndex(
            model_name="alias",
            index=models.Index(fields=["model", "-valid_from"], name="registry_alias_history"),
        ),
        migrations.AddConstraint(
            model_name="alias",
            constraint=models.UniqueConstraint(
                condition=models.Q(("valid_to__isnull", True)), fields=("model", "name"), name="registry_one_alias_now"
            ),
        ),
        migrations.AddIndex(
            model_name="stageperiod",
            index=models.Index(fields=["version", "-valid_from"], name="registry_stage_history"),
        ),
        migrations.AddConstraint(
            model_name="stageperiod",
            constraint=models.UniqueConstraint(
                condition=models.Q(("valid_to__isnull", True)), fields=("version",), name="registry_one_stage_now"
            ),
        ),
        apps.access.rls.EnableWall("Alias", "ModelVersion", "RegisteredModel", "StagePeriod"),
    ]
