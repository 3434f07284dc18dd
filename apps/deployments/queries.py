"""Reads: endpoints with what they serve, their replicas and figures, and what a person may try."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet

from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.policy import fetch, visible
from apps.deployments import minutes
from apps.deployments.models import Endpoint, EndpointConfig, Follows, Replica, ServedState, ServedVersion
from apps.foundation.errors import NotFound
from apps.foundation.ids import parse_id
from apps.registry.models import RegisteredModel, TransitionRequest
from apps.registry.requests import waiting_in
from apps.sandbox.client import SandboxUnavailable, sandbox

LOG_BYTES = 64 * 1024


@dataclass(frozen=True)
class Figures:
    """An endpoint's figures over some minutes, the newest last. Latencies are read from a histogram, straight within a step."""

    minutes: list[minutes.Minute]
    requests: int
    refused: int
    errors: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


def list_endpoints(actor: Actor) -> QuerySet[Endpoint]:
    """The endpoints that the actor may see."""
    return visible(Endpoint, actor).select_related("resource__owner", "inference_table")


def get_endpoint(actor: Actor, reference: str, *, needs: Level = Level.VIEW) -> Endpoint:
    """The endpoint with this id or name. Raises NotFound, Forbidden."""
    if parse_id(reference):
        return fetch(Endpoint, reference, actor=actor, needs=needs)
    found = Endpoint.objects.filter(name=reference).values_list("pk", flat=True).first()
    if found is None:
        raise NotFound
    return fetch(Endpoint, found, actor=actor, needs=needs)


def list_models(actor: Actor) -> list[str]:
    """The names of the models that the actor may serve, for a form."""
    rows = visible(RegisteredModel, actor, Level.USE).select_related("resource").order_by("-resource__updated_at")
    return [model.name for model in rows[:500] if not model.is_prompt]


def serving_now(endpoint: Endpoint) -> ServedVersion | None:
    """The version in traffic."""
    return endpoint.served.filter(state=ServedState.SERVING).select_related("config").order_by("-valid_from").first()


def with_serving(endpoints: Sequence[Endpoint]) -> Sequence[Endpoint]:
    """The same endpoints, each with `serving`, its version in traffic or None, in one statement."""
    rows = ServedVersion.objects.filter(endpoint__in=endpoints, state=ServedState.SERVING).select_related("config")
    found = {row.endpoint_id: row for row in rows.order_by("valid_from")}
    for endpoint in endpoints:
        endpoint.serving = found.get(endpoint.pk)  # type: ignore[attr-defined]
    return endpoints


def coming(endpoint: Endpoint) -> ServedVersion | None:
    """The version on its way into traffic, or the newest that failed on it."""
    newest = endpoint.served.order_by("-made_at").first()
    states = {ServedState.PREPARING, ServedState.STARTING, ServedState.FAILED}
    return newest if newest is not None and newest.state in states else None


def list_served(endpoint: Endpoint) -> QuerySet[ServedVersion]:
    """Every version that it served or tried to."""
    return endpoint.served.select_related("config")


def list_configs(endpoint: Endpoint) -> QuerySet[EndpointConfig]:
    """Its configurations."""
    return endpoint.configs.select_related("made_by")


def changes_since(config: EndpointConfig) -> list[tuple[str, str, str]]:
    """What a configuration changed: name, before, after; nothing for the first."""
    before = EndpointConfig.objects.filter(endpoint=config.endpoint_id, number=config.number - 1).first()
    if before is None:
        return []
    pairs = [
        ("model", before.model_name, config.model_name),
        ("serves", f"{before.follows} {before.value}", f"{config.follows} {config.value}"),
        ("replicas", str(before.replicas), str(config.replicas)),
    ]
    return [pair for pair in pairs if pair[1] != pair[2]]


def waiting_for(config: EndpointConfig) -> list[TransitionRequest]:
    """Requests that would change what is served: to the stage that is followed, of the model. For those who may view the model."""
    if config.follows != Follows.STAGE or config.model is None:
        return []
    model = RegisteredModel.objects.select_related("resource").get(pk=config.model_id)
    return [asked for asked in waiting_in(model) if asked.stage == config.value][:2]


def list_replicas(endpoint: Endpoint) -> list[Replica]:
    """The replicas that are alive, and the last few that are not."""
    rows = Replica.objects.filter(served__endpoint=endpoint).select_related("served").order_by("-started_at")
    alive = list(rows.filter(state__in=Replica.ALIVE))
    return alive + list(rows.exclude(state__in=Replica.ALIVE)[:5])


def service_log(endpoint: Endpoint) -> str:
    """What the newest replica printed, its end; or, when it has none, how its preparation went."""
    newest = Replica.objects.filter(served__endpoint=endpoint).order_by("-started_at").first()
    if newest is not None:
        client = sandbox()
        try:
            guest = client.check(newest.pk)
            if guest is not None:
                raw = client.read_output(newest.pk, max(0, guest.output_bytes - LOG_BYTES), LOG_BYTES)
                return raw.decode(errors="replace")
        except (SandboxUnavailable, FileNotFoundError):
            return newest.reason
        return newest.reason
    served = endpoint.served.order_by("-made_at").first()
    return served.log if served is not None else ""


def figures(endpoint: Endpoint, span: int = 60) -> Figures:
    """What it answered in the last minutes."""
    return figures_of([endpoint], span)[endpoint.pk]


def figures_of(endpoints: Sequence[Endpoint], span: int = 60) -> dict[UUID, Figures]:
    """What each of these answered in the last minutes, by its key."""
    found = {}
    for key, rows in minutes.series_of(endpoints, span, points=max(span, 60) if span <= 60 else 96).items():
        total = minutes.Minute(rows[0].at)
        for row in rows:
            total.add(row)
        parts = [total.quantile(share) for share in (0.5, 0.95, 0.99)]
        found[key] = Figures(rows, total.requests, total.refused, total.errors, *parts)
    return found


def describe(endpoint: Endpoint) -> Endpoint:
    """The endpoint with what an answer about it shows besides its own columns."""
    endpoint.serving, endpoint.coming = serving_now(endpoint), coming(endpoint)  # type: ignore[attr-defined]
    return endpoint
