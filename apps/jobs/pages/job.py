"""Pages of one job: its runs, its parameters, its settings and who changed them."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest, HttpResponse

from apps.access.levels import Level
from apps.access.pages import resource_url
from apps.access.policy import fetch, level_of
from apps.access.queries import list_ancestors
from apps.foundation.pages import Frame, Tab, go, page, page_url, parse_filter
from apps.foundation.paging import page as page_of
from apps.jobs import changes, operations, parameters, queries, waiting
from apps.jobs.models import Job
from apps.jobs.pages import forms
from apps.jobs.pages.code import code_url
from apps.jobs.pages.forms import parse_line
from apps.jobs.trend import trend

__all__ = ["detail", "history", "new", "parse_line", "settings", "start"]


@page("jobs/new.html", methods=["GET", "POST"])
def new(request: HttpRequest) -> dict[str, Any] | HttpResponse:
    """Make a job."""
    actor = request.actor  # type: ignore[attr-defined]
    if request.method == "POST":
        job = operations.create_job(
            actor=actor,
            parent=forms.folder_of(request, request.POST.get("folder", "/").strip()),
            name=request.POST.get("name", "").strip(),
            description=request.POST.get("description", "").strip(),
            source=forms.source_chosen(request),
            script=request.POST.get("script", "").strip(),
            settings=forms.settings_typed(request),
        )
        return go(request, page_url(request, "jobs:detail", job_id=job.pk), say="Job made")
    return {
        "page_title": "New job",
        "source_id": request.GET.get("repo", ""),
        "home": f"/Users/{actor.label}",
        **forms.choices(request),
    }


@page("jobs/detail.html", fragments={"runs": "jobs/_runs.html"})
def detail(request: HttpRequest, job_id: str) -> dict[str, Any]:
    """A job's runs, and how long they took."""
    job, context = _open(request, job_id, "runs")
    wanted = parse_filter(request, ["state"])
    runs = queries.list_runs(request.actor, job, wanted.get("state"))  # type: ignore[attr-defined]
    shown = page_of(runs, order=("-number", "-id"), token=request.GET.get("page_token"))
    return context | {
        "page": shown,
        "filter": wanted,
        "trend": trend(job),
        "why": waiting.why(shown.items),
        "active": any(not run.is_final for run in shown.items),
    }


@page("jobs/settings.html", methods=["GET", "POST"])
def settings(request: HttpRequest, job_id: str) -> dict[str, Any] | HttpResponse:
    """What a job runs and how; its name and the trash."""
    job, context = _open(request, job_id, "settings")
    if request.method == "POST":
        change = forms.settings_typed(request, job) | {"script": request.POST.get("script", "").strip()}
        source = forms.source_chosen(request)
        operations.update_job(actor=request.actor, job=job, source=source, settings=change)  # type: ignore[attr-defined]
        return go(request, page_url(request, "jobs:settings", job_id=job.pk), say="Job changed")
    return context | {
        "declared": "\n".join(forms.write_line(item) for item in job.parameters),
        "timeout_minutes": max(1, job.timeout_seconds // 60),
        **forms.choices(request),
    }


@page("jobs/history.html")
def history(request: HttpRequest, job_id: str) -> dict[str, Any]:
    """Who changed what of a job's settings."""
    job, context = _open(request, job_id, "history")
    shown = page_of(changes.list_changes(request.actor, job), order=("-id",), token=request.GET.get("page_token"))  # type: ignore[attr-defined]
    return context | {"page": shown, "changes": changes.as_changes(request.actor, shown.items)}  # type: ignore[attr-defined]


@page("jobs/detail.html", methods=["POST"])
def start(request: HttpRequest, job_id: str) -> HttpResponse:
    """Queue a run with the values of the form."""
    job = fetch(Job, job_id, actor=request.actor)  # type: ignore[attr-defined]
    run = operations.run_job(
        actor=request.actor,  # type: ignore[attr-defined]
        job=job,
        parameters=forms.values_typed(request, job),
        ref=request.POST.get("ref", "").strip(),
        note=request.POST.get("note", "").strip(),
    )
    return go(request, page_url(request, "jobs:run", run_id=run.pk))


def _default(item: dict[str, Any]) -> str:
    return "" if item.get("default") is None else parameters.to_text(item["default"])


def _open(request: HttpRequest, job_id: str, section: str) -> tuple[Job, dict[str, Any]]:
    """The job, and what all of its sections show."""
    actor = request.actor  # type: ignore[attr-defined]
    job = fetch(Job, job_id, actor=actor)
    level = level_of(actor, job.resource) or Level.VIEW
    tabs = [("runs", "Runs", "jobs:detail", job.runs.count()), ("history", "Changes", "jobs:history", None)]
    if level >= Level.EDIT:
        tabs.insert(1, ("settings", "Settings", "jobs:settings", None))
    crumbs = [("Jobs", page_url(request, "jobs:list"))]
    crumbs += [(above.name, resource_url(request, above)) for above in list_ancestors(job.resource) if above.parent_id]
    here = f"{request.scheme}://{request.get_host()}"
    frame = Frame(
        "job",
        job.resource.name,
        crumbs,
        [
            Tab(label, page_url(request, route, job_id=job.pk), count, name == section)
            for name, label, route, count in tabs
        ],
        copy=[("Path", job.resource.path), ("Job id", str(job.pk))],
        snippets={
            "curl": f"curl -X POST -H 'Authorization: Bearer $TOKEN' -H 'Content-Type: application/json' \\\n"
            f"  -d '{json.dumps({'parameters': {p['name']: p.get('default') for p in job.parameters}})}' \\\n"
            f"  {here}/api/v1/jobs/{job.pk}/run"
        },
        resource=job.resource,
    )
    return job, {
        "page_title": job.resource.name,
        "frame": frame,
        "job": job,
        "edits": level >= Level.EDIT,
        "manages": level >= Level.MANAGE,
        "uses": level >= Level.USE,
        "history": queries.with_history(actor, [job])[0],
        "code_url": code_url(request, job.source),
        "parameters": [{**item, "value": _default(item)} for item in job.parameters],
        "booleans": ["true", "false"],
    }
