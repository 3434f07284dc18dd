"""Catalogs, schemas, tables, their versions, and writes on their way to becoming one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from django.db import models

from apps.access.scope import WorkspaceModel
from apps.access.storage import location
from apps.foundation.clock import now
from apps.foundation.ids import new_id


class Catalog(WorkspaceModel):
    """The first part of a table's name."""

    resource = models.OneToOneField("access.Resource", primary_key=True, on_delete=models.CASCADE, related_name="+")

    def __str__(self) -> str:
        return self.resource.path


class Schema(WorkspaceModel):
    """The second part: holds tables, feature views and registered models."""

    resource = models.OneToOneField("access.Resource", primary_key=True, on_delete=models.CASCADE, related_name="+")

    @property
    def open_to_makers(self) -> bool:
        """Whether any member may create in here."""
        return self.resource.open_to_makers

    def __str__(self) -> str:
        return self.resource.path


class Table(WorkspaceModel):
    """A Delta table. `version`, `columns` and the counts are those of its newest version, as the log tells them."""

    FOLDER = "delta"

    class Purpose(models.TextChoices):
        PLAIN = "", "Table"
        FEATURES = "features", "Feature table"
        INFERENCE = "inference", "Inference table"

    resource = models.OneToOneField("access.Resource", primary_key=True, on_delete=models.CASCADE, related_name="+")
    purpose = models.CharField(max_length=20, choices=Purpose.choices, default=Purpose.PLAIN, blank=True)
    key_columns = models.JSONField(default=list)
    version = models.BigIntegerField(default=-1)
    columns = models.JSONField(default=list)
    rows = models.BigIntegerField(default=0)
    bytes = models.BigIntegerField(default=0)
    files = models.BigIntegerField(default=0)
    changed_at = models.DateTimeField(default=now)

    @property
    def tile(self) -> str:
        """What its tile looks like."""
        tiles: dict[str, str] = {self.Purpose.FEATURES: "feature", self.Purpose.INFERENCE: "inference"}
        return tiles.get(self.purpose, "table")

    @property
    def name(self) -> str:
        """The full name: `main.flights.flights`."""
        return self.resource.path

    @property
    def root(self) -> Path:
        """The folder of the Delta table."""
        return location(self.resource, self.FOLDER)

    def __str__(self) -> str:
        return self.resource.path


class TableVersion(WorkspaceModel):
    """One version: who made it, when, how, on behalf of what. Totals are of the table after it."""

    class Kind(models.TextChoices):
        CREATE = "create", "Created"
        APPEND = "append", "Rows added"
        OVERWRITE = "overwrite", "Overwritten"
        RESTORE = "restore", "Restored"
        ADD_COLUMNS = "add_columns", "Columns added"
        COMPACT = "compact", "Files joined"
        OTHER = "other", "Changed"

    id = models.BigAutoField(primary_key=True)
    table = models.ForeignKey(Table, on_delete=models.CASCADE, related_name="versions", db_index=False)
    version = models.BigIntegerField()
    committed_at = models.DateTimeField()
    kind = models.CharField(max_length=20, choices=Kind.choices)
    actor_id = models.UUIDField(null=True)
    actor_label = models.CharField(max_length=254, blank=True)
    activities = models.JSONField(default=list)
    note = models.TextField(blank=True)
    key = models.CharField(max_length=200, null=True)
    write_id = models.UUIDField(null=True)
    rows = models.BigIntegerField()
    bytes = models.BigIntegerField()
    files = models.BigIntegerField()
    rows_added = models.BigIntegerField(default=0)
    columns = models.JSONField(default=list)
    details = models.JSONField(default=dict)

    resource_path = "table"

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["table", "version"], name="tables_version_once"),
            models.UniqueConstraint(fields=["table", "key"], name="tables_version_key_once"),
            models.UniqueConstraint(fields=["table", "write_id"], name="tables_version_write_once"),
        ]
        indexes: ClassVar[list[Any]] = [models.Index(fields=["table", "committed_at"], name="tables_version_at")]

    def __str__(self) -> str:
        return f"{self.table} v{self.version}"


