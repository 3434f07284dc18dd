"""The live stream against the whole ASGI program: what it says, to whom, how it ends, and that it outlives Redis."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from apps.access import operations as access
from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.queries import get_membership
from apps.access.resources import root_resource
from apps.access.scope import workspace_scope
from apps.access.tokens import new_token
from apps.comments import operations as comments
from apps.foundation.errors import TooMany, Unavailable
from apps.notifications import hub as hubs
from apps.notifications import stream as streams
from apps.notifications import telling
from apps.notifications.hub import Hub, Stream
from apps.notifications.models import Outbox
from tests.builders import Side, a_folder
from tests.engines_plugin import engines
from tests.registry.live import Live, live, server_port

__all__ = ["live", "server_port"]


@dataclass
class Listener:
    """One open stream, read as it comes."""

    connection: socket.socket
    read: bytes = b""
    blocks: list[str] = field(default_factory=list)

    def until(self, wanted: str, seconds: float = 10.0) -> str:
        """The first block that contains `wanted`. Raises AssertionError with what came instead."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for block in self.blocks:
                if wanted in block:
                    return block
            self.connection.settimeout(max(0.05, end - time.monotonic()))
            try:
                piece = self.connection.recv(65536)
            except TimeoutError:
                break
            if not piece:
                self.blocks.append("(end)")
                if wanted == "(end)":
                    return wanted
                break
            self.read += piece
            *whole, self.read = self.read.split(b"\n\n")
            self.blocks += [block.decode() for block in whole]
        raise AssertionError(f"{wanted!r} did not come: {self.blocks} {self.read!r}")

    def topics(self) -> list[str]:
        """What the stream says that it follows."""
        return json.loads(self.until("event: open").rpartition("data: ")[2])

    def hears(self, topic: str, seconds: float) -> bool:
        """Whether news of the topic comes within these seconds."""
        try:
            self.until(f'data: {{"topic":"{topic}"}}', seconds)
        except AssertionError:
            return False
        return True


@contextmanager
def listening(live: Live, token: str, *topics: str) -> Iterator[Listener]:
    connection = socket.create_connection(("127.0.0.1", live.port), timeout=10)
    query = "&".join(f"topic={topic}" for topic in topics)
    head = f"GET /w/ours/events?{query} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n"
    connection.sendall(head.encode())
    try:
        yield Listener(connection)
    finally:
        connection.close()


def member(side: Side, email: str, resource: Resource, level: Level) -> tuple[Actor, str]:
    with workspace_scope(side.workspace):
        user = access.add_member(actor=side.admin, root=root_resource(), email=email).user
        access.share(actor=side.admin, resource=resource, grantee=user, level=level)
        return Actor(user=user, workspace=side.workspace), new_token(user, name="t")[1]


def say(side: Side, resource: Resource, text: str) -> None:
    """A comment, committed and told, as the request and the task do it."""
    with workspace_scope(side.workspace):
        comments.start_thread(actor=side.admin, resource=resource, text=text)
    with workspace_scope(side.workspace):
        for row in list(Outbox.objects.all()):
            telling.tell_entry(row.entry_id)


