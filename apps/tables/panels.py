"""What tables shows on the front page: data that arrives, and data that should have."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Window
from django.db.models.functions import RowNumber
from django.http import HttpRequest

from apps.foundation.clock import now
from apps.tables import queries
from apps.tables.models import Table, TableVersion

SHOWN = 5
LOOKED_AT = 30
VERSIONS = 8
# A feed is what came at least so often, at least so far apart; it is late after twice its usual pause.
FEED_VERSIONS = 4
FEED_PAUSE = timedelta(minutes=10)


@dataclass(frozen=True)
class Arriving:
    """A table, when rows came last, its usual pause when it is a feed, and by how much it is late."""

    table: Table
    at: datetime
    pause: timedelta | None
    late: timedelta | None


def arriving(request: HttpRequest) -> Mapping[str, Any] | None:
    """Tables that changed lately, late feeds first."""
    tables = list(queries.list_tables(request.actor).order_by("-changed_at", "-pk")[:LOOKED_AT])  # type: ignore[attr-defined]
    if not tables:
        return None
    rank = Window(RowNumber(), partition_by=F("table"), order_by=F("version").desc())
    newest = TableVersion.objects.filter(table__in=tables).annotate(rank=rank).filter(rank__lte=VERSIONS)
    moments: dict[Any, list[datetime]] = {}
    for table_id, moment in newest.order_by("version").values_list("table_id", "committed_at"):
        moments.setdefault(table_id, []).append(moment)
    rows = [_arriving(table, moments.get(table.pk, []), now()) for table in tables]
    rows.sort(key=lambda row: (row.late is None, -row.at.timestamp()))
    return {"rows": rows[:SHOWN]}


def _arriving(table: Table, moments: Sequence[datetime], at: datetime) -> Arriving:
    pauses = [later - earlier for earlier, later in zip(moments, moments[1:], strict=False)]
    pause = statistics.median(pauses) if len(moments) >= FEED_VERSIONS else timedelta(0)  # type: ignore[type-var]
    if pause < FEED_PAUSE:
        return Arriving(table, table.changed_at, None, None)
    late = at - moments[-1] - pause
    return Arriving(table, table.changed_at, pause, late if late > pause else None)