class StagedWrite(WorkspaceModel):
    """Files of one account on their way into a table, which may not be there yet. Belongs to a schema and to who began it."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        PARSING = "parsing", "Being read"
        PARSED = "parsed", "Ready"
        REFUSED = "refused", "Cannot be read"
        COMMITTED = "committed", "Committed"
        ABANDONED = "abandoned", "Abandoned"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    schema = models.ForeignKey(Schema, on_delete=models.CASCADE, related_name="+")
    table = models.ForeignKey(Table, null=True, on_delete=models.SET_NULL, related_name="+")
    name = models.CharField(max_length=255)
    user = models.ForeignKey("access.User", on_delete=models.CASCADE, related_name="+")
    state = models.CharField(max_length=20, choices=State.choices, default=State.OPEN)
    file_name = models.CharField(max_length=255, blank=True)
    options = models.JSONField(default=dict)
    report = models.JSONField(default=dict)
    version = models.BigIntegerField(null=True)
    guest_id = models.UUIDField(null=True)
    stepped_at = models.DateTimeField(default=now)
    created_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField()

    resource_path = "schema"

    class Meta:
        indexes: ClassVar[list[Any]] = [models.Index(fields=["workspace", "expires_at"], name="tables_write_expiry")]

    @property
    def folder(self) -> Path:
        """Where its files wait; on the file system of the tables, so that a commit only links them."""
        return location(self.schema.resource, "staging", str(self.pk))

    @property
    def is_settled(self) -> bool:
        """Whether nothing more can come of it."""
        return self.state in (self.State.COMMITTED, self.State.ABANDONED)

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


class ColumnNote(WorkspaceModel):
    """What people say of a column: a description and tags. Found by the column's name in small letters."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    table = models.ForeignKey(Table, on_delete=models.CASCADE, related_name="column_notes", db_index=False)
    name = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    tags = models.JSONField(default=list)

    resource_path = "table"

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["table", "name"], name="tables_column_note_once")
        ]

    def __str__(self) -> str:
        return f"{self.table} {self.name}"


class Computation(WorkspaceModel):
    """One thing worked out from a table's files, once, in a process of its own: statistics, a difference, a row's history.

    Versions never change, so what was found stays true. `attempt` is the fence: only who claimed it last may write its end.
    """

    class Kind(models.TextChoices):
        STATISTICS = "statistics", "Statistics"
        DIFFERENCE = "difference", "Difference"
        ROW_HISTORY = "row_history", "History of a row"
        RANDOM_ROWS = "random_rows", "Random rows"

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        RUNNING = "running", "Running"
        READY = "ready", "Ready"
        FAILED = "failed", "Failed"
        CANCELED = "canceled", "Canceled"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    table = models.ForeignKey(Table, on_delete=models.CASCADE, related_name="computations", db_index=False)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    digest = models.CharField(max_length=64)
    wish = models.JSONField(default=dict)
    state = models.CharField(max_length=20, choices=State.choices, default=State.WAITING)
    attempt = models.UUIDField(null=True)
    done = models.IntegerField(default=0)
    total = models.IntegerField(default=0)
    result = models.JSONField(default=dict)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(default=now)
    stepped_at = models.DateTimeField(default=now)
    finished_at = models.DateTimeField(null=True)

    resource_path = "table"

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["table", "kind", "digest"], name="tables_computation_once")
        ]
        indexes: ClassVar[list[Any]] = [models.Index(fields=["workspace", "state"], name="tables_computation_state")]

    @property
    def folder(self) -> Path:
        """Where rows lie that it found."""
        return location(self.table.resource, "computed", str(self.pk))

    @property
    def is_open(self) -> bool:
        """Whether it is still waited for."""
        return self.state in (self.State.WAITING, self.State.RUNNING)

    @property
    def percent(self) -> int | None:
        """How far it is, where that is known."""
        return round(100 * self.done / self.total) if self.total else None

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.table}"


class ReadCount(WorkspaceModel):
    """How many reads of a table were asked for on a day (UTC)."""

    id = models.BigAutoField(primary_key=True)
    table = models.ForeignKey(Table, on_delete=models.CASCADE, related_name="read_counts", db_index=False)
    day = models.DateField()
    count = models.BigIntegerField(default=0)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["table", "day"], name="tables_read_count_once")
        ]

    def __str__(self) -> str:
        return f"{self.table} {self.day}: {self.count}"
