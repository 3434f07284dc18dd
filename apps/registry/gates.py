"""Who may pass the gates of Staging and Production, and whether a move there needs a second person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.models import GroupMember, User
from apps.access.policy import authorise
from apps.access.queries import who_may
from apps.foundation.errors import Conflict
from apps.registry import stages
from apps.registry.models import Gatekeeper, RegisteredModel, StageGate


@dataclass(frozen=True)
class Gate:
    """The gate of one stage as it is now. `keepers` are people and groups who pass with the level edit."""

    stage: str
    level: Level
    two_people: bool
    keepers: tuple[Any, ...]

    def keeps(self, actor: Actor, groups: frozenset[Any]) -> bool:
        """Whether the actor, who is in these groups, is a gatekeeper."""
        return any(one.pk == actor.user_id or one.pk in groups for one in self.keepers)

    def needs(self, actor: Actor, groups: frozenset[Any]) -> Level:
        """The level on the model with which this actor passes."""
        return Level.EDIT if self.keeps(actor, groups) else self.level


Gates = Mapping[str, Gate]


def gates_of(models: Iterable[RegisteredModel]) -> dict[Any, dict[str, Gate]]:
    """The gates of each model by its key, two statements for all of them."""
    keys = [model.pk for model in models]
    rows = {
        (gate.model_id, gate.stage): gate for gate in StageGate.objects.filter(model__in=keys, valid_to__isnull=True)
    }
    keepers: dict[Any, list[Any]] = defaultdict(list)
    for keeper in keepers_now(keys):
        keepers[keeper.model_id, keeper.stage].append(keeper.grantee)
    return {
        key: {stage: _gate(stage, rows.get((key, stage)), keepers[key, stage]) for stage in stages.SERVING}
        for key in keys
    }


def attach(models: Iterable[RegisteredModel]) -> None:
    """Let these models know their gates."""
    rows = list(models)
    found = gates_of(rows)
    for model in rows:
        model._gates = found[model.pk]  # type: ignore[attr-defined]


def known(model: RegisteredModel) -> Gates:
    """A model's gates, read if they were not attached."""
    if not hasattr(model, "_gates"):
        attach([model])
    found: Gates = model._gates  # type: ignore[attr-defined]
    return found


def keepers_now(keys: Iterable[Any]) -> Any:
    """The gatekeepers of these models at the moment."""
    rows = Gatekeeper.objects.filter(model__in=list(keys), valid_to__isnull=True)
    return rows.select_related("user", "group").order_by("valid_from", "id")


def groups_of(actor: Actor) -> frozenset[Any]:
    """The keys of the groups that the actor is in."""
    return frozenset(GroupMember.objects.filter(user=actor.user).values_list("group_id", flat=True))


def level_needed(gates: Gates, actor: Actor, groups: frozenset[Any], before: str, after: str) -> Level:
    """The level on the model with which this actor may make the move."""
    return max([Level.EDIT, *(gates[stage].needs(actor, groups) for stage in stages.gates_passed(before, after))])


def require(actor: Actor, model: RegisteredModel, before: str, after: str) -> Gates:
    """The model's gates, when the actor passes those of this move. Raises Forbidden, which says the level that is missing."""
    gates = gates_of([model])[model.pk]
    if not actor.is_system:
        authorise(actor, level_needed(gates, actor, groups_of(actor), before, after), model)
    return gates


def deciders(model: RegisteredModel, before: str, after: str) -> set[Any]:
    """The ids of the accounts that may make a move."""
    found = who_may(model.resource, Level.EDIT)
    for stage in stages.gates_passed(before, after):
        gate = known(model)[stage]
        keepers = {one.pk for one in gate.keepers if isinstance(one, User)}
        groups = [one.pk for one in gate.keepers if not isinstance(one, User)]
        keepers |= set(GroupMember.objects.filter(group__in=groups).values_list("user_id", flat=True))
        found &= keepers | who_may(model.resource, gate.level)
    return found


def refuse_alone(gates: Gates, before: str, after: str) -> None:
    """Raises Conflict for a move that needs two people."""
    for stage in stages.gates_passed(before, after):
        if gates[stage].two_people:
            raise Conflict(
                f"Moves through the gate of {stage} need two people here: request the move, and somebody else approves it.",
                code="needs_request",
            )


def _gate(stage: str, row: StageGate | None, keepers: list[Any]) -> Gate:
    level = row.level if row else stages.DEFAULT_GATES[stage]
    return Gate(stage, Level.parse(level), bool(row and row.two_people), tuple(keepers))


def name_of(grantee: Any) -> str:
    """What a gatekeeper is called: the person's label or the group's name."""
    return grantee.label if isinstance(grantee, User) else grantee.name
