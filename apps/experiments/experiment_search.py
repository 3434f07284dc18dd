"""Answers a search for experiments: filter, order and keyset page over those that the caller may see.

`find_experiments` yields statements as `finder.find_runs` does, so that the ingest path and Django share it.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core import signing

from apps.access.actor import Actor
from apps.experiments import ingest
from apps.experiments.models import Experiment
from apps.experiments.search import Comparison, Entity, ExperimentSearch, Operator, Order, Stage
from apps.experiments.sets import Sql, condition
from apps.foundation.errors import Invalid
from apps.foundation.paging import Page

SALT = "boathouse.experiments"
_NEWEST = (Order(Entity.ATTRIBUTE, "creation_time", ascending=False),)
_COLUMNS = {
    "name": '(coalesce(e.plain_name, r.path) collate "C")',
    "experiment_id": "e.number::text",
    "creation_time": "floor(extract(epoch from r.created_at) * 1000)::bigint",
    "last_update_time": "floor(extract(epoch from e.changed_at) * 1000)::bigint",
}
# The reader is noted by experiments_open, in the same transaction; nobody without one.
_READER = "nullif(current_setting('boathouse.reader', true), '')::uuid"
_VISIBLE = (
    f" and ((select access_level({_READER}, (select id from access_resource where kind = 'workspace'))) >= 2"
    f" or e.resource_id in (select access_visible({_READER}, 2)))"
)


@dataclass(frozen=True)
class ExperimentRow:
    """An experiment as lists show it."""

    id: Any
    number: int
    name: str
    artifact_location: str
    tags: dict[str, str]
    created_at: datetime
    changed_at: datetime
    trashed: bool
    workspace: str


def find_experiments(search: ExperimentSearch) -> Generator[Sql, list[tuple[Any, ...]], Page[ExperimentRow]]:
    """A page of the experiments that the reader of this transaction may see. Raises Invalid for a token of another search."""
    order = search.order or _NEWEST
    # With an order of their own, ties go to the larger number; else to the smaller (as MLflow does).
    keys = [(_COLUMNS[item.key], item.ascending) for item in order] + [("e.number", not search.order)]
    statement = Sql(
        "select e.resource_id, e.number, coalesce(e.plain_name, r.path), e.artifact_location, e.tags, r.created_at, e.changed_at,"
        f" r.deleted_at is not null, w.name, {', '.join(column for column, _ in keys)}"
        " from experiments_experiment e join access_resource r on r.id = e.resource_id"
        " join access_workspace w on w.id = e.workspace_id where true",
    )
    statement.add(_VISIBLE)
    if search.stage is not Stage.ALL:
        statement.add(f" and r.deleted_at is {'not ' if search.stage is Stage.DELETED else ''}null")
    for comparison in search.where:
        statement.add(" and ").then(_narrow(comparison))
    if search.text:
        statement.add(f" and strpos(lower({_COLUMNS['name']}), lower(%s)) > 0", search.text)
    if search.token:
        statement.add(" and (").then(_after(keys, _values(search))).add(")")
    statement.add(" order by " + ", ".join(f"{column} {'asc' if up else 'desc'}" for column, up in keys))
    rows = yield statement.add(f" limit {search.size + 1}")
    items = [ExperimentRow(*row[:9]) for row in rows[: search.size]]
    if len(rows) <= search.size:
        return Page(items, None)
    return Page(items, signing.dumps([_fingerprint(search), list(rows[search.size - 1][9:])], salt=SALT))


def search_experiments(actor: Actor, search: ExperimentSearch) -> Page[Experiment]:
    """A page of experiments that the actor may see."""
    _, found = ingest.search_as(actor, lambda _: find_experiments(search), [])
    kept = Experiment.objects.select_related("resource__owner").in_bulk([row.id for row in found.items])
    return Page([kept[row.id] for row in found.items], found.next_token)


def _narrow(comparison: Comparison) -> Sql:
    operator, value = comparison.operator, comparison.value
    if comparison.entity is Entity.TAG:
        if operator in (Operator.IS_NULL, Operator.IS_NOT_NULL):
            return Sql(f"e.tags ->> %s is {'not ' if operator is Operator.IS_NOT_NULL else ''}null", [comparison.key])
        return _keyed(comparison)
    if comparison.key == "experiment_id":
        wanted = value if isinstance(value, tuple) else (value,)
        if not all(isinstance(item, str) and item.isascii() and item.isdigit() and len(item) <= 18 for item in wanted):
            raise Invalid(f"Invalid experiment ID in the filter: {value!r}. It must be a decimal number.")
        negated = "" if operator in (Operator.EQ, Operator.IN) else "not "
        return Sql(f"{negated}e.number = any(%s::bigint[])", [[int(str(item)) for item in wanted]])
    return condition(_COLUMNS[comparison.key], comparison)


def _keyed(comparison: Comparison) -> Sql:
    compared = condition("(e.tags ->> %s)", comparison)
    return Sql(compared.text, [comparison.key, *compared.params])


def _after(keys: list[tuple[str, bool]], values: list[Any]) -> Sql:
    (column, ascending), value = keys[0], values[0]
    found = Sql(f"{column} {'>' if ascending else '<'} %s", [value])
    if len(keys) > 1:
        found.add(f" or ({column} = %s and (", value).then(_after(keys[1:], values[1:])).add("))")
    return found


def _fingerprint(search: ExperimentSearch) -> str:
    return repr((search.where, search.order, search.stage, search.text))[:500]


def _values(search: ExperimentSearch) -> list[Any]:
    try:
        fingerprint, values = signing.loads(search.token, salt=SALT)
    except (signing.BadSignature, ValueError):
        raise Invalid("Invalid page token: it is not one of this server's; start again without it.") from None
    if fingerprint != _fingerprint(search):
        raise Invalid("Invalid page token: the filter or order changed since it was made; start again without it.")
    found: list[Any] = values
    return found
