"""Counts of requests, errors and latencies per endpoint and minute: gathered in the process, added up in Redis, kept an hour."""

from __future__ import annotations

import asyncio
import bisect
import logging
import time
from collections import defaultdict

import redis.asyncio
import redis.exceptions
from django.conf import settings

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 2.0
KEEP_SECONDS = 3600 + 120
# upper bounds of the latency histogram, in milliseconds; the last bucket is open
BOUNDS_MS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 500, 1000, 2000, 5000, 10000)


# the Redis set of minutes that are not yet rows, as `<endpoint>:<minute>`
UNKEPT = "deployments:minutes"


def minute_key(endpoint_id: str, minute: int) -> str:
    """The Redis hash that holds one endpoint's minute."""
    return f"deployments:minute:{endpoint_id}:{minute}"


class Counters:
    """Counts in memory; what was counted in a process that died within the last two seconds is missing, and only here."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, int], dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self._task: asyncio.Task[None] | None = None
        self._redis: redis.asyncio.Redis | None = None

    def count(self, endpoint_id: str, status: int, micros: int) -> None:
        """Count one answered request."""
        counts = self._counts[endpoint_id, int(time.time() // 60)]
        counts["requests"] += 1
        if status >= 400:
            counts["errors" if status >= 500 else "refused"] += 1
        counts[f"le{bisect.bisect_left(BOUNDS_MS, micros / 1000)}"] += 1
        if self._task is None:
            self._task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        while self._counts:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()
        self._task = None

    async def flush(self) -> None:
        """Add what was counted to Redis; keep it for the next time when Redis is away."""
        gathered, self._counts = self._counts, defaultdict(lambda: defaultdict(int))
        if not gathered:
            return
        if self._redis is None:
            self._redis = redis.asyncio.from_url(settings.REDIS_URL)
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for (endpoint_id, minute), counts in gathered.items():
                    key = minute_key(endpoint_id, minute)
                    for name, count in counts.items():
                        pipeline.hincrby(key, name, count)
                    pipeline.expire(key, KEEP_SECONDS)
                    pipeline.sadd(UNKEPT, f"{endpoint_id}:{minute}")
                await pipeline.execute()
        except (redis.exceptions.RedisError, OSError) as error:
            logger.warning("counters wait for Redis: %s", error)
            for place, counts in gathered.items():
                for name, count in counts.items():
                    self._counts[place][name] += count
