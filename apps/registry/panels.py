"""What the registry offers to other pages: the requests that wait for somebody's answer, on Home."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest

from apps.registry import requests

SHOWN = 5


def waiting(request: HttpRequest) -> Mapping[str, Any] | None:
    """Transition requests that the person may answer; None when none waits."""
    found = requests.waiting_for(request.actor, SHOWN)  # type: ignore[attr-defined]
    return {"rows": found, "count": len(found)} if found else None
