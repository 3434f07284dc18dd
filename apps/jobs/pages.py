"""Pages of jobs: the list, a job's runs and settings, a run with its log that follows."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.pages import resource_url
from apps.access.policy import fetch, fetch_path, level_of
from apps.access.queries import list_ancestors
from apps.access.resources import root_resource
from apps.foundation.errors import Invalid, NotFound
from apps.foundation.pages import Frame, Tab, go, page, page_url, parse_filter
from apps.foundation.paging import page as page_of
from apps.jobs import operations, parameters, queries
from apps.jobs.lifecycle import State
from apps.jobs.models import Job, JobRun
from apps.jobs.sources import source_of

FIELDS = ["state", "owner"]
ENVIRONMENTS = [
    ("commit", "What the commit asks for (requirements.txt, pyproject.toml)"),
    ("default", "The default environment"),
]
_TYPES = " ".join(sorted(parameters.TYPES))


@page("jobs/list.html")
def list_jobs(request: HttpRequest) -> dict[str, Any]:
    """The jobs one may view, each with its last runs."""
    wanted = parse_filter(request, FIELDS)
    rows = queries.list_jobs(_actor(request))
    if wanted.words:
        rows = rows.filter(resource__name__icontains=wanted.words)
    if wanted.get("owner"):
        rows = rows.filter(resource__owner__email__startswith=wanted.get("owner"))
    if wanted.get("state"):
        rows = queries.with_last_state(rows).filter(last_state=wanted.get("state"))
    shown = page_of(rows, order=("-resource__updated_at", "-pk"), token=request.GET.get("page_token"))
    return {"page_title": "Jobs", "filter": wanted, "page": shown, "rows": queries.with_history(shown.items)}


@page("jobs/new.html", methods=["GET", "POST"])
def new(request: HttpRequest) -> dict[str, Any] | HttpResponse:
    """Make a job."""
    actor = _actor(request)
    if request.method == "POST":
        job = operations.create_job(
            actor=actor,
            parent=_folder(request, request.POST.get("folder", "/").strip()),
            name=request.POST.get("name", "").strip(),
            description=request.POST.get("description", "").strip(),
            source=_source(request),
            script=request.POST.get("script", "").strip(),
            settings=_settings(request),
        )
        return go(request, page_url(request, "jobs:detail", job_id=job.pk), say="Job made")
    repo = request.GET.get("repo", "")
    return {
        "page_title": "New job",
        "sources": _sources(request),
        "source_id": repo,
        "home": f"/Users/{actor.label}",
        **_choices(),
    }


@page("jobs/detail.html", fragments={"runs": "jobs/_runs.html"})
def detail(request: HttpRequest, job_id: str) -> dict[str, Any]:
    """A job's runs."""
    job, context = _open(request, job_id, "runs")
    state = parse_filter(request, ["state"])
    runs = queries.list_runs(_actor(request), job, state.get("state"))
    shown = page_of(runs, order=("-number", "-id"), token=request.GET.get("page_token"))
    return context | {"page": shown, "filter": state, "active": any(not run.is_final for run in shown.items)}


