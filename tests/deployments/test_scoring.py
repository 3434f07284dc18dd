"""The scoring route: who gets in, what reaches a scorer, what is kept, and what happens when replicas go away."""

from __future__ import annotations

import asyncio
import base64
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.access import operations as access
from apps.access.levels import Level
from apps.access.models import Token
from apps.access.resources import root_resource, trash_resource
from apps.access.scope import workspace_scope
from apps.deployments import journal, record, scoring
from apps.deployments.models import Endpoint
from tests.builders import Api, Side, a_side, an_api
from tests.deployments.endpoints import Reply, an_endpoint, invocations, post, route_to
from tests.deployments.scorers import Stand, echo

PATH = invocations("delays")
BODY = b'{"dataframe_records": [{"x": 1.5}]}'


@pytest.fixture
def ours(committed: None) -> Side:
    return a_side("ours", "ada@example.com")


@pytest.fixture
def theirs(ours: Side) -> Side:
    return a_side("theirs", "ada@example.com")


@pytest.fixture
def stands(tmp_path: Path) -> Iterator[list[Stand]]:
    found = [Stand(tmp_path / f"{place}.sock") for place in range(2)]
    yield found
    for stand in found:
        stand.close()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Runs a coroutine with a scoring of its own, whose journal lies in the test's folder."""
    monkeypatch.setattr(scoring, "journal_root", lambda: tmp_path / "journal")

    def go(work: Coroutine[Any, Any, Any]) -> Any:
        async def inside() -> Any:
            mine = scoring.Scoring()
            monkeypatch.setattr(scoring, "_scoring", mine)
            try:
                return await work
            finally:
                mine.gate.close()

        return asyncio.run(inside())

    return go


def logged(tmp_path: Path) -> list[record.Served]:
    found = [item for reader in journal.readers(tmp_path / "journal") for item in reader.records(reader.shipped())]
    return [record.decode(item.payload) for item in found]


def endpoint_of(side: Side, stands: list[Stand], name: str = "delays") -> Endpoint:
    with workspace_scope(side.workspace):
        return an_endpoint(side, name, [stand.path for stand in stands])


def member(side: Side, level: Level | None, endpoint: Endpoint) -> Api:
    with workspace_scope(side.workspace):
        membership = access.add_member(actor=side.admin, root=root_resource(), email="mo@example.com")
        if level is not None:
            access.share(actor=side.admin, resource=endpoint.resource, grantee=membership.user, level=level)
        return an_api(type(side.admin)(user=membership.user, workspace=side.workspace))


def test_an_answer_comes_from_a_scorer_and_is_in_the_journal_first(
    ours: Side, stands: list[Stand], run: Any, tmp_path: Path
) -> None:
    endpoint = endpoint_of(ours, stands[:1])
    reply: Reply = run(post(PATH, BODY, token=ours.api.token))
    assert reply.status == 200 and reply.json() == {"predictions": [BODY.decode()]}
    assert reply.headers["served-model-name"] == "delay-1"
    (kept,) = logged(tmp_path)
    assert kept.request_id == reply.headers["x-request-id"]
    assert (kept.endpoint_id, kept.workspace_id) == (str(endpoint.pk), str(ours.workspace.pk))
    assert (kept.request, kept.response, kept.status) == (BODY, reply.body, 200)
    assert (kept.requester, kept.model_name, kept.model_version) == ("ada@example.com", "delay", "1")


