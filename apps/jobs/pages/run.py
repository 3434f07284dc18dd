"""The page of a run: how it goes, its log, its time, what it was made of, and the run before it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.policy import fetch, level_of
from apps.foundation.errors import NotFound
from apps.foundation.pages import Frame, Tab, go, page, page_url
from apps.foundation.templatetags.figures import duration
from apps.jobs import comparing, logs, operations, outcome, parameters, phases, queries, waiting
from apps.jobs.lifecycle import State
from apps.jobs.models import Attempt, JobRun
from apps.jobs.pages import forms
from apps.jobs.pages.code import code_url
from apps.jobs.sources import source_of

TABS = ("log", "timeline", "parameters", "code", "environment", "compare")
AROUND = 100


@page("jobs/run.html", fragments={"run-state": "jobs/_run_state.html"})
def run(request: HttpRequest, run_id: str) -> dict[str, Any]:
    """A run by one of its sections."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    row = fetch(JobRun, run_id, actor=actor)
    level = level_of(actor, row.job.resource) or Level.VIEW
    attempts = list(row.attempts.order_by("number"))
    wanted = request.GET.get("attempt", "")
    chosen = next((a for a in attempts if str(a.number) == wanted), attempts[-1] if attempts else None)
    tab = request.GET.get("tab", "log")
    tab = tab if tab in TABS else "log"
    before = comparing.previous_success(row)
    comparison = comparing.compare(row, before) if before else None
    usual = queries.usual_seconds(row.job)
    context = {
        "page_title": f"{row.job.resource.name} #{row.number}",
        "frame": _frame(request, row, attempts, tab, comparison),
        "run": row,
        "job": row.job,
        "tab": tab,
        "attempts": attempts,
        "attempt": chosen,
        "phases": phases.phases(chosen, row),
        "why": waiting.why([row]).get(row.pk, ""),
        "so_far": _so_far(row, usual),
        "share": min(100, round(100 * row.seconds / usual)) if usual and row.seconds and not row.is_final else None,
        "next_step": outcome.next_step(attempts[-1].cause) if attempts and row.is_final else None,
        "error": logs.last_error(attempts[-1]) if attempts and row.state == State.FAILED else None,
        "comparison": comparison,
        "source_url": code_url(request, row.source),
        "code_url": code_url(request, row.source, row.commit),
        "uses": level >= Level.USE,
        "edits": level >= Level.EDIT,
        "retries": row.state in (State.FAILED, State.CANCELED, State.LOST),
        "seen": request.GET.get("seen", ""),
    }
    return context | _SECTIONS[tab](request, context)


@page("jobs/run.html", methods=["POST"])
def cancel(request: HttpRequest, run_id: str) -> HttpResponse:
    """Stop a run."""
    row = operations.cancel_run(actor=request.actor, run=fetch(JobRun, run_id, actor=request.actor))  # type: ignore[attr-defined]
    return go(request, page_url(request, "jobs:run", run_id=row.pk))


@page("jobs/run.html", methods=["POST"])
def retry(request: HttpRequest, run_id: str) -> HttpResponse:
    """Try a run once more."""
    row = operations.retry_run(actor=request.actor, run=fetch(JobRun, run_id, actor=request.actor))  # type: ignore[attr-defined]
    return go(request, page_url(request, "jobs:run", run_id=row.pk))