@page("jobs/settings.html", methods=["GET", "POST"])
def settings(request: HttpRequest, job_id: str) -> dict[str, Any] | HttpResponse:
    """What a job runs and how; its name and the trash."""
    job, context = _open(request, job_id, "settings")
    if request.method == "POST":
        change = _settings(request) | {"script": request.POST.get("script", "").strip()}
        operations.update_job(actor=_actor(request), job=job, source=_source(request), settings=change)
        return go(request, page_url(request, "jobs:settings", job_id=job.pk), say="Job changed")
    declared = "\n".join(_line(item) for item in job.parameters)
    return context | {
        "sources": _sources(request),
        "declared": declared,
        "timeout_minutes": max(1, job.timeout_seconds // 60),
        **_choices(),
    }


@page("jobs/detail.html", methods=["POST"])
def start(request: HttpRequest, job_id: str) -> HttpResponse:
    """Queue a run with the values of the form."""
    job = fetch(Job, job_id, actor=_actor(request))
    given = {
        item["name"]: parameters.from_text(item, text)
        for item in job.parameters
        if (text := request.POST.get(f"p-{item['name']}", "")) != "" or item["type"] == "text"
    }
    run = operations.run_job(actor=_actor(request), job=job, parameters=given, ref=request.POST.get("ref", "").strip())
    return go(request, page_url(request, "jobs:run", run_id=run.pk))


@page("jobs/run.html", fragments={"run-state": "jobs/_run_state.html"})
def run(request: HttpRequest, run_id: str) -> dict[str, Any]:
    """A run: its state, its log, what it was made of and what it made."""
    row = fetch(JobRun, run_id, actor=_actor(request))
    job = row.job
    here = page_url(request, "jobs:run", run_id=row.pk)
    attempts = list(row.attempts.order_by("number"))
    wanted = request.GET.get("attempt", "")
    chosen = next((a for a in attempts if str(a.number) == wanted), attempts[-1] if attempts else None)
    lines, more = queries.read_lines(chosen) if chosen else ([], False)
    tab = request.GET.get("tab", "log")
    frame = Frame(
        "job_run",
        f"Run #{row.number}",
        crumbs=[
            ("Jobs", page_url(request, "jobs:list")),
            (job.resource.name, page_url(request, "jobs:detail", job_id=job.pk)),
        ],
        tabs=[
            Tab("Log", here, len(attempts) if len(attempts) > 1 else None, tab == "log"),
            Tab("Receipt", here + "?tab=receipt", None, tab == "receipt"),
        ],
        copy=[("Run id", str(row.pk)), ("Commit", row.commit)],
        snippets={
            "curl": f"curl -H 'Authorization: Bearer $TOKEN' {request.scheme}://{request.get_host()}/api/v1/job-runs/{row.pk}"
        },
        resource=job.resource,
        part=f"run:{row.pk}",
        node=("job_run", row.pk),
    )
    return {
        "page_title": f"{job.resource.name} #{row.number}",
        "frame": frame,
        "run": row,
        "job": job,
        "tab": tab,
        "attempts": attempts,
        "attempt": chosen,
        "lines": lines,
        "log_url": page_url(request, "jobs:log", run_id=row.pk) + (f"?attempt={chosen.number}" if chosen else ""),
        "follows": chosen is None or more or not chosen.is_final,
        "code_url": _code_url(request, row.source, row.commit),
        "receipt": queries.receipt(row.pk) if tab == "receipt" else None,
        "uses": (level_of(_actor(request), job.resource) or Level.VIEW) >= Level.USE,
        "usual_seconds": queries.with_history([job])[0].usual_seconds,
        "retries": row.state in (State.FAILED, State.CANCELED, State.LOST),
    }


@page("jobs/run.html")
def log(request: HttpRequest, run_id: str) -> HttpResponse:
    """Lines of an attempt's log after a number, for the log that follows."""
    row = fetch(JobRun, run_id, actor=_actor(request))
    after, wanted = request.GET.get("after", "0"), request.GET.get("attempt", "")
    if not after.isdecimal() or not (wanted.isdecimal() or not wanted) or len(after + wanted) > 15:
        raise Invalid("Lines and attempts are counted by whole numbers.")
    try:
        attempt = queries.get_attempt(row, int(wanted) if wanted else None)
    except NotFound:
        return JsonResponse({"lines": [], "done": row.is_final, "more": False})
    if request.GET.get("download") == "on":
        name = f"run-{row.number}-{attempt.number}.log"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return HttpResponse(queries.whole_log(attempt), content_type="text/plain; charset=utf-8", headers=headers)
    lines, more = queries.read_lines(attempt, int(after))
    shown = [{"n": line.n, "at": line.at.isoformat(), "level": line.level, "text": line.text} for line in lines]
    return JsonResponse({"lines": shown, "done": attempt.is_final and not more, "more": more})


@page("jobs/run.html", methods=["POST"])
def cancel(request: HttpRequest, run_id: str) -> HttpResponse:
    """Stop a run."""
    row = operations.cancel_run(actor=_actor(request), run=fetch(JobRun, run_id, actor=_actor(request)))
    return go(request, page_url(request, "jobs:run", run_id=row.pk))


@page("jobs/run.html", methods=["POST"])
def retry(request: HttpRequest, run_id: str) -> HttpResponse:
    """Try a run once more."""
    row = operations.retry_run(actor=_actor(request), run=fetch(JobRun, run_id, actor=_actor(request)))
    return go(request, page_url(request, "jobs:run", run_id=row.pk))


def _actor(request: HttpRequest) -> Any:
    return request.actor  # type: ignore[attr-defined]


def _open(request: HttpRequest, job_id: str, section: str) -> tuple[Job, dict[str, Any]]:
    """The job, and what both of its sections show."""
    actor = _actor(request)
    job = fetch(Job, job_id, actor=actor)
    level = level_of(actor, job.resource) or Level.VIEW
    tabs = [Tab("Runs", page_url(request, "jobs:detail", job_id=job.pk), job.runs.count(), section == "runs")]
    if level >= Level.EDIT:
        tabs.append(Tab("Settings", page_url(request, "jobs:settings", job_id=job.pk), None, section == "settings"))
    crumbs = [("Jobs", page_url(request, "jobs:list"))]
    crumbs += [(above.name, resource_url(request, above)) for above in list_ancestors(job.resource) if above.parent_id]
    call = f"curl -X POST -H 'Authorization: Bearer $TOKEN' {request.scheme}://{request.get_host()}/api/v1/jobs/{job.pk}/run"
    frame = Frame(
        "job",
        job.resource.name,
        crumbs,
        tabs,
        copy=[("Path", job.resource.path)],
        snippets={"curl": call},
        resource=job.resource,
    )
    return job, {
        "page_title": job.resource.name,
        "frame": frame,
        "job": job,
        "manages": level >= Level.MANAGE,
        "uses": level >= Level.USE,
        "history": queries.with_history([job])[0],
        "code_url": _code_url(request, job.source, ""),
        "booleans": ["true", "false"],
    }


def _code_url(request: HttpRequest, source: Resource | None, commit: str) -> str:
    """The address of the code, or the empty text when the repository is gone or the person may not know of it."""
    if source is None or level_of(_actor(request), source) is None:
        return ""
    place = source_of(source).page(source, commit) if commit and source.deleted_at is None else f"repos/{source.pk}"
    return f"/w/{_actor(request).workspace.name}/{place}"


def _folder(request: HttpRequest, path: str) -> Resource:
    if path in ("", "/"):
        return root_resource()
    try:
        return fetch_path(Resource, "folder", path.rstrip("/"), actor=_actor(request), needs=Level.DISCOVER)
    except NotFound:
        raise Invalid(fields={"folder": "There is no such folder, or you may not know of it."}) from None


def _source(request: HttpRequest) -> Resource:
    try:
        return fetch(Resource, request.POST.get("source_id", ""), actor=_actor(request))
    except NotFound:
        raise Invalid(fields={"source_id": "Choose a repository."}) from None


def _sources(request: HttpRequest) -> list[tuple[str, str]]:
    return [(str(source.pk), source.path) for source in queries.list_sources(_actor(request))[:200]]


def _choices() -> dict[str, Any]:
    return {"environments": ENVIRONMENTS, "types": _TYPES}


def _settings(request: HttpRequest) -> dict[str, Any]:
    """The form's settings. Raises Invalid with a sentence per wrong field."""
    wrong: dict[str, str] = {}
    numbers = {"timeout_minutes": (1, 7 * 24 * 60), "max_retries": (0, 10), "memory_mb": (128, 1 << 20)}
    found: dict[str, int] = {}
    for name, (low, high) in numbers.items():
        text = request.POST.get(name, "").strip()
        if text.isdecimal() and len(text) < 9 and low <= int(text) <= high:
            found[name] = int(text)
        else:
            wrong[name] = f"A whole number from {low} to {high}."
    environment = request.POST.get("environment", "commit")
    if environment not in dict(ENVIRONMENTS):
        wrong["environment"] = "Choose one of the two."
    try:
        declared = [parse_line(line) for line in request.POST.get("parameters", "").splitlines() if line.strip()]
    except Invalid as error:
        wrong |= error.fields
    if wrong:
        raise Invalid(fields=wrong)
    return {
        "ref": request.POST.get("ref", "").strip(),
        "environment": environment,
        "parameters": declared,
        "timeout_seconds": found["timeout_minutes"] * 60,
        "max_retries": found["max_retries"],
        "memory_mb": found["memory_mb"],
    }


def parse_line(line: str) -> dict[str, Any]:
    """A parameter as it is typed: `name: type = default`, type and default optional. Raises Invalid."""
    left, has_default, default = line.partition("=")
    name, _, kind = left.partition(":")
    item: dict[str, Any] = {"name": name.strip(), "type": kind.strip() or "text"}
    if item["type"] not in parameters.TYPES:
        raise Invalid(fields={"parameters": f"“{line.strip()}”: the type is one of {_TYPES}."})
    if has_default:
        try:
            item["default"] = parameters.from_text(item, default.strip())
        except Invalid:
            raise Invalid(fields={"parameters": f"“{line.strip()}”: the default is no {item['type']}."}) from None
    return item


def _line(item: dict[str, Any]) -> str:
    default = item.get("default")
    text = str(default).lower() if isinstance(default, bool) else default
    return f"{item['name']}: {item['type']}" + (f" = {text}" if default is not None else "")