def test_what_the_scorer_refuses_is_passed_on_and_logged(
    ours: Side, stands: list[Stand], run: Any, tmp_path: Path
) -> None:
    stands[0].answer = lambda kind, body: (400, b'{"error_code": "INVALID_PARAMETER_VALUE"}')
    endpoint_of(ours, stands[:1])
    reply = run(post(PATH, BODY, token=ours.api.token))
    assert (reply.status, reply.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert [kept.status for kept in logged(tmp_path)] == [400]


@pytest.mark.parametrize(
    ("level", "status"),
    [(None, 404), (Level.DISCOVER, 403), (Level.COMMENT, 403), (Level.USE, 200), (Level.EDIT, 200)],
)
def test_scoring_needs_use(
    ours: Side, stands: list[Stand], run: Any, level: Level | None, status: int, tmp_path: Path
) -> None:
    api = member(ours, level, endpoint_of(ours, stands[:1]))
    reply = run(post(PATH, BODY, token=api.token))
    assert reply.status == status
    assert len(stands[0].seen) == len(logged(tmp_path)) == (1 if status == 200 else 0)


def test_a_neighbours_endpoint_is_absent(ours: Side, theirs: Side, stands: list[Stand], run: Any) -> None:
    endpoint_of(ours, stands[:1])
    foreign = run(post(PATH, BODY, token=theirs.api.token))
    absent = run(post(invocations("nothing"), BODY, token=theirs.api.token))
    assert foreign.status == absent.status == 404
    assert foreign.body == absent.body.replace(b"nothing", b"delays")
    assert foreign.headers == {**absent.headers, "content-length": foreign.headers["content-length"]}
    assert run(post(PATH, BODY, token=ours.api.token)).status == 200


def test_same_names_do_not_meet(ours: Side, theirs: Side, stands: list[Stand], run: Any) -> None:
    endpoint_of(ours, stands[:1])
    endpoint_of(theirs, stands[1:])
    run(post(PATH, b"theirs", token=theirs.api.token))
    run(post(PATH, b"ours", token=ours.api.token))
    assert (stands[0].seen, stands[1].seen) == ([b"ours"], [b"theirs"])


def test_revoking_and_ending_count_with_the_next_request(ours: Side, stands: list[Stand], run: Any) -> None:
    endpoint = endpoint_of(ours, stands[:1])
    api = member(ours, Level.USE, endpoint)

    async def story() -> list[int]:
        found = [(await post(PATH, BODY, token=api.token)).status]
        await asyncio.to_thread(change, lambda: access_rows(api).update(scopes=["jobs"]))
        found.append((await post(PATH, BODY, token=api.token)).status)
        await asyncio.to_thread(change, lambda: access_rows(api).update(scopes=["deployments:read"]))
        found.append((await post(PATH, BODY, token=api.token)).status)
        await asyncio.to_thread(change, lambda: access_rows(api).delete())
        found.append((await post(PATH, BODY, token=api.token)).status)
        await asyncio.to_thread(change, lambda: trash_resource(endpoint.resource))
        found.append((await post(PATH, BODY, token=ours.api.token)).status)
        return found

    def access_rows(api: Api) -> Any:
        from apps.access.tokens import digest

        return Token.objects.filter(hash=digest(api.token))

    def change(work: Callable[[], Any]) -> None:
        with workspace_scope(ours.workspace):
            work()

    assert run(story()) == [200, 403, 200, 401, 404]


def test_ways_to_show_a_token(ours: Side, stands: list[Stand], run: Any) -> None:
    endpoint_of(ours, stands[:1])
    token = ours.api.token

    def basic(text: str) -> str:
        return "Basic " + base64.b64encode(text.encode()).decode()

    tried = {
        f"Bearer {token}": 200,
        basic(f"ada@example.com:{token}"): 200,
        basic(f"eve@example.com:{token}"): 401,
        basic(token): 401,
        f"Bearer {token}x": 401,
        "Bearer ": 401,
        "Basic %%%": 401,
        token: 401,
    }
    for header, status in tried.items():
        assert run(post(PATH, BODY, authorization=header)).status == status, header
    assert run(post(PATH, BODY)).status == 401


def test_bodies_are_capped_however_they_come(
    ours: Side, stands: list[Stand], run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "MAX_BODY_BYTES", 1000)
    endpoint_of(ours, stands[:1])
    token = ours.api.token
    assert run(post(PATH, b"x" * 1000, token=token, parts=7)).json() == {"predictions": ["x" * 1000]}
    assert run(post(PATH, b"x" * 1001, token=token)).status == 413
    assert run(post(PATH, b"x" * 1001, token=token, parts=7)).status == 413
    assert run(post(PATH, b"", token=token, content_length="1001")).status == 413
    assert run(post(PATH, BODY, token=token, content_encoding="gzip")).status == 415
    assert run(post(PATH, BODY, token=token, method="GET")).status == 405
    assert len(stands[0].seen) == 1


def test_without_replicas_it_says_when_to_come_again(ours: Side, run: Any) -> None:
    endpoint_of(ours, [])
    reply = run(post(PATH, BODY, token=ours.api.token))
    assert reply.status == 503 and int(reply.headers["retry-after"]) > 0


def test_a_dead_replica_costs_no_request(ours: Side, stands: list[Stand], run: Any) -> None:
    endpoint_of(ours, stands)

    async def story() -> list[int]:
        first = [(await post(PATH, BODY, token=ours.api.token)).status for _ in range(4)]
        await asyncio.to_thread(stands[0].close)
        return first + [(await post(PATH, BODY, token=ours.api.token)).status for _ in range(4)]

    assert run(story()) == [200] * 8
    assert stands[0].seen, "both were asked before"


def test_a_request_in_a_dying_replica_is_answered_by_the_other(ours: Side, stands: list[Stand], run: Any) -> None:
    endpoint_of(ours, stands)
    stands[0].answer = lambda kind, body: None
    replies = [run(post(PATH, BODY, token=ours.api.token)) for _ in range(3)]
    assert [reply.status for reply in replies] == [200] * 3


def test_a_request_that_ends_replicas_is_not_given_to_all(ours: Side, stands: list[Stand], run: Any) -> None:
    endpoint_of(ours, stands)
    for stand in stands:
        stand.answer = lambda kind, body: None
    reply = run(post(PATH, BODY, token=ours.api.token))
    assert reply.status == 502
    assert sum(len(stand.seen) for stand in stands) == 2


def test_traffic_moves_without_a_failed_request(ours: Side, stands: list[Stand], run: Any, tmp_path: Path) -> None:
    endpoint = endpoint_of(ours, stands[:1])

    async def ask(until: float) -> list[Reply]:
        found = []
        while time.monotonic() < until:
            found.append(await post(PATH, BODY, token=ours.api.token))
        return found

    async def story() -> list[Reply]:
        asking = [asyncio.create_task(ask(time.monotonic() + 1.0)) for _ in range(8)]
        await asyncio.sleep(0.3)
        await asyncio.to_thread(route_to, ours, endpoint, [stands[1].path], "2")
        await asyncio.sleep(0.1)
        await asyncio.to_thread(stands[0].close)
        return [reply for found in await asyncio.gather(*asking) for reply in found]

    replies = run(story())
    assert {reply.status for reply in replies} == {200}
    assert {reply.headers["served-model-name"] for reply in replies} == {"delay-1", "delay-2"}
    assert {kept.request_id for kept in logged(tmp_path)} == {reply.headers["x-request-id"] for reply in replies}


def test_a_slow_replica_does_not_hold_the_other(ours: Side, stands: list[Stand], run: Any) -> None:
    endpoint_of(ours, stands)
    over = threading.Event()
    stands[0].answer = lambda kind, body: (over.wait(30), echo(kind, body))[1]

    async def story() -> list[int]:
        slow = [asyncio.create_task(post(PATH, BODY, token=ours.api.token)) for _ in range(2)]
        while not stands[0].seen:
            await asyncio.sleep(0.01)
        quick = [(await post(PATH, BODY, token=ours.api.token)).status for _ in range(10)]
        assert not all(task.done() for task in slow)
        over.set()
        return quick + [reply.status for reply in await asyncio.gather(*slow)]

    assert run(story()) == [200] * 12
    assert len(stands[0].seen) == 1


def test_an_answer_that_cannot_be_logged_is_not_given(
    ours: Side, stands: list[Stand], run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint_of(ours, stands[:1])

    def full(self: journal.Writer, payloads: list[bytes]) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(journal.Writer, "write", full)
    reply = run(post(PATH, BODY, token=ours.api.token))
    assert reply.status == 503 and b"predictions" not in reply.body


@pytest.mark.parametrize("junk", [b"\xff" * 40, b"", b"\x00" * 13, b'{"a"' * 10])
def test_a_scorer_that_speaks_nonsense_is_cut_off(
    ours: Side, stands: list[Stand], run: Any, junk: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apps.sandbox.guest.scorer import frames

    endpoint_of(ours, stands[:1])
    monkeypatch.setattr(frames, "encode_answer", lambda *_: junk or frames.encode(frames.ANSWER, 1, b"\x01"))
    stands[0].answer = lambda kind, body: (200, b"")
    if junk == b"\x00" * 13:
        monkeypatch.setattr(scoring, "ANSWER_SECONDS", 0.2)
    assert run(post(PATH, BODY, token=ours.api.token)).status in (502, 503, 504)
