"""Gates become rows with gatekeepers, and people ask for moves."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import apps.foundation.clock
import apps.foundation.ids
from apps.access.rls import EnableWall

# gates that were not the usual ones become rows; the owner, who migrates, is outside the wall
KEEP_GATES = """
insert into registry_stagegate (id, workspace_id, model_id, stage, level, two_people, valid_from, actor_label)
select gen_random_uuid(), workspace_id, resource_id, gate.key, gate.value, false, now(), 'boathouse'
from registry_registeredmodel, jsonb_each_text(gates) as gate
where (gate.key, gate.value) not in (('Staging', 'edit'), ('Production', 'manage'));
set constraints all immediate;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0003_visible"),
        ("registry", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Gatekeeper",
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
                (
                    "group",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="access.group"
                    ),
                ),
                (
                    "model",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="gatekeepers",
                        to="registry.registeredmodel",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        null=True,
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
                "indexes": [models.Index(fields=["model", "stage"], name="registry_keepers_of")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("user__isnull", True), ("group__isnull", True), _connector="XOR"),
                        name="registry_keeper_is_one",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="StageGate",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=apps.foundation.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("stage", models.CharField(max_length=16)),
                ("level", models.CharField(max_length=8)),
                ("two_people", models.BooleanField(default=False)),
                ("valid_from", models.DateTimeField(default=apps.foundation.clock.now)),
                ("valid_to", models.DateTimeField(null=True)),
                ("actor_label", models.CharField(max_length=254)),
                (
                    "model",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="stage_gates",
                        to="registry.registeredmodel",
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
                "indexes": [models.Index(fields=["model", "-valid_from"], name="registry_gate_history")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("valid_to__isnull", True)),
                        fields=("model", "stage"),
                        name="registry_one_gate_now",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="TransitionRequest",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=apps.foundation.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("stage", models.CharField(max_length=16)),
                ("from_stage", models.CharField(max_length=16)),
                ("archive_existing", models.BooleanField(default=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("approved", "Approved"),
                            ("rejected", "Rejected"),
                            ("cancelled", "Cancelled"),
                            ("settled", "Settled"),
                        ],
                        default="waiting",
                        max_length=12,
                    ),
                ),
                ("comment", models.TextField(blank=True)),
                ("author_label", models.CharField(max_length=254)),
                ("created_at", models.DateTimeField(default=apps.foundation.clock.now)),
                ("answer_label", models.CharField(blank=True, max_length=254)),
                ("answer_comment", models.TextField(blank=True)),
                ("answered_at", models.DateTimeField(null=True)),
                (
                    "author",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="requests",
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
            options={
                "indexes": [
                    models.Index(fields=["version", "-created_at"], name="registry_request_history"),
                    models.Index(
                        condition=models.Q(("state", "waiting")),
                        fields=["workspace", "-created_at"],
                        name="registry_request_waits",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "waiting")),
                        fields=("version", "stage", "author"),
                        name="registry_one_request_waits",
                    )
                ],
            },
        ),
        EnableWall("Gatekeeper", "StageGate", "TransitionRequest"),
        migrations.RunSQL(KEEP_GATES, reverse_sql=migrations.RunSQL.noop),
        migrations.RemoveField(model_name="registeredmodel", name="gates"),
    ]
