"""What endpoints answered, by the minute: from Redis, where the scoring route counts, into rows that last two weeks.

A row says what Redis says at the time, so keeping a minute twice changes nothing; a minute is done when it is over.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import redis
from django.conf import settings
from django.db import connection

from apps.access.models import Workspace
from apps.access.scope import workspace_scope
from apps.deployments.counters import BOUNDS_MS, UNKEPT, minute_key
from apps.deployments.models import Endpoint, EndpointMinute

KEEP_MINUTES = 14 * 24 * 60
# counters are added up within some seconds; a minute this old does not change any more
DONE_AFTER_MINUTES = 3


@dataclass
class Minute:
    """What an endpoint answered in one minute, or in `span` minutes from it on."""

    at: int
    requests: int = 0
    refused: int = 0
    errors: int = 0
    buckets: dict[int, int] = field(default_factory=dict)
    span: int = 1

    def add(self, other: Minute) -> None:
        """Take another minute in."""
        self.requests += other.requests
        self.refused += other.refused
        self.errors += other.errors
        for place, count in other.buckets.items():
            self.buckets[place] = self.buckets.get(place, 0) + count

    def quantile(self, share: float) -> float | None:
        """The latency in ms below which this share of the requests was, straight within a step of the histogram; None without any."""
        total = sum(self.buckets.values())
        passed = 0
        for place in sorted(self.buckets):
            count = self.buckets[place]
            if count and passed + count >= share * total:
                low = BOUNDS_MS[place - 1] if place else 0
                high = BOUNDS_MS[min(place, len(BOUNDS_MS) - 1)]
                return round(low + (high - low) * (share * total - passed) / count, 2)
            passed += count
        return None


def keep() -> int:
    """Make rows of the minutes that are not rows yet; how many."""
    with redis.from_url(settings.REDIS_URL) as client:
        told = {member.decode() for member in client.smembers(UNKEPT)}
        by_endpoint: dict[UUID, list[int]] = defaultdict(list)
        for member in told:
            endpoint, _, minute = member.rpartition(":")
            by_endpoint[UUID(endpoint)].append(int(minute))
        places = _workspaces_of(list(by_endpoint))
        for endpoint_id, numbers in by_endpoint.items():
            if workspace := places.get(endpoint_id):
                _write(client, workspace, endpoint_id, sorted(numbers))
        done = int(time.time() // 60) - DONE_AFTER_MINUTES
        if over := [member for member in told if int(member.rpartition(":")[2]) <= done]:
            client.srem(UNKEPT, *over)
    return len(told)


def read(client: redis.Redis, pairs: Sequence[tuple[UUID, int]]) -> list[Minute]:
    """Minutes of endpoints as Redis has them."""
    with client.pipeline(transaction=False) as pipeline:
        for key, number in pairs:
            pipeline.hgetall(minute_key(str(key), number))
        answers: list[dict[bytes, bytes]] = pipeline.execute()
    return [_minute(number, answer) for (_, number), answer in zip(pairs, answers, strict=True)]


def series(endpoint: Endpoint, minutes: int, points: int = 96) -> list[Minute]:
    """The last minutes, the newest last, in at most about so many points of one length each; from rows, the newest from Redis."""
    return series_of([endpoint], minutes, points)[endpoint.pk]


def series_of(endpoints: Sequence[Endpoint], minutes: int, points: int = 96) -> dict[UUID, list[Minute]]:
    """The same of several endpoints, by key, with one statement and one trip to Redis."""
    last = int(time.time() // 60)
    span = max(1, round(minutes / points))
    first = (last - minutes + 1) // span * span
    found = {one.pk: {at: Minute(at, span=span) for at in range(first, last + 1, span)} for one in endpoints}
    fresh = _fresh(list(found), max(first, last - 2 * DONE_AFTER_MINUTES), last)
    rows = EndpointMinute.objects.filter(endpoint__in=list(found), minute__gte=first, minute__lte=last)
    for key, number, requests, refused, errors, buckets in rows.values_list(
        "endpoint_id", "minute", "requests", "refused", "errors", "buckets"
    ):
        if (key, number) not in fresh:
            steps = {int(place): count for place, count in buckets.items()}
            found[key][number // span * span].add(Minute(number, requests, refused, errors, steps))
    for (key, number), row in fresh.items():
        found[key][number // span * span].add(row)
    return {key: list(steps.values()) for key, steps in found.items()}


def _fresh(keys: Sequence[UUID], first: int, last: int) -> dict[tuple[UUID, int], Minute]:
    """What Redis has of these minutes; nothing when it is away, and then the rows have to do."""
    pairs = [(key, number) for key in keys for number in range(first, last + 1)]
    try:
        with redis.from_url(settings.REDIS_URL) as client:
            found = read(client, pairs)
    except (redis.RedisError, OSError):
        return {}
    return {pair: row for pair, row in zip(pairs, found, strict=True) if row.requests}


def _write(client: redis.Redis, workspace_id: UUID, endpoint_id: UUID, numbers: list[int]) -> None:
    workspace = Workspace.objects.filter(pk=workspace_id).first()
    if workspace is None:
        return
    with workspace_scope(workspace):
        rows = [
            EndpointMinute(
                workspace=workspace,
                endpoint_id=endpoint_id,
                minute=row.at,
                requests=row.requests,
                refused=row.refused,
                errors=row.errors,
                buckets={str(place): count for place, count in row.buckets.items()},
            )
            for row in read(client, [(endpoint_id, number) for number in numbers])
            if row.requests
        ]
        EndpointMinute.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["endpoint", "minute"],
            update_fields=["requests", "refused", "errors", "buckets"],
        )
        EndpointMinute.objects.filter(endpoint=endpoint_id, minute__lt=numbers[0] - KEEP_MINUTES).delete()


def _workspaces_of(endpoint_ids: list[UUID]) -> dict[UUID, UUID]:
    if not endpoint_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute("select endpoint_id, workspace_id from deployments_tables_of(%s::uuid[])", [endpoint_ids])
        return dict(cursor.fetchall())


def _minute(at: int, answer: dict[bytes, bytes]) -> Minute:
    values = {name.decode(): int(count) for name, count in answer.items()}
    buckets = {int(name[2:]): count for name, count in values.items() if name.startswith("le")}
    return Minute(at, values.get("requests", 0), values.get("refused", 0), values.get("errors", 0), buckets)