def test_news_reach_whom_they_may(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = live.ours
    with workspace_scope(ours.workspace):
        folder, hidden = a_folder(ours.admin), a_folder(ours.admin, "hidden")
    mia, token = member(ours, "mia@example.com", folder, Level.VIEW)
    seen, unseen = f"comments:{folder.pk}", f"comments:{hidden.pk}"
    absent = "comments:00000000-0000-7000-8000-000000000000"
    with (
        listening(live, token, seen, unseen, absent, "inbox") as theirs,
        listening(live, ours.api.token, seen, unseen, "inbox") as own,
    ):
        assert theirs.topics() == [seen, "inbox"], "what one may not view is as absent"
        assert own.topics() == sorted([seen, unseen, "inbox"])
        say(ours, folder, "hello @mia, a secret word")
        assert theirs.hears(seen, 10) and theirs.hears("inbox", 10) and own.hears(seen, 10)
        assert not own.hears("inbox", 0.7), "an inbox is one person's"
        assert "secret" not in "".join(theirs.blocks), "news say that, not what"
        say(ours, hidden, "not for mia")
        assert own.hears(unseen, 10)
        theirs.blocks.clear()
        with workspace_scope(ours.workspace):
            access.unshare(actor=ours.admin, resource=folder, grantee=mia.user)
        say(ours, folder, "mia is out")
        assert not theirs.hears(seen, 1.5), "revoking works at once"
        with workspace_scope(ours.workspace):
            access.suspend_member(actor=ours.admin, root=root_resource(), membership=get_membership(mia.user_id))
        say(ours, folder, "and shut out")
        theirs.until("(end)")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("topic=inbox", 200),
        ("", 200),
        ("topic=nonsense", 422),
        ("topic=comments:../../x", 422),
        ("topic=*", 422),
        ("&".join(f"topic=runs:{n:08d}-0000-7000-8000-000000000000" for n in range(31)), 422),
    ],
)
def test_what_may_be_followed(live: Live, monkeypatch: pytest.MonkeyPatch, query: str, status: int) -> None:
    monkeypatch.setattr(streams, "LIFE_SECONDS", 0.0)
    assert live("GET", f"/w/ours/events?{query}").status == status
    narrow = new_scoped(live.ours, ["tables"])
    assert live("GET", "/w/ours/events?topic=inbox", token=narrow).status == 403
    assert live("POST", "/w/ours/events").status in (403, 404, 405)


def new_scoped(side: Side, scopes: list[str]) -> str:
    with workspace_scope(side.workspace):
        return new_token(side.admin.user, name="t", scopes=scopes)[1]  # type: ignore[arg-type]


def test_it_outlives_redis(live: Live) -> None:
    with workspace_scope(live.ours.workspace):
        folder = a_folder(live.ours.admin)
    topic = f"comments:{folder.pk}"
    with listening(live, live.ours.api.token, topic) as own:
        own.topics()
        say(live.ours, folder, "before")
        assert own.hears(topic, 10)
        own.blocks.clear()
        engines.redis.stop()
        try:
            say(live.ours, folder, "while it is away")
        finally:
            engines.redis.start()
        own.until("event: all", 20)
        time.sleep(5)  # so long nobody asks Redis again after a failure
        own.blocks.clear()
        say(live.ours, folder, "after")
        assert own.hears(topic, 10)


# The hub, without a server


def a_stream(person: str = "a", *topics: str) -> Stream:
    return Stream("w", person, frozenset(topics))


def run(test: Any) -> None:
    asyncio.run(test())


def test_the_hub_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        hub = Hub()
        mine = [a_stream() for _ in range(hubs.STREAMS_PER_PERSON)]
        for one in mine:
            hub.open(one)
        with pytest.raises(TooMany):
            hub.open(a_stream())
        hub.open(other := a_stream("b"))
        monkeypatch.setattr(hubs, "STREAMS_MAX", hub.size)
        with pytest.raises(Unavailable):
            hub.open(a_stream("c"))
        for one in [*mine, other]:
            hub.close(one)
        assert hub.size == 0 and not hub.streams and hub._reader is None
        hub.end()
        with pytest.raises(Unavailable):
            hub.open(a_stream())

    run(test)


def test_a_slow_reader_costs_no_memory() -> None:
    async def test() -> None:
        hub, one = Hub(), a_stream("a", "runs:1")
        hub.open(one)
        for _ in range(10_000):
            hub.spread(b'{"workspace": "w", "names": ["runs", "other"], "resource": "1", "people": []}')
        for odd in (b"", b"[]", b'{"workspace": "w"}', b'{"workspace": "w", "names": 1, "resource": "", "people": []}'):
            hub.spread(odd)
        assert one.news == {"runs:1"}
        hub.spread(b'{"workspace": "other", "names": ["runs"], "resource": "1", "people": []}')
        hub.end()
        assert one.is_over and one.woken.is_set()
        hub.close(one)

    run(test)
