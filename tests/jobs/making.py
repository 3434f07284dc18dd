"""Jobs for tests, on a repository filled by the real git client."""

from __future__ import annotations

from typing import Any

from apps.access.actor import Actor
from apps.access.models import Resource
from apps.access.resources import root_resource
from apps.jobs import operations
from apps.jobs.models import Job
from tests.repos.making import a_repo, fill

SCRIPT = "import sys\nprint('arguments', sys.argv[1:])\n"


def a_job(
    actor: Actor, script: str = SCRIPT, *, name: str = "train", parent: Resource | None = None, **settings: Any
) -> Job:
    """A job whose repository has this train.py."""
    repo = a_repo(actor, f"{name}-code", parent)
    fill(repo, {"train.py": script})
    settings = {"environment": "default", **settings}
    return operations.create_job(
        actor=actor,
        parent=parent or root_resource(),
        name=name,
        source=repo.resource,
        script="train.py",
        settings=settings,
    )
