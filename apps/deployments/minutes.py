"""What endpoints answered, by the minute: from Redis, where the scoring route counts, into rows that last two weeks.

A row says what Redis says at the time, so keeping a minute twice changes nothing; a minute is done when it is over.
"""

from __future__ import annotations

import time
from collections import defaultdict
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


def read(client: redis.Redis, endpoint_id: object, numbers: list[int]) -> list[Minute]:
    """Minutes as Redis has them."""
    with client.pipeline(transaction=False) as pipeline:
        for number in numbers:
            pipeline.hgetall(minute_key(str(endpoint_id), number))
        answers: list[dict[bytes, bytes]] = pipeline.execute()
    return [_minute(number, answer) for number, answer in zip(numbers, answers, strict=True)]


def series(endpoint: Endpoint, minutes: int, points: int = 96) -> list[Minute]:
    """The last minutes, the newest last, in at most about so many points of one length each; from rows, the newest from Redis."""
    last = int(time.time() // 60)
    span = max(1, round(minutes / points))
    first = (last - minutes + 1) // span * span
    steps = {at: Minute(at, span=span) for at in range(first, last + 1, span)}
    fresh = {row.at: row for row in _fresh(endpoint, max(first, last - 2 * DONE_AFTER_MINUTES), last)}
    rows = endpoint.minutes.filter(minute__gte=first).exclude(minute__in=list(fresh))
    for values in rows.values_list("minute", "requests", "refused", "errors", "buckets"):
        number, *counts, buckets = values
        if number <= last:
            steps[number // span * span].add(Minute(number, *counts, {int(k): v for k, v in buckets.items()}))
    for row in fresh.values():
        steps[row.at // span * span].add(row)
    return list(steps.values())


def _fresh(endpoint: Endpoint, first: int, last: int) -> list[Minute]:
    """What Redis has of these minutes; nothing when it is away, and then the rows have to do."""
    try:
        with redis.from_url(settings.REDIS_URL) as client:
            found = read(client, endpoint.pk, list(range(first, last + 1)))
    except (redis.RedisError, OSError):
        return []
    return [row for row in found if row.requests]


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
            for row in read(client, endpoint_id, numbers)
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
