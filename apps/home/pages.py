"""The front page of a workspace, and the component gallery."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from apps.foundation.clock import now
from apps.foundation.pages import page, panels
from apps.home import gallery as shown


@page("home/front.html")
def front(request: HttpRequest) -> dict[str, Any]:
    """What waits, what runs, what changed; each card is a panel that its room offers."""
    return {
        "page_title": "Home",
        "today": now(),
        "main": panels(request, "home.main"),
        "side": panels(request, "home.side"),
    }


@page("home/ui.html")
def gallery(request: HttpRequest) -> dict[str, Any]:
    """Every component in every state."""
    return shown.gallery(request)
