"""Searches over models and versions: conditions and orders, as plain values, turned into one query each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import BooleanField, Case, F, Func, Q, TextField, Value, When
from django.db.models.fields.json import KeyTextTransform

from apps.access.actor import Actor
from apps.access.policy import visible
from apps.experiments.search import Comparison, Entity, Operator, Order
from apps.foundation.clock import from_millis
from apps.foundation.errors import Invalid
from apps.foundation.ids import parse_id
from apps.foundation.paging import Page, page
from apps.registry.models import PROMPT_TAG, ModelVersion, RegisteredModel
from apps.registry.names import PLAIN_HOME

_COMPARE = {Operator.LT: "lt", Operator.LE: "lte", Operator.GT: "gt", Operator.GE: "gte"}
MODEL_FIELDS = {"name": "shown_name", "last_updated_timestamp": "resource__updated_at"}
VERSION_FIELDS = {
    "name": "shown_name",
    "version_number": "version",
    "creation_timestamp": "created_at",
    "last_updated_timestamp": "updated_at",
    "source_path": "source",
    "run_id": "run",
}


@dataclass(frozen=True)
class RegistrySearch:
    """Which models or versions, in which order, how many, after which page."""

    where: tuple[Comparison, ...] = ()
    order: tuple[Order, ...] = ()
    size: int | str | None = None
    token: str = ""


class Like(Func):
    """LIKE and ILIKE as MLflow has them: % and _ are wild, and nothing escapes them."""

    template = "(%(expressions)s ESCAPE '')"
    output_field = BooleanField()

    def __init__(self, field: Any, pattern: str, *, any_case: bool) -> None:
        super().__init__(field, Value(pattern, TextField()), arg_joiner=" ILIKE " if any_case else " LIKE ")


def find_models(actor: Actor, search: RegistrySearch, cap: int = 1000) -> Page[RegisteredModel]:
    """A page of the models that the actor may see. Prompts are among them only when the search asks about prompts."""
    models = (
        visible(RegisteredModel, actor).select_related("resource__owner").annotate(shown_name=_shown_name("resource"))
    )
    models = models.filter(*_conditions(search.where, MODEL_FIELDS), _prompts(search.where))
    order = [*_orders(search.order, MODEL_FIELDS)]
    order += [field for field in ("shown_name", "pk") if field not in _named(order)]
    return page(models, order=order, token=search.token or None, size=search.size, cap=cap)


def find_versions(actor: Actor, search: RegistrySearch, cap: int = 200_000) -> Page[ModelVersion]:
    """A page of the versions of models that the actor may see."""
    versions = visible(ModelVersion.objects.live(), actor).select_related("model__resource")
    versions = versions.annotate(shown_name=_shown_name("model__resource", plain="model__plain"))
    versions = versions.filter(*_conditions(search.where, VERSION_FIELDS), _prompts(search.where))
    order = [*_orders(search.order, VERSION_FIELDS)]
    for field in ("-updated_at", "shown_name", "-version", "pk"):
        if field.lstrip("-") not in _named(order):
            order.append(field)
    return page(versions, order=order, token=search.token or None, size=search.size, cap=cap)


def _shown_name(resource: str, plain: str = "plain") -> Case:
    here = Q(**{plain: True, f"{resource}__path__startswith": f"{PLAIN_HOME}."})
    return Case(When(here, then=F(f"{resource}__name")), default=F(f"{resource}__path"), output_field=TextField())


def _conditions(where: tuple[Comparison, ...], fields: dict[str, str]) -> list[Any]:
    found: list[Any] = []
    for index, one in enumerate(where):
        if one.entity is Entity.TAG:
            found.append(_tag(one, index))
        else:
            found.append(_attribute(one, fields[one.key]))
    return [condition for condition in found if condition is not None]


def _tag(one: Comparison, index: int) -> Any:
    if one.key == PROMPT_TAG and one.operator is Operator.NE:
        # The one comparison that also holds for what lacks the tag: clients send it to leave prompts out.
        return ~Q(tags__contains={PROMPT_TAG: one.value})
    value = KeyTextTransform(one.key, "tags")
    return _text(value, one) & Q(tags__has_key=one.key)


def _attribute(one: Comparison, field: str) -> Any:
    if field == "run":
        return _run(one)
    if field in ("created_at", "updated_at", "resource__updated_at"):
        one = Comparison(one.entity, one.key, one.operator, from_millis(int(one.value)))  # type: ignore[arg-type]
    if one.operator in _COMPARE:
        return Q(**{f"{field}__{_COMPARE[one.operator]}": one.value})
    return _text(F(field), one, field)


def _text(value: Any, one: Comparison, field: str = "") -> Any:
    match one.operator:
        case Operator.LIKE | Operator.ILIKE:
            return Q(Like(value, str(one.value), any_case=one.operator is Operator.ILIKE))
        case Operator.IN:
            return Q(_In(value, one.value))
        case Operator.NOT_IN:
            return ~Q(_In(value, one.value))
        case Operator.EQ:
            return Q(_Equal(value, one.value))
        case Operator.NE:
            return ~Q(_Equal(value, one.value))
    raise Invalid(f"{one.operator} cannot be used with {one.key}.")


class _Equal(Func):
    template, arg_joiner, output_field = "(%(expressions)s)", " = ", BooleanField()

    def __init__(self, field: Any, value: Any) -> None:
        super().__init__(field, Value(value))


class _In(Func):
    output_field = BooleanField()

    def __init__(self, field: Any, values: Any) -> None:
        super().__init__(field, *[Value(value, TextField()) for value in values])

    def as_sql(self, compiler: Any, connection: Any, **_: Any) -> Any:  # type: ignore[override]
        parts = [compiler.compile(each) for each in self.source_expressions]
        listed = ", ".join(sql for sql, _ in parts[1:])
        return f"({parts[0][0]} IN ({listed}))", [value for _, values in parts for value in values]


def _run(one: Comparison) -> Any:
    """Run ids are kept as UUIDs and compared as the text that clients know."""
    if one.operator in (Operator.EQ, Operator.IN):
        wanted = [one.value] if one.operator is Operator.EQ else one.value
        return Q(run__in=[run for run in map(parse_id, wanted) if run])  # type: ignore[arg-type]
    text = Func(
        F("run"), function="replace", template="replace(%(expressions)s::text, '-', '')", output_field=TextField()
    )
    return _text(text, one)


def _prompts(where: tuple[Comparison, ...]) -> Q:
    if any(one.entity is Entity.TAG and one.key == PROMPT_TAG for one in where):
        return Q()
    return ~Q(tags__contains={PROMPT_TAG: "true"})


def _orders(orders: tuple[Order, ...], fields: dict[str, str]) -> list[str]:
    return [("" if order.ascending else "-") + fields[order.key] for order in orders]


def _named(order: list[str]) -> set[str]:
    return {field.lstrip("-") for field in order}
