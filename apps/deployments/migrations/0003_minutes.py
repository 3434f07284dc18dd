"""What endpoints answered, by the minute, as rows."""

import django.db.models.deletion
from django.db import migrations, models

from apps.access.rls import EnableWall


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0004_access_requests"),
        ("deployments", "0002_walls_and_functions"),
    ]

    operations = [
        migrations.CreateModel(
            name="EndpointMinute",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("minute", models.IntegerField()),
                ("requests", models.IntegerField(default=0)),
                ("refused", models.IntegerField(default=0)),
                ("errors", models.IntegerField(default=0)),
                ("buckets", models.JSONField(default=dict)),
                (
                    "endpoint",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="minutes",
                        to="deployments.endpoint",
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
                "constraints": [models.UniqueConstraint(fields=("endpoint", "minute"), name="deployments_minute_once")],
            },
        ),
        EnableWall("EndpointMinute"),
    ]
