"""The lines of a run's log as JSON and as a file."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse

from apps.access.policy import fetch
from apps.foundation.errors import Invalid, NotFound
from apps.foundation.pages import page
from apps.jobs import logs, queries
from apps.jobs.models import JobRun

FIND_LETTERS = 200


@page("jobs/run.html")
def log(request: HttpRequest, run_id: str) -> HttpResponse:
    """Lines after a number (`after`), before one (`before`), or with some words (`find`); the whole as a file with `download`.

    `wait=<seconds>` holds the answer back until there is something new (apps/jobs/longpoll.py).
    """
    row = fetch(JobRun, run_id, actor=request.actor)  # type: ignore[attr-defined]
    numbers = {name: request.GET.get(name, "") for name in ("after", "before", "attempt")}
    if any(text and not (text.isdecimal() and len(text) < 10) for text in numbers.values()):
        raise Invalid("Lines and attempts are counted by whole numbers.")
    after, before, number = (int(text) if text else None for text in numbers.values())
    try:
        attempt = queries.get_attempt(row, number)
    except NotFound:
        return JsonResponse({"lines": [], "done": row.is_final, "more": False})
    if request.GET.get("download") == "on":
        name = f"run-{row.number}-{attempt.number}.log"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return HttpResponse(logs.whole_log(attempt), content_type="text/plain; charset=utf-8", headers=headers)
    if words := request.GET.get("find", "")[:FIND_LETTERS]:
        found = logs.find_lines(attempt, words)
        return JsonResponse({"lines": [line.to_dict() for line in found], "more": len(found) == logs.FOUND_LINES})
    if before is not None:
        first = max(0, before - 1 - logs.SHOWN_LINES)
        lines, _ = logs.read_lines(attempt, first, max(0, before - 1 - first))
        return JsonResponse({"lines": [line.to_dict() for line in lines], "more": first > 0})
    lines, more = logs.read_lines(attempt, after or 0)
    shown = [line.to_dict() for line in lines]
    return JsonResponse({"lines": shown, "done": attempt.is_final and not more, "more": more})
