"""How a request to the MLflow door is described, and the things that all examples speak of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.models import Resource
from apps.experiments.models import Experiment
from apps.experiments.operations import set_experiment_tags
from apps.registry import operations
from tests.builders import Side
from tests.registry.makers import a_logged_model, a_model, a_version, an_experiment

Fields = dict[str, Any]


@dataclass(frozen=True)
class Things:
    """One of each in a workspace, by the words that clients use; `nowhere` has words of the same shape for nothing."""

    name: str
    run: str
    model_id: str
    experiment: str
    experiment_name: str
    version_id: str
    resources: dict[str, Resource] = field(default_factory=dict)

    @property
    def marks(self) -> list[str]:
        """What must not be in an answer to somebody who may not know of them."""
        return [self.name, self.run, self.model_id, self.experiment, self.experiment_name, self.version_id]


NOWHERE = Things("of_nowhere", "0" * 32, "m-" + "0" * 32, "9" * 18, "/of_nowhere_at_all", "0" * 32)


def things(side: Side) -> Things:
    """A run with a logged model, registered as version 1 of a model with an alias and tags."""
    experiment: Experiment = an_experiment(side.admin, f"experiment_of_{side.workspace.name}")
    set_experiment_tags(actor=side.admin, experiment=experiment, tags={"team": "ops"})
    logged = a_logged_model(side.admin, experiment)
    model = a_model(side.admin, f"of_{side.workspace.name}")
    version = a_version(side.admin, model, logged)
    operations.set_alias(actor=side.admin, model=model, alias="champion", version=version)
    operations.set_model_tag(actor=side.admin, model=model, key="team", value="ops")
    operations.set_version_tag(actor=side.admin, model=model, version=version, key="team", value="ops")
    assert logged.source_run is not None
    return Things(
        model.name,
        logged.source_run.hex,
        logged.hex,
        str(experiment.number),
        experiment.name,
        version.pk.hex,
        {"experiment": experiment.resource, "model": model.resource},
    )


@dataclass(frozen=True)
class DoorExample:
    """One request to one route of the door.

    path: as in the route. fields: the message, sent as query or JSON; those that the path names go there.
    needs: the level on `on` that suffices, None when everybody may ask and sees only their own. before: done to ours first.
    """

    method: str
    path: str
    fields: Callable[[Things], Fields] = lambda things: {}
    needs: Level | None = None
    on: str = "experiment"
    before: Callable[[Actor, Things], None] | None = None