@page("jobs/_again.html", methods=["GET", "POST"])
def again(request: HttpRequest, run_id: str) -> dict[str, Any] | HttpResponse:
    """Run the job again with changes: the form begins with what this run had."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    row = fetch(JobRun, run_id, actor=actor)
    job = row.job
    if request.method == "POST":
        ref = request.POST.get("ref", "").strip() or request.POST.get("at", "")
        note = request.POST.get("note", "").strip()
        with forms.beside_fields(job):
            typed = forms.values_typed(request, job)
            made = operations.run_job(actor=actor, job=job, parameters=typed, ref=ref, note=note)
        return go(request, page_url(request, "jobs:run", run_id=made.pk))
    values = [
        {**item, "value": parameters.to_text(row.parameters.get(item["name"], item.get("default", "")))}
        for item in job.parameters
    ]
    gone = [name for name in row.parameters if name not in {item["name"] for item in job.parameters}]
    return {
        "run": row,
        "job": job,
        "parameters": values,
        "gone": gone,
        "booleans": ["true", "false"],
        "commits": _commits(row),
    }


def _so_far(row: JobRun, usual: float | None) -> str:
    """How long it runs, and how long that usually takes."""
    if row.seconds is None:
        return ""
    words = f"{duration(row.seconds)} so far"
    if usual is None:
        return f"{words}; how long it takes is not known yet"
    words += f", usually done after {duration(usual)}"
    return words + (f", about {duration(usual - row.seconds)} more" if usual > row.seconds else "")


def _commits(row: JobRun) -> list[tuple[str, str]]:
    """The commits that the form offers: that of the run, and where its branch stands now."""
    offered = [(row.commit, f"{row.commit[:7]}, as in run #{row.number}")]
    if row.source is None or row.source.deleted_at is not None:
        return offered
    try:
        head = source_of(row.source).resolve(row.source, row.job.ref)
    except NotFound:
        return offered
    name = row.job.ref or "the default branch"
    if head != row.commit:
        offered.insert(0, (head, f"{head[:7]}, where {name} stands now"))
    else:
        offered[0] = (row.commit, f"{row.commit[:7]}, as in run #{row.number} and still where {name} stands")
    return offered


def _frame(
    request: HttpRequest, row: JobRun, attempts: list[Attempt], tab: str, comparison: comparing.Comparison | None
) -> Frame:
    here = page_url(request, "jobs:run", run_id=row.pk)
    host = f"{request.scheme}://{request.get_host()}"
    tabs = [
        Tab("Log", here, len(attempts) if len(attempts) > 1 else None, tab == "log"),
        Tab("Timeline", here + "?tab=timeline", None, tab == "timeline"),
        Tab("Parameters", here + "?tab=parameters", len(row.parameters), tab == "parameters"),
        Tab("Code", here + "?tab=code", None, tab == "code"),
        Tab("Environment", here + "?tab=environment", None, tab == "environment"),
    ]
    if comparison:
        tabs.append(Tab("Compare", here + "?tab=compare", comparison.changes, tab == "compare"))
    return Frame(
        "job_run",
        f"Run #{row.number}",
        crumbs=[
            ("Jobs", page_url(request, "jobs:list")),
            (row.job.resource.name, page_url(request, "jobs:detail", job_id=row.job_id)),
        ],
        tabs=tabs,
        copy=[("Run id", str(row.pk)), ("Commit", row.commit)],
        snippets={
            "curl": f"curl -H 'Authorization: Bearer $TOKEN' {host}/api/v1/job-runs/{row.pk}\n"
            f"curl -H 'Authorization: Bearer $TOKEN' '{host}/api/v1/job-runs/{row.pk}/log?offset=0&wait=20'"
        },
        resource=row.job.resource,
        part=f"run:{row.pk}",
        node=("job_run", row.pk),
    )


def _log(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    attempt, wanted = context["attempt"], request.GET.get("line", "")
    place = page_url(request, "jobs:log", run_id=context["run"].pk)
    if attempt is None:
        return {"lines": [], "log_url": place, "follow_url": "" if context["run"].is_final else place}
    line = int(wanted) if wanted.isdecimal() and len(wanted) < 10 else 0
    first = max(0, line - AROUND) if line else max(0, attempt.log_lines - logs.SHOWN_LINES)
    lines, more = logs.read_lines(attempt, first, logs.SHOWN_LINES)
    address = f"{place}?attempt={attempt.number}"
    follows = more or not attempt.is_final
    return {
        "lines": lines,
        "line": line,
        "earlier": first,
        "log_url": address,
        "follow_url": address if follows else "",
    }


def _timeline(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    rows, seconds = phases.timeline(context["attempts"], context["run"])
    words = ", ".join(f"{row.label} {duration(row.phase.seconds)}" for row in rows)
    return {"gantt": rows, "gantt_seconds": seconds, "gantt_words": words}


def _parameters(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    declared = {item["name"]: item for item in context["job"].parameters}
    other = context["comparison"].other if context["comparison"] else None
    return {
        "rows": [
            {
                "name": name,
                "value": parameters.to_text(value),
                "declared": declared.get(name),
                "default": declared.get(name, {}).get("default"),
                "before": other.parameters.get(name) if other else None,
                "changed": other is not None and other.parameters.get(name) != value,
            }
            for name, value in context["run"].parameters.items()
        ]
    }


def _code(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    row, comparison = context["run"], context["comparison"]
    if not context["code_url"] or row.source.deleted_at is not None:
        return {"commit": None, "script": None}
    source = source_of(row.source)
    content = source.read(row.source, row.commit, row.script)
    patch = None
    if comparison and not comparison.same_commit and comparison.other.source_id == row.source_id:
        patch = source.patch(row.source, comparison.other.commit, row.commit)
    return {
        "commit": source.describe(row.source, row.commit),
        "script": content.decode(errors="replace") if content is not None else None,
        "patch": patch,
        "patch_url": patch
        and f"/w/{request.actor.workspace.name}/{source.compare_page(row.source, comparison.other.commit, row.commit)}",  # type: ignore[attr-defined]
    }


def _environment(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    return {"packages": comparing.packages_of(context["run"])}


def _compare(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    return _code(request, context)


_SECTIONS = {
    "log": _log,
    "timeline": _timeline,
    "parameters": _parameters,
    "code": _code,
    "environment": _environment,
    "compare": _compare,
}
