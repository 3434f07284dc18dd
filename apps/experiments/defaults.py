"""The experiment called `Default`, which MLflow's clients expect of a new server under the id 0."""

from __future__ import annotations

from apps.access.actor import Actor
from apps.access.resources import create_resource, find_resource
from apps.experiments.models import Experiment
from apps.experiments.models.experiments import DEFAULT_NAME, DEFAULT_NUMBER


def make_default(actor: Actor) -> None:
    """Put `Default` into the folder that everyone writes to; called once for each new workspace."""
    shared = find_resource("folder", "/Shared")
    if shared is None:
        raise LookupError("a new workspace has no /Shared folder")
    resource = create_resource(actor, kind="experiment", name=DEFAULT_NAME, parent=shared)
    Experiment(resource=resource, number=DEFAULT_NUMBER, plain_name=DEFAULT_NAME).save(force_insert=True)
