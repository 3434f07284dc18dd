"""Reads: endpoints with what they serve, their replicas and figures, and what a person may try."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import redis
from django.conf import settings
from django.db.models import QuerySet

from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.policy import fetch, visible
from apps.deployments.counters import BOUNDS_MS, minute_key
from apps.deployments.models import Endpoint, EndpointConfig, Replica, ServedState, ServedVersion
from apps.foundation.errors import NotFound
from apps.foundation.ids import parse_id
from apps.registry.models import RegisteredModel
from apps.sandbox.client import SandboxUnavailable, sandbox

LOG_BYTES = 64 * 1024


@dataclass(frozen=True)
class Minute:
    """What an endpoint answered in one minute."""

    at: int
    requests: int = 0
    refused: int = 0
    errors: int = 0
    buckets: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Figures:
    """An endpoint's figures over some minutes, the newest last. Latencies are upper bounds of the histogram's steps."""

    minutes: list[Minute]
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


def figures(endpoint: Endpoint, minutes: int = 60) -> Figures:
    """What it answered in the last minutes, from Redis; zeros when Redis is away."""
    now = int(time.time() // 60)
    span = range(now - minutes + 1, now + 1)
    try:
        with redis.from_url(settings.REDIS_URL) as client, client.pipeline(transaction=False) as pipeline:
            for minute in span:
                pipeline.hgetall(minute_key(str(endpoint.pk), minute))
            answers: list[dict[bytes, bytes]] = pipeline.execute()
    except (redis.RedisError, OSError):
        answers = [{} for _ in span]
    rows = [_minute(at, answer) for at, answer in zip(span, answers, strict=True)]
    total: dict[int, int] = {}
    for row in rows:
        for place, count in row.buckets.items():
            total[place] = total.get(place, 0) + count
    return Figures(
        rows,
        sum(row.requests for row in rows),
        sum(row.refused for row in rows),
        sum(row.errors for row in rows),
        *(_quantile(total, share) for share in (0.5, 0.95, 0.99)),
    )


def _minute(at: int, answer: dict[bytes, bytes]) -> Minute:
    values = {name.decode(): int(count) for name, count in answer.items()}
    buckets = {int(name[2:]): count for name, count in values.items() if name.startswith("le")}
    return Minute(at, values.get("requests", 0), values.get("refused", 0), values.get("errors", 0), buckets)


def _quantile(buckets: dict[int, int], share: float) -> float | None:
    total = sum(buckets.values())
    passed = 0
    for place in sorted(buckets):
        passed += buckets[place]
        if passed >= share * total:
            return float(BOUNDS_MS[min(place, len(BOUNDS_MS) - 1)])
    return None


def describe(endpoint: Endpoint) -> Endpoint:
    """The endpoint with what an answer about it shows besides its own columns."""
    endpoint.serving, endpoint.coming = serving_now(endpoint), coming(endpoint)  # type: ignore[attr-defined]
    return endpoint
