"""The list of jobs: today by the hour, what waits and why, and many at once."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse

from apps.access.actor import Actor
from apps.access.policy import fetch
from apps.foundation.errors import BoathouseError, Invalid
from apps.foundation.pages import Token, go, page, page_url, parse_filter
from apps.foundation.paging import page as page_of
from apps.jobs import day, operations, queries, waiting
from apps.jobs.lifecycle import ACTIVE, State
from apps.jobs.models import Job

FIELDS = ["state", "owner", "repo", "script", "name"]
ORDERS = {"name": ("resource__name", "pk"), "last": ("last_at", "pk"), "owner": ("resource__owner__email", "pk")}
DEFAULT_ORDER = "-last"
MANY = 100
_STATES = {
    "running": [*ACTIVE, State.QUEUED],
    "failed": [State.FAILED, State.LOST],
    "failing": [State.FAILED, State.LOST],
}


@page("jobs/list.html", fragments={"list": "jobs/_list.html"})
def list_jobs(request: HttpRequest) -> dict[str, Any]:
    """The jobs one may view, each with its last runs."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    wanted = parse_filter(request, FIELDS)
    rows = queries.list_jobs(actor)
    for token in wanted.tokens:
        if token.known:
            rows = rows.exclude(_meant(token, actor)) if token.negated else rows.filter(_meant(token, actor))
    if wanted.words:
        rows = rows.filter(resource__name__icontains=wanted.words)
    order = request.GET.get("order", DEFAULT_ORDER)
    keys: tuple[str, ...] = ORDERS.get(order.lstrip("-"), ORDERS["last"])
    keys = tuple("-" + key for key in keys) if order.startswith("-") else keys
    shown = page_of(rows, order=keys, token=request.GET.get("page_token"))
    listed = queries.with_history(actor, shown.items)
    newest = [row.last for row in listed if row.last]
    return {
        "page_title": "Jobs",
        "filter": wanted,
        "shown": " ".join([*(token.text for token in wanted.tokens), wanted.words]).strip(),
        "page": shown,
        "rows": listed,
        "counts": queries.count_jobs(actor),
        "day": day.today(actor),
        "hours": range(0, 24, 3),
        "why": waiting.why(newest),
        "active": any(not run.is_final for run in newest),
    }


@page("jobs/list.html", methods=["POST"])
def act(request: HttpRequest) -> HttpResponse:
    """Run the chosen jobs, or cancel what runs of them; says what could not be done."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    chosen, verb = request.POST.getlist("job")[:MANY], request.POST.get("verb", "")
    if verb not in ("run", "cancel") or not chosen:
        raise Invalid("Choose jobs, and whether to run or to cancel them.")
    done, failed = 0, []
    for job_id in chosen:
        job = fetch(Job, job_id, actor=actor)
        try:
            if verb == "run":
                operations.run_job(actor=actor, job=job)
            elif job.newest_run is None or job.newest_run.is_final:
                continue
            else:
                operations.cancel_run(actor=actor, run=job.newest_run)
            done += 1
        except BoathouseError as error:
            sentences = ", ".join(f"{name}: {text}" for name, text in getattr(error, "fields", {}).items())
            failed.append(f"{job.resource.name}: {sentences or error.message}")
    if failed and not done:
        raise Invalid(". ".join(failed))
    say = f"{done} {'job' if done == 1 else 'jobs'} {'queued' if verb == 'run' else 'canceled'}"
    return go(request, page_url(request, "jobs:list"), say=". ".join([say, *failed]))


def _meant(token: Token, actor: Actor) -> Q:
    """What one finished part of the filter asks for."""
    if token.name == "state":
        return Q(newest_run__state__in=_STATES.get(token.value, [token.value]))
    if token.name == "owner":
        mine = Q(resource__owner=actor.user) if token.value == "me" else Q()
        return mine or Q(resource__owner__email__istartswith=token.value)
    field = {"repo": "source__name", "script": "script", "name": "resource__name"}[token.name]
    return Q(**{f"{field}__icontains": token.value})
