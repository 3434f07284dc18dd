"""Workers, queues and guests as a page."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from apps.foundation.pages import page
from apps.jobs import workers as room


@page("jobs/workers.html", fragments={"workers": "jobs/_workers.html"})
def workers(request: HttpRequest) -> dict[str, Any]:
    """What works, what waits, who runs."""
    return {"page_title": "Workers", "board": room.board(request.actor)}  # type: ignore[attr-defined]
