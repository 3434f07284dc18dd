"""What the registry's pages show of serving: which endpoints serve which versions, how they do, and since when."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import QuerySet

from apps.access.actor import Actor
from apps.access.policy import visible
from apps.deployments import queries
from apps.deployments.models import EndpointState, ServedState, ServedVersion
from apps.registry.models import RegisteredModel
from apps.registry.serving import Served, Serving

ENDPOINTS_MAX = 20
LINE_MINUTES = 30
TONES = {EndpointState.READY: "ok", EndpointState.UPDATING: "ok", EndpointState.FAILED: "bad"}


def now(actor: Actor, model: RegisteredModel) -> Iterator[Serving]:
    """The endpoints that serve a version of the model and that the actor may see, with their last hour."""
    rows = _of(actor, model).filter(state=ServedState.SERVING).order_by("endpoint__name", "-valid_from")
    shown = list(rows[:ENDPOINTS_MAX])
    figures = queries.figures_of([served.endpoint for served in shown])
    for served in shown:
        found = figures[served.endpoint_id]
        bad = found.refused + found.errors
        note = f"{found.requests:,} in the last hour" + (f", p99 {found.p99_ms:.3g} ms" if found.p99_ms else "")
        note += f", {bad:,} errors" if bad else ""
        yield Serving(
            version_id=served.model_version_id,
            kind="endpoint",
            name=str(served.endpoint),
            path=f"endpoints/{served.endpoint_id}",
            share=1.0,
            tone="bad" if found.errors else TONES.get(EndpointState(served.endpoint.state), "warn"),
            note=note,
            per_minute=tuple(minute.requests for minute in found.minutes[-LINE_MINUTES:]),
            since=served.valid_from,
        )


def past(actor: Actor, model: RegisteredModel, most: int) -> Iterator[Served]:
    """When versions of the model came into traffic and left it."""
    rows = _of(actor, model).filter(valid_from__isnull=False).order_by("-valid_from")
    for served in rows[:most]:
        told = (served.model_version_id, str(served.endpoint), f"endpoints/{served.endpoint_id}")
        if served.valid_from:
            yield Served(*told, served.valid_from, True)
        if served.valid_to:
            yield Served(*told, served.valid_to, False)


def _of(actor: Actor, model: RegisteredModel) -> QuerySet[ServedVersion]:
    return visible(ServedVersion, actor).filter(config__model=model.resource).select_related("endpoint__resource")
