"""The list of tables: typed filters, reads of the week, growth, how many there are where."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.db.models import BigIntegerField, Count, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.policy import visible
from apps.foundation.clock import now
from apps.foundation.errors import Invalid
from apps.foundation.pages import Filter, Token
from apps.tables.models import ReadCount, Table

FIELDS = ("name", "catalog", "schema", "column", "owner", "kind", "rows", "written")


def narrowed(found: QuerySet[Table], actor: Actor, wanted: Filter) -> QuerySet[Table]:
    """The tables that a typed filter leaves: name, catalog, schema, column, owner, kind, rows, written. Raises Invalid."""
    for token in wanted.tokens:
        condition = _condition(actor, token)
        if condition is not None:
            found = found.exclude(condition) if token.negated or token.operator == "!=" else found.filter(condition)
    return found.filter(resource__path__contains=wanted.words.lower()) if wanted.words else found


def _condition(actor: Actor, token: Token) -> Q | None:
    value = token.value.lower()
    match token.name:
        case "name":
            return Q(resource__name__contains=value)
        case "catalog":
            return Q(resource__path__gte=f"{value}.", resource__path__lt=f"{value}/")
        case "schema":
            return Q(resource__parent__path=value) if "." in value else Q(resource__parent__name=value)
        case "column":
            return Q(columns__contains=[{"name": token.value}])
        case "owner":
            return Q(resource__owner=actor.user) if value == "me" else Q(resource__owner__email__startswith=value)
        case "kind":
            return Q(purpose={"table": "", "feature": "features"}.get(value, value))
        case "rows":
            return Q(**{f"rows__{_comparison(token)}": _amount(token)})
        case "written":
            return Q(**{f"changed_at__{_comparison(token)}": _moment(token)})
    return None


_COMPARISONS = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}
_UNITS = {"k": 10**3, "m": 10**6, "b": 10**9, "g": 10**9}
_SPANS = {"h": 3600, "d": 86400, "w": 7 * 86400}


def _comparison(token: Token) -> str:
    return _COMPARISONS.get(token.operator.lstrip(":"), "exact" if token.name == "rows" else "gte")


def _amount(token: Token) -> int:
    match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,6})?)([kmbg]?)", token.value.lower())
    if match is None:
        raise Invalid(f"“{token.text}” compares with no number; write rows:>1M.")
    return int(float(match[1]) * _UNITS.get(match[2], 1))


def _moment(token: Token) -> datetime:
    """A span back from now (`1d`) or a day (`2026-01-31`)."""
    if match := re.fullmatch(r"(\d{1,5})([hdw])", token.value.lower()):
        return now() - timedelta(seconds=int(match[1]) * _SPANS[match[2]])
    try:
        return datetime.fromisoformat(token.value).replace(tzinfo=UTC)
    except ValueError:
        raise Invalid(f"“{token.text}” names no time; write written:>7d or written:>2026-01-31.") from None


def with_reads(found: QuerySet[Table]) -> QuerySet[Table]:
    """The tables with `reads`: how many were asked for in the last seven days."""
    since = now().date() - timedelta(days=6)
    counts = ReadCount.objects.filter(table=OuterRef("pk"), day__gte=since).order_by().values("table")
    week = Subquery(counts.annotate(sum=Sum("count")).values("sum"))
    return found.annotate(reads=Coalesce(week, Value(0), output_field=BigIntegerField()))


@dataclass(frozen=True)
class Growth:
    """A table's rows over its last versions, oldest first, and who wrote the last one."""

    rows: list[int]
    by: str


def growth(tables: Sequence[Table], versions: int = 12) -> dict[uuid.UUID, Growth]:
    """How each of these tables grew."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select t.id, array(select v.rows from tables_tableversion v where v.table_id = t.id order by v.version desc limit %s),"
            " (select v.actor_label from tables_tableversion v where v.table_id = t.id order by v.version desc limit 1)"
            " from unnest(%s::uuid[]) as t(id)",
            [versions, [table.pk for table in tables]],
        )
        return {row[0]: Growth(row[1][::-1], row[2] or "") for row in cursor.fetchall()}


def tables_per_schema(actor: Actor) -> dict[str, int]:
    """How many tables the actor may read in each schema."""
    found = visible(Table, actor, Level.VIEW).values_list("resource__parent__path").annotate(many=Count("pk"))
    return dict(found.order_by())
