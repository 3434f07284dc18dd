"""Tells the experiments room which versions were made from runs, and which of those are in Production."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence

from apps.access.actor import Actor
from apps.access.policy import visible
from apps.experiments.models import Experiment, Run
from apps.experiments.uses import Teller, Use
from apps.registry.models import ModelVersion, RegisteredModel

SHOWN_MAX = 500


def of_runs(actor: Actor, runs: Sequence[uuid.UUID]) -> Iterable[Use]:
    """The versions made from these runs, of models that the actor may see, the newest first."""
    return _uses(actor, ModelVersion.objects.live().filter(run__in=list(runs)))


def in_production(actor: Actor, experiment: Experiment) -> Iterable[Use]:
    """The versions in Production that were made from runs of an experiment."""
    versions = ModelVersion.objects.live().filter(stage="Production", run__isnull=False)
    mine = Run.objects.filter(experiment=experiment, uuid__in=versions.values("run")).values("uuid")
    return _uses(actor, versions.filter(run__in=mine))


def _uses(actor: Actor, versions: object) -> list[Use]:
    rows = list(versions.select_related("model__resource").order_by("-updated_at", "-version")[:SHOWN_MAX])  # type: ignore[attr-defined]
    seen = set(
        visible(RegisteredModel, actor).filter(pk__in={row.model_id for row in rows}).values_list("pk", flat=True)
    )
    return [
        Use(
            row.run,
            "model_version",
            f"{row.model.resource.name} v{row.version}",
            f"v{row.version}",
            f"models/{row.model_id}/versions/{row.version}",
            row.stage,
        )
        for row in rows
        if row.model_id in seen
    ]


TELLER = Teller(of_runs, in_production)
