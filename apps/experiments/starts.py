"""Starting a run: its name, and what is known of it without its script saying so when a job's run key starts it."""

from __future__ import annotations

import uuid
from dataclasses import asdict
from typing import Any

from apps.access.actor import Actor
from apps.experiments import ingest, limits
from apps.experiments.models import Run
from apps.experiments.names import invent_name
from apps.experiments.outcome import require_done
from apps.foundation.errors import Invalid, NotFound
from apps.jobs import queries as jobs
from apps.lineage.recorder import Node, activity_node, observe_write

NAME_TAG = "mlflow.runName"


def name_of(name: str, tags: dict[str, str]) -> str:
    """What a new run is called: the name given, else the tag's, else an invented one. Raises Invalid when the two differ."""
    tagged = tags.get(NAME_TAG, "")
    if name and tagged and name != tagged:
        raise Invalid(
            "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values"
            f" (run_name='{name}', mlflow.runName='{tagged}')."
        )
    return (name or tagged or invent_name())[: limits.RUN_NAME_MAX]


def start_run(actor: Actor, *, number: int, name: str, user: str, start: int, tags: dict[str, str]) -> uuid.UUID:
    """The id of a new run in an experiment; needs edit on it. A run key's job run becomes what made it."""
    name = name_of(name, tags)
    run_id = uuid.uuid4()
    known = receipt(actor.activity)
    statement = ingest.create_run(
        number=number,
        run=run_id,
        name=name,
        user=user,
        start=start,
        tags={**receipt_tags(known), **tags, NAME_TAG: name},
        activity=actor.activity or "",
        receipt=known,
    )
    (row,) = ingest.run_as(actor, statement)
    require_done(row["code"], row["detail"], thing=str(number))
    activity = activity_node(actor.activity or "")
    if activity is not None:
        made = Run.objects.select_related("experiment__resource").get(uuid=run_id)
        observe_write(activity, run_node(made))
    return run_id


def run_node(run: Run) -> Node:
    """A run in the lineage graph."""
    return Node("run", run.hex, name=run.name, resource=run.experiment.resource)


def receipt(activity: str) -> dict[str, Any] | None:
    """What is known of the job run that a run key belongs to: commit, script, parameters, environment, person, log; None for no job."""
    kind, _, key = (activity or "").partition(":")
    if kind != "job_run":
        return None
    try:
        return asdict(jobs.receipt(key))
    except NotFound:
        return None


def receipt_tags(known: dict[str, Any] | None) -> dict[str, str]:
    """Tags of a run that say what its receipt knows, in the names that MLflow's clients show."""
    if known is None:
        return {}
    found = {
        "mlflow.source.git.commit": known.get("commit"),
        "mlflow.source.git.repoURL": known.get("source_path"),
        "mlflow.source.name": known.get("script"),
        "mlflow.source.type": "JOB",
        "boathouse.job_run": known.get("run_id"),
    }
    return {key: str(value) for key, value in found.items() if value}
