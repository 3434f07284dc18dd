"""What resources take on disk, behind the workspace's wall."""

import django.db.models.deletion
from django.db import migrations, models

import apps.foundation.clock
from apps.access.rls import EnableWall


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0004_access_requests"),
    ]

    operations = [
        migrations.CreateModel(
            name="StorageUse",
            fields=[
                (
                    "resource",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="storage_use",
                        serialize=False,
                        to="access.resource",
                    ),
                ),
                ("bytes", models.BigIntegerField()),
                ("files", models.BigIntegerField()),
                ("measured_at", models.DateTimeField(default=apps.foundation.clock.now)),
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
                "indexes": [models.Index(fields=["workspace", "-bytes"], name="access_storage_use_most")],
            },
        ),
        EnableWall("StorageUse"),
    ]
