"""Answers a search for experiments: filter, order and keyset page over those that the caller may see."""

from __future__ import annotations

from typing import Any

from django.core import signing
from django.db.models import BigIntegerField, F, Func, Q, QuerySet, TextField, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce

from apps.access.actor import Actor
from apps.access.policy import visible
from apps.experiments.models import Experiment
from apps.experiments.search import Comparison, Entity, ExperimentSearch, Operator, Order, Stage
from apps.foundation.errors import Invalid
from apps.foundation.paging import Page

SALT = "boathouse.experiments"
_NEWEST = (Order(Entity.ATTRIBUTE, "creation_time", ascending=False),)


class _Millis(Func):
    """A moment in whole milliseconds, as clients see it."""

    template = "floor(extract(epoch from %(expressions)s) * 1000)::bigint"
    output_field = BigIntegerField()


_COLUMNS: dict[str, Any] = {
    "name": Coalesce("plain_name", "resource__path", output_field=TextField(db_collation="C")),
    "experiment_id": Cast("number", TextField()),
    "creation_time": _Millis("resource__created_at"),
    "last_update_time": _Millis("changed_at"),
}


def search_experiments(actor: Actor, search: ExperimentSearch) -> Page[Experiment]:
    """A page of experiments that the actor may see. Raises Invalid for a token of another search."""
    if search.stage is Stage.ALL:
        ids = [visible(Experiment, actor, trashed=trashed).values("pk") for trashed in (False, True)]
        rows = Experiment.objects.filter(Q(pk__in=ids[0]) | Q(pk__in=ids[1]))
    else:
        rows = visible(Experiment, actor, trashed=search.stage is Stage.DELETED)
    order = search.order or _NEWEST
    named = {"number_order": F("number")} | {f"o_{item.key}": _COLUMNS[item.key] for item in order}
    rows = rows.select_related("resource").annotate(**named)
    for index, comparison in enumerate(search.where):
        rows = _narrow(rows, comparison, f"f_{index}")
    if search.text:
        rows = rows.annotate(f_text=_COLUMNS["name"]).filter(f_text__icontains=search.text)
    # With an order of their own, ties go to the larger number; else to the smaller (as MLflow does).
    keys = [(f"o_{item.key}", item.ascending) for item in order] + [("number_order", not search.order)]
    if search.token:
        rows = rows.filter(_after(keys, _values(search)))
    found = list(rows.order_by(*(key if ascending else f"-{key}" for key, ascending in keys))[: search.size + 1])
    if len(found) <= search.size:
        return Page(found, None)
    last = found[search.size - 1]
    return Page(
        found[: search.size], signing.dumps([_fingerprint(search), [getattr(last, key) for key, _ in keys]], salt=SALT)
    )


def _narrow(rows: QuerySet[Experiment], comparison: Comparison, name: str) -> QuerySet[Experiment]:
    operator, value = comparison.operator, comparison.value
    if comparison.entity is Entity.TAG:
        if operator in (Operator.IS_NULL, Operator.IS_NOT_NULL):
            has = Q(tags__has_key=comparison.key)
            return rows.filter(has if operator is Operator.IS_NOT_NULL else ~has)
        rows = rows.annotate(**{name: KeyTextTransform(comparison.key, "tags")}).filter(tags__has_key=comparison.key)
    elif comparison.key == "experiment_id":
        wanted = value if isinstance(value, tuple) else (value,)
        if not all(isinstance(item, str) and item.isascii() and item.isdigit() and len(item) <= 18 for item in wanted):
            raise Invalid(f"Invalid experiment ID in the filter: {value!r}. It must be a decimal number.")
        among = Q(number__in=[int(item) for item in wanted])  # type: ignore[arg-type]
        return rows.filter(among if operator in (Operator.EQ, Operator.IN) else ~among)
    else:
        rows = rows.annotate(**{name: _COLUMNS[comparison.key]})
    if operator in (Operator.LIKE, Operator.ILIKE):
        return rows.filter(_Like(F(name), Value(value), case=operator is Operator.LIKE))
    if operator is Operator.NE:
        return rows.exclude(**{name: value})
    word = {"=": "exact", "<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}[operator]
    return rows.filter(**{f"{name}__{word}": value})


class _Like(Func):
    """LIKE without an escape character."""

    conditional = True

    def __init__(self, column: Any, pattern: Any, *, case: bool) -> None:
        super().__init__(column, pattern, output_field=None)
        self.template = "%(expressions)s escape ''"
        self.arg_joiner = " like " if case else " ilike "

    @property
    def output_field(self) -> Any:
        from django.db.models import BooleanField

        return BooleanField()


def _after(keys: list[tuple[str, bool]], values: list[Any]) -> Q:
    condition, equal = Q(), Q()
    for (key, ascending), value in zip(keys, values, strict=True):
        condition |= equal & Q(**{f"{key}__{'gt' if ascending else 'lt'}": value})
        equal &= Q(**{key: value})
    return condition


def _fingerprint(search: ExperimentSearch) -> str:
    return repr((search.where, search.order, search.stage, search.text))[:500]


def _values(search: ExperimentSearch) -> list[Any]:
    try:
        fingerprint, values = signing.loads(search.token, salt=SALT)
    except (signing.BadSignature, ValueError):
        raise Invalid("Invalid page token: it is not one of this server's; start again without it.") from None
    if fingerprint != _fingerprint(search):
        raise Invalid("Invalid page token: the filter or order changed since it was made; start again without it.")
    return values
