"""Reads of transition requests: a model's, and those that wait for somebody's answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, QuerySet

from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.policy import fetch, visible
from apps.foundation.errors import Invalid
from apps.registry import gates, stages
from apps.registry.models import RegisteredModel, TransitionRequest


def requests_of(model: RegisteredModel) -> QuerySet[TransitionRequest]:
    """What was asked about a model's versions."""
    rows = TransitionRequest.objects.filter(version__model=model)
    return rows.select_related("version__model__resource", "author")


def waiting_in(model: RegisteredModel, most: int = 50) -> list[TransitionRequest]:
    """The newest requests about a model that wait, at most so many."""
    rows = requests_of(model).filter(state=TransitionRequest.State.WAITING)
    return list(rows.order_by("-created_at", "-id")[:most])


def count_waiting(models: Iterable[RegisteredModel]) -> dict[Any, int]:
    """How many requests wait, by model (its key)."""
    rows = TransitionRequest.objects.filter(
        version__model__in=[model.pk for model in models], state=TransitionRequest.State.WAITING
    )
    return dict(rows.order_by().values_list("version__model").annotate(Count("id")))


def in_state(rows: QuerySet[TransitionRequest], state: str | None) -> QuerySet[TransitionRequest]:
    """Those in a state; all when none is named. Raises Invalid."""
    if not state:
        return rows
    if state not in TransitionRequest.State.values:
        raise Invalid(fields={"state": f"Use one of {', '.join(TransitionRequest.State.values)}."})
    return rows.filter(state=state)


def get_request(actor: Actor, id: object) -> TransitionRequest:
    """One request, for somebody who may see its model. Raises NotFound."""
    return fetch(TransitionRequest, id, actor=actor)


@dataclass(frozen=True)
class Answers:
    """What an actor may do with a request: approve and reject it, or cancel it."""

    decides: bool
    cancels: bool

    @property
    def names(self) -> list[str]:
        """The verbs."""
        return [*(["approve", "reject"] if self.decides else []), *(["cancel"] if self.cancels else [])]


def answers_of(actor: Actor, requests: Iterable[TransitionRequest]) -> dict[Any, Answers]:
    """What the actor may do with each of these requests, by its key; four statements for all of them."""
    rows = list(requests)
    models = {row.version.model_id: row.version.model for row in rows if row.waits}
    known = gates.gates_of(models.values())
    groups = gates.groups_of(actor) if models else frozenset()
    held = {
        level: set(visible(RegisteredModel, actor, level).filter(pk__in=list(models)).values_list("pk", flat=True))
        for level in (stages.GATE_LEVELS if models else ())
    }

    def answers(row: TransitionRequest) -> Answers:
        mine = row.author_id is not None and row.author_id == actor.user_id
        if not row.waits or mine:
            return Answers(False, row.waits and mine)
        model = row.version.model_id
        needed = gates.level_needed(known[model], actor, groups, row.version.stage, row.stage)
        return Answers(model in held[needed], model in held[Level.MANAGE])

    return {row.pk: answers(row) for row in rows}


def waiting_for(actor: Actor, most: int) -> list[TransitionRequest]:
    """The newest requests that wait for this actor's answer, at most so many, among the newest 200 that wait at all."""
    rows = visible(TransitionRequest, actor, Level.EDIT).filter(state=TransitionRequest.State.WAITING)
    rows = rows.exclude(author=actor.user).select_related("version__model__resource", "author")
    found = list(rows.order_by("-created_at", "-id")[:200])
    can = answers_of(actor, found)
    return [row for row in found if can[row.pk].decides][:most]
