"""The streams that are open in this web process, and the one subscription to Redis that feeds them all."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import orjson
import redis.asyncio
import redis.exceptions
from django.conf import settings

from apps.foundation.errors import TooMany, Unavailable
from apps.notifications.events import CHANNEL

logger = logging.getLogger(__name__)
STREAMS_MAX = 2000
STREAMS_PER_PERSON = 12
LISTEN_SECONDS = 5.0
RECONNECT_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
# Said to every stream after Redis was away: something may have been missed, so read everything anew.
ALL = "*"


@dataclass(eq=False)
class Stream:
    """One open stream: who follows what. `news` are topics to pass on, each once, so that a slow reader costs no memory."""

    workspace_id: str
    user_id: str
    topics: frozenset[str]
    news: set[str] = field(default_factory=set)
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    is_over: bool = False

    def tell(self, topic: str) -> None:
        """Have a topic passed on."""
        if topic in self.topics or topic == ALL:
            self.news.add(topic)
            self.woken.set()


class Hub:
    """Opens and closes streams, bounded per person and process, and spreads what Redis says among them."""

    def __init__(self) -> None:
        self.streams: dict[str, set[Stream]] = defaultdict(set)
        self._per_person: Counter[str] = Counter()
        self._reader: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def size(self) -> int:
        """How many streams are open."""
        return self._per_person.total()

    def open(self, stream: Stream) -> None:
        """Take a stream in. Raises TooMany, or Unavailable when this process holds as many as it can or is about to end."""
        if self._closed or self.size >= STREAMS_MAX:
            raise Unavailable("This process holds as many streams as it can.", retry_after_seconds=5)
        if self._per_person[stream.user_id] >= STREAMS_PER_PERSON:
            raise TooMany(f"At most {STREAMS_PER_PERSON} streams at once.", retry_after_seconds=30)
        self._per_person[stream.user_id] += 1
        self.streams[stream.workspace_id].add(stream)
        if self._reader is None or self._reader.done():
            self._reader = asyncio.create_task(self._read())

    def close(self, stream: Stream) -> None:
        """Let a stream go; with the last one ends the subscription."""
        self.streams[stream.workspace_id].discard(stream)
        if not self.streams[stream.workspace_id]:
            del self.streams[stream.workspace_id]
        self._per_person[stream.user_id] -= 1
        self._per_person += Counter()  # forgets who has none
        if not self.size and self._reader is not None:
            self._reader.cancel()
            self._reader = None

    def end(self) -> None:
        """End every stream and take no more: the process is about to stop."""
        self._closed = True
        for streams in list(self.streams.values()):
            for stream in list(streams):
                stream.is_over = True
                stream.woken.set()

    def spread(self, raw: bytes) -> None:
        """Give one message to the streams that follow its topics; to whom they lie open is asked before it is sent."""
        try:
            message = orjson.loads(raw)
            people, names, resource = set(message["people"]), list(message["names"]), message["resource"]
            streams = self.streams.get(message["workspace"], ())
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            logger.warning("a message on %s is none of ours: %s", CHANNEL, error)
            return
        for stream in streams:
            if not people or stream.user_id in people:
                for name in names:
                    stream.tell(f"{name}:{resource}" if resource else name)

    async def _read(self) -> None:
        """Listen, come back when Redis was away, and then have everybody read anew."""
        failed = 0
        while True:
            try:
                async with redis.asyncio.from_url(settings.REDIS_URL) as client, client.pubsub() as subscription:
                    await subscription.subscribe(CHANNEL)
                    if failed:
                        self._resync()
                    failed = 0
                    while True:
                        message = await subscription.get_message(True, timeout=LISTEN_SECONDS)
                        if message is not None:
                            self.spread(message["data"])
            except (redis.exceptions.RedisError, OSError) as error:
                if not failed:
                    logger.warning("live pages wait for Redis: %s", error)
                await asyncio.sleep(RECONNECT_SECONDS[min(failed, len(RECONNECT_SECONDS) - 1)])
                failed += 1

    def _resync(self) -> None:
        for streams in self.streams.values():
            for stream in streams:
                stream.tell(ALL)


hub = Hub()
