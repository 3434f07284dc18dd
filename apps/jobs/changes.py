"""Who changed which setting of a job, read from the audit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.models import AuditEntry, Resource
from apps.access.policy import authorise, visible
from apps.jobs.models import Job

WORDS = {
    "source": "repo",
    "ref": "branch, tag or commit",
    "timeout_seconds": "time limit",
    "max_retries": "further attempts",
    "memory_mb": "memory",
}
_VERBS = ("jobs.create_job", "jobs.update_job")


@dataclass(frozen=True)
class Change:
    """One save: who, when, and each setting that became another one (name, before, after)."""

    at: datetime
    who: str
    made: bool
    settings: list[tuple[str, str, str]]


def list_changes(actor: Actor, job: Job) -> QuerySet[AuditEntry]:
    """The audit entries of a job's settings."""
    authorise(actor, Level.VIEW, job)
    return AuditEntry.objects.filter(resource_id=job.pk, verb__in=_VERBS, outcome=AuditEntry.Outcome.DONE)


def as_changes(actor: Actor, entries: Iterable[AuditEntry]) -> list[Change]:
    """The entries as people read them; a repository that the actor may not know of stays unnamed."""
    rows = list(entries)
    paths = {value for row in rows for side in (row.before, row.after) if (value := side.get("source"))}
    known = set(visible(Resource.objects.filter(path__in=paths), actor, Level.DISCOVER).values_list("path", flat=True))

    def shown(name: str, value: Any) -> str:
        if name == "source":
            return str(value) if value in known else "a repo you may not see"
        if name == "parameters":
            return ", ".join(
                f"{item['name']}={item['default']}" if "default" in item else item["name"] for item in value
            )
        return {"timeout_seconds": f"{value} s", "memory_mb": f"{value} MB"}.get(name, str(value))

    found = []
    for row in rows:
        made = row.verb == "jobs.create_job"
        names = [name for name, value in row.after.items() if not made and row.before.get(name) != value]
        settings = [(WORDS.get(n, n), shown(n, row.before.get(n)), shown(n, row.after[n])) for n in names]
        found.append(Change(row.at, row.actor_label, made, settings))
    return found
