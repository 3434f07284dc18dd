"""Answers a search for experiments: filter, order and keyset page over those that the caller may see.

`find_experiments` yields statements as `finder.find_runs` does, so that the ingest path and Django share it.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

from django.core import signing

from apps.access.actor import Actor
from apps.experiments import ingest
from apps.experiments.ingest import Statement
from apps.experiments.models import Experiment
from apps.experiments.search import Comparison, Entity, ExperimentSearch, Operator, Order, Stage
from apps.experiments.sets import Sql, condition
from apps.foundation.errors import Invalid
from apps.foundation.paging import Page

SALT = "boathouse.experiments"
_NEWEST = (Order(Entity.ATTRIBUTE, "creation_time", ascending=False),)
_COLUMNS = {
    "name": '(coalesce(e.plain_name, e.path) collate "C")',
    "experiment_id": "e.number::text",
    "creation_time": "e.created_millis",
    "last_update_time": "e.changed_millis",
}
_TRASHED = {Stage.ACTIVE: False, Stage.DELETED: True, Stage.ALL: None}
# The reader is noted by experiments_open, in the same transaction; nobody without one.
_READER = "nullif(current_setting('boathouse.reader', true), '')::uuid"
_VISIBLE = (
    f" and ((select access_level({_READER}, (select id from access_resource where kind = 'workspace'))) >= 2"
    f" or e.resource_id in (select access_visible({_READER}, 2)))"
)


@dataclass(frozen=True)
class FoundExperiments:
    """A page as items of a JSON list, the ids of its experiments where they were asked for, and the token of the next page."""

    items: str
    ids: tuple[Any, ...]
    next_token: str


def list_newest(search: ExperimentSearch) -> Statement | None:
    """The one statement that answers the commonest search, all in the default order; None for any other."""
    if search.where or search.text or search.order:
        return None
    created, number = _values(search) if search.token else (None, None)
    return ingest.list_experiments(_TRASHED[search.stage], search.size, created, number)


def found_newest(search: ExperimentSearch, row: Sequence[Any]) -> FoundExperiments:
    """The page in the row that `list_newest` gave."""
    items, created, number = row
    return FoundExperiments(items or "", (), "" if created is None else _token(search, [created, number]))


def find_experiments(search: ExperimentSearch) -> Generator[Sql, list[tuple[Any, ...]], FoundExperiments]:
    """A page of the experiments that the reader of this transaction may see. Raises Invalid for a token of another search."""
    order = search.order or _NEWEST
    # With an order of their own, ties go to the larger number; else to the smaller (as MLflow does).
    keys = [(_COLUMNS[item.key], item.ascending) for item in order] + [("e.number", not search.order)]
    statement = Sql(
        "select e.resource_id, e.shown || ',\"workspace\":' || to_json(w.name)::text || '}', "
        f"{', '.join(column for column, _ in keys)} from experiments_experiment e"
        " join access_workspace w on w.id = e.workspace_id where true",
    )
    statement.add(_VISIBLE)
    if search.stage is not Stage.ALL:
        statement.add(f" and {'' if search.stage is Stage.DELETED else 'not '}e.trashed")
    for comparison in search.where:
        statement.add(" and ").then(_narrow(comparison))
    if search.text:
        statement.add(f" and strpos(lower({_COLUMNS['name']}), lower(%s)) > 0", search.text)
    if search.token:
        statement.add(" and (").then(_after(keys, _values(search))).add(")")
    statement.add(" order by " + ", ".join(f"{column} {'asc' if up else 'desc'}" for column, up in keys))
    rows = yield statement.add(f" limit {search.size + 1}")
    page = rows[: search.size]
    token = _token(search, list(page[-1][2:])) if len(rows) > search.size else ""
    return FoundExperiments(",".join(row[1] for row in page), tuple(row[0] for row in page), token)


def search_experiments(actor: Actor, search: ExperimentSearch) -> Page[Experiment]:
    """A page of experiments that the actor may see."""
    _, found = ingest.search_as(actor, lambda _: find_experiments(search), [])
    kept = Experiment.objects.select_related("resource__owner").in_bulk(found.ids)
    return Page([kept[each] for each in found.ids], found.next_token or None)


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


def _token(search: ExperimentSearch, values: list[Any]) -> str:
    return signing.dumps([_fingerprint(search), values], salt=SALT)


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
