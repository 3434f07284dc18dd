"""What the address of a run table says: search, columns, order, group, place. All state of the page is here, so a view is a link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, QueryDict

from apps.experiments import table
from apps.experiments.columns import Column, Goal, column, columns_of, default_columns, goal_of
from apps.experiments.language import Query, parse_query
from apps.experiments.models import Experiment
from apps.experiments.search import Entity, Order, RunSearch, Stage
from apps.foundation.clock import now

SIZES = (25, 50, 100)
DEFAULT_ORDER = "-start_time"
KEPT = ("f", "q", "c", "order", "group", "stage", "equal", "strip", "size")
_FIELDS = {"start_time": "start_time", "name": "run_name", "status": "status", "user": "user_id"}
_ENTITIES = {"metrics": Entity.METRIC, "params": Entity.PARAM, "tags": Entity.TAG}


@dataclass(frozen=True)
class Wish:
    """A run table as its address asks for it. `chosen` says that the columns were chosen by somebody, `known` all that may be shown."""

    experiment: Experiment
    query: Query
    columns: list[Column]
    chosen: bool
    goal: Goal | None
    order: str
    group: Column | None
    stage: Stage
    size: int
    token: str
    hides_equal: bool

    def search(self, token: str | None = None, size: int | None = None) -> RunSearch:
        """The search of one page of it."""
        return RunSearch(
            (self.experiment.number,),
            self.query.where,
            order_of(self.order),
            self.stage,
            size or self.size,
            self.token if token is None else token,
        )


def read_wish(request: HttpRequest, experiment: Experiment) -> Wish:
    """The run table that an address asks for. Raises Invalid for what no table can show."""
    asked = request.GET
    query = parse_query([*asked.getlist("f"), asked.get("q", "")], now())
    chosen = columns_of(asked.getlist("c"))
    metrics, params, known = table.sample(experiment)
    goal = goal_of(experiment, metrics)
    group = column(asked.get("group", ""))
    size = asked.get("size", "")
    return Wish(
        experiment,
        query,
        chosen or default_columns(metrics, params, goal, known),
        bool(chosen),
        goal,
        asked.get("order") or DEFAULT_ORDER,
        group if group and group.group in ("params", "tags") else None,
        Stage.DELETED if asked.get("stage") == "deleted" else Stage.ACTIVE,
        int(size) if size.isdigit() and int(size) in SIZES else SIZES[1],
        asked.get("page_token", ""),
        asked.get("equal") != "show",
    )


def order_of(text: str) -> tuple[Order, ...]:
    """`-metrics.rmse`, `start_time`, `name` as an order; the newest start without one."""
    ascending, name = not text.startswith("-"), text.lstrip("-")
    head, _, key = name.partition(".")
    if head in _ENTITIES and key:
        return (Order(_ENTITIES[head], key, ascending),)
    return (Order(Entity.ATTRIBUTE, _FIELDS[name], ascending),) if name in _FIELDS else ()


def kept(request: HttpRequest, **changes: Any) -> str:
    """The query of this table's address without its place, with some changes; to be kept as a view or handed on."""
    return kept_query(request.GET, **changes).urlencode()


def kept_query(asked: QueryDict, **changes: Any) -> QueryDict:
    """The same as a QueryDict."""
    found = QueryDict(mutable=True)
    for name in KEPT:
        values = [value for value in asked.getlist(name) if value]
        if name in changes:
            given = changes[name]
            values = [] if given is None else given if isinstance(given, list) else [given]
        if values:
            found.setlist(name, values)
    return found
