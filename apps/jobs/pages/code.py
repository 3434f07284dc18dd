"""Where the code of a job is looked at."""

from __future__ import annotations

from django.http import HttpRequest

from apps.access.models import Resource
from apps.access.policy import level_of
from apps.jobs.sources import source_of


def code_url(request: HttpRequest, source: Resource | None, commit: str = "") -> str:
    """The address of the code, or the empty text when the repository is gone or the person may not know of it."""
    if source is None or level_of(request.actor, source) is None:  # type: ignore[attr-defined]
        return ""
    place = source_of(source).page(source, commit) if commit and source.deleted_at is None else f"repos/{source.pk}"
    return f"/w/{request.actor.workspace.name}/{place}"  # type: ignore[attr-defined]
