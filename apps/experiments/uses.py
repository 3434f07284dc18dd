"""Where runs are used, as rooms above say it: the registry tells which versions were made from a run, and which serve production."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from apps.access.actor import Actor
from apps.experiments.models import Experiment


@dataclass(frozen=True)
class Use:
    """One thing made from a run: `path` is the address of its page below `/w/<workspace>/`, `stage` a model version's."""

    run: uuid.UUID
    kind: str
    label: str
    short: str
    path: str
    stage: str = ""


@dataclass(frozen=True)
class Teller:
    """What a room offers: the uses of some runs, and the uses in production of an experiment's runs, each as the actor may see."""

    of_runs: Callable[[Actor, Sequence[uuid.UUID]], Iterable[Use]]
    in_production: Callable[[Actor, Experiment], Iterable[Use]]


_tellers: list[Teller] = []


def register_uses(teller: Teller) -> None:
    """Have a room asked where runs are used."""
    if teller not in _tellers:
        _tellers.append(teller)


def uses_of(actor: Actor, runs: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[Use]]:
    """What was made from these runs, by run."""
    found: dict[uuid.UUID, list[Use]] = {}
    for teller in _tellers if runs else []:
        for use in teller.of_runs(actor, runs):
            found.setdefault(use.run, []).append(use)
    return found


def in_production(actor: Actor, experiment: Experiment) -> list[Use]:
    """What runs of this experiment stand behind in Production, the newest first."""
    return [use for teller in _tellers for use in teller.in_production(actor, experiment)]
