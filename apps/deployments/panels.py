"""What deployments shows on pages of others: what answers now, on the front page; Deploy, on models and versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from django.db.models import Case, F, IntegerField, Value, When
from django.http import HttpRequest

from apps.access.levels import Level
from apps.access.rail import level_here
from apps.deployments import queries
from apps.deployments.models import Endpoint
from apps.foundation.pages import Frame, page_url

SHOWN = 5


@dataclass(frozen=True)
class Live:
    """An endpoint with its last hour: requests by the minute, a rate in requests per second, the share that went wrong."""

    endpoint: Endpoint
    line: list[int]
    requests: int
    per_second: float
    bad_share: float
    p99_ms: float | None


def deploy(request: HttpRequest, frame: Frame) -> Mapping[str, Any] | None:
    """The Deploy button of models and versions, for those who may use them."""
    if frame.kind not in ("model", "version") or (level_here(request, frame.resource) or 0) < Level.USE:
        return None
    target = f"&target={frame.part}" if frame.kind == "version" else ""
    return {"href": page_url(request, "deployments:new") + f"?model={quote(frame.resource.path)}{target}"}


def live(request: HttpRequest) -> Mapping[str, Any] | None:
    """The endpoints that serve or should, those in trouble first."""
    seen = queries.list_endpoints(request.actor)  # type: ignore[attr-defined]
    total = seen.count()
    if not total:
        return None
    trouble = Case(
        When(state__in=("failed", "degraded"), then=Value(0)),
        When(wants_running=True, then=Value(1)),
        default=Value(2),
        output_field=IntegerField(),
    )
    rows = seen.order_by(trouble, F("resource__updated_at").desc(), "pk")[:SHOWN]
    shown = queries.with_serving(list(rows))
    figures = queries.figures_of(shown)
    return {"endpoints": [_live(endpoint, figures[endpoint.pk]) for endpoint in shown], "total": total}


def _live(endpoint: Endpoint, figures: queries.Figures) -> Live:
    line = [minute.requests for minute in figures.minutes]
    # The current minute has only begun: the rate is that of the last five whole ones.
    recent = line[-6:-1]
    bad = (figures.refused + figures.errors) / figures.requests if figures.requests else 0.0
    return Live(
        queries.describe(endpoint), line, figures.requests, sum(recent) / (60 * len(recent)), bad, figures.p99_ms
    )
