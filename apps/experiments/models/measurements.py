"""What is measured of a run, in tables made for searching (a row per key) and one made for showing (the summary).

Only `sql/functions.sql` writes them, under the run's lock. They name runs by their small number; there is no foreign key, whose check
would cost more than the row, because runs are only removed together with their measurements.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from apps.access.scope import WorkspaceModel
from apps.experiments.models.runs import Run

HEAD = 250


def run_key(**options: Any) -> Any:
    """The column that says of which run a measurement is."""
    return models.ForeignKey(
        Run, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="+", **options
    )


class Measurement(WorkspaceModel):
    """A row that pours in: its workspace is stamped by the SQL functions and held by the wall, so no foreign key checks it again."""

    workspace = models.ForeignKey(
        "access.Workspace",
        on_delete=models.CASCADE,
        related_name="+",
        editable=False,
        db_index=False,
        db_constraint=False,
    )

    class Meta:
        abstract = True


class RunMetric(Measurement):
    """The latest value of one metric: the greatest (step, timestamp, value). NaN is kept as it is."""

    pk = models.CompositePrimaryKey("run_id", "key")
    run = run_key()
    experiment_number = models.BigIntegerField()
    key = models.TextField(db_collation="C")
    value = models.FloatField()
    step = models.BigIntegerField()
    timestamp = models.BigIntegerField()

    class Meta:
        indexes: ClassVar[list[Any]] = [
            models.Index(
                fields=["workspace", "experiment_number", "key", "value", "run"], name="experiments_metric_search"
            ),
        ]


class KeyedText(Measurement):
    """A text under a key. `head` is what is indexed of it: a whole value may be longer than an index entry can be."""

    pk = models.CompositePrimaryKey("run_id", "key")
    run = run_key()
    experiment_number = models.BigIntegerField()
    key = models.TextField(db_collation="C")
    value = models.TextField(db_collation="C")
    head = models.GeneratedField(
        expression=models.functions.Left("value", HEAD),
        output_field=models.TextField(db_collation="C"),
        db_persist=True,
    )

    class Meta:
        abstract = True


class RunParam(KeyedText):
    """What a run was started with. Written once."""

    class Meta:
        indexes: ClassVar[list[Any]] = [
            models.Index(
                fields=["workspace", "experiment_number", "key", "head", "run"], name="experiments_param_search"
            ),
        ]


class RunTag(KeyedText):
    """What is noted about a run. Rewritten at will."""

    class Meta:
        indexes: ClassVar[list[Any]] = [
            models.Index(
                fields=["workspace", "experiment_number", "key", "head", "run"], name="experiments_tag_search"
            ),
        ]


class MetricPoint(Measurement):
    """One value of a metric. The same (key, timestamp, step, value) is one point, so a repeated request changes nothing."""

    pk = models.CompositePrimaryKey("run_id", "key", "timestamp", "step", "value")
    run = run_key()
    key = models.TextField(db_collation="C")
    timestamp = models.BigIntegerField()
    step = models.BigIntegerField()
    value = models.FloatField()


class ModelMetric(WorkspaceModel):
    """One value of a metric that was logged for a logged model (`model` is its id), perhaps on a data set."""

    id = models.BigAutoField(primary_key=True)
    model = models.UUIDField()
    run = run_key()
    key = models.TextField(db_collation="C")
    value = models.FloatField()
    timestamp = models.BigIntegerField()
    step = models.BigIntegerField()
    dataset_name = models.TextField(blank=True)
    dataset_digest = models.TextField(blank=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=[
                    "workspace",
                    "model",
                    "key",
                    "run",
                    "timestamp",
                    "step",
                    "value",
                    "dataset_name",
                    "dataset_digest",
                ],
                name="experiments_model_metric_once",
            ),
        ]


class RunSummary(Measurement):
    """A run as it goes over the wire: JSON list items of metrics, params and tags, ready to be joined into an answer.

    `metrics` is null while many keys are being written one by one; readers then put it together from the rows.
    """

    run = models.OneToOneField(Run, primary_key=True, on_delete=models.CASCADE, related_name="summary")
    metrics = models.TextField(null=True)
    params = models.TextField(blank=True, default="")
    tags = models.TextField(blank=True, default="")
    inputs = models.TextField(blank=True, default="")
    outputs = models.TextField(blank=True, default="")
    metric_count = models.IntegerField(default=0)
