"""Predictions reach their inference table exactly once, whatever is killed, lost or in the way."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import requests

from apps.access.resources import trash_resource
from apps.access.scope import workspace_scope
from apps.deployments import journal, logs, record, shipping
from apps.deployments.models import Endpoint
from apps.foundation.errors import Unavailable
from apps.lineage.models import LineageEdge
from apps.tables import delta, ingest
from apps.tables.models import Table
from tests.builders import Side, a_person, a_side
from tests.deployments.endpoints import an_endpoint, invocations
from tests.live import free_port


@pytest.fixture
def side(committed: None) -> Side:
    return a_side("ours", "ada@example.com")


@pytest.fixture
def endpoint(side: Side) -> Endpoint:
    with workspace_scope(side.workspace):
        return an_endpoint(side, table=True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def served(endpoint: Endpoint, number: int = 0, **changes: Any) -> record.Served:
    told: dict[str, Any] = {
        "workspace_id": str(endpoint.workspace_id),
        "endpoint_id": str(endpoint.pk),
        "request_id": str(uuid.uuid4()),
        "at_micros": 1_790_000_000_000_000 + number,
        "micros": 1500,
        "status": 200,
        "endpoint": "delays",
        "model_name": "delay",
        "model_version": "3",
        "served_id": "served-3",
        "requester": "ada@example.com",
        "content_type": "application/json",
        "request": b'{"inputs": [%d]}' % number,
        "response": b'{"predictions": [1.5]}',
    }
    return record.Served(**{**told, **changes})


def put(root: Path, *records: record.Served) -> journal.Writer:
    writer = journal.Writer(root)
    writer.write([record.encode(item) for item in records])
    return writer


def rows(side: Side, endpoint: Endpoint) -> list[dict[str, Any]]:
    with workspace_scope(side.workspace):
        table = Table.objects.select_related("resource").get(pk=endpoint.inference_table_id)
        state = delta.snapshot(table.root)
        return delta.preview(table.root, state, 100_000).to_pylist() if state.rows else []


def ids(side: Side, endpoint: Endpoint) -> list[str]:
    return [row["databricks_request_id"] for row in all_rows(side, endpoint)]


def all_rows(side: Side, endpoint: Endpoint) -> list[dict[str, Any]]:
    """Every row of every file, for counting."""
    with workspace_scope(side.workspace):
        table = Table.objects.select_related("resource").get(pk=endpoint.inference_table_id)
        state = delta.snapshot(table.root)
        return [row for file in state.files for row in pq.read_table(table.root / file.path).to_pylist()]


def test_a_prediction_becomes_a_row(side: Side, endpoint: Endpoint, root: Path) -> None:
    put(
        root,
        served(endpoint, 1, request=b'{"inputs": [1], "client_request_id": "mine"}'),
        served(endpoint, 2, status=400, request=b"\xff\xfe"),
    )
    assert shipping.ship(root) == 2
    second, first = rows(side, endpoint)
    assert first["client_request_id"] == "mine" and json.loads(first["request"])["inputs"] == [1]
    assert (first["status_code"], first["execution_duration_ms"], first["model_version"]) == (200, 1, "3")
    assert (first["requester"], first["endpoint"]) == ("ada@example.com", "delays")
    assert first["request_time"].date() == first["request_date"]
    assert (second["request"], second["logging_error_codes"], second["status_code"]) == (None, ["NOT_TEXT"], 400)
    with workspace_scope(side.workspace):
        edge = LineageEdge.objects.select_related("source", "target").get(source__kind="endpoint")
        assert (edge.source.key, edge.target.version) == (str(endpoint.pk), "1")
        assert [item.id for item in logs.tail(side.admin, endpoint).items] == [
            second["databricks_request_id"],
            first["databricks_request_id"],
        ]


def test_shipping_again_adds_nothing_even_when_the_note_is_lost(side: Side, endpoint: Endpoint, root: Path) -> None:
    writer = put(root, *(served(endpoint, number) for number in range(5)))
    assert shipping.ship(root) == 5
    assert shipping.ship(root) == 0
    (root / writer.name / "shipped").unlink()
    writer.write([record.encode(served(endpoint, 9))])
    assert shipping.ship(root) == 1
    found = ids(side, endpoint)
    assert len(found) == len(set(found)) == 6


def test_a_shipper_that_ends_between_commit_and_note(
    side: Side, endpoint: Endpoint, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(root, *(served(endpoint, number) for number in range(3)))

    def killed(self: journal.Reader, position: journal.Position) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(journal.Reader, "note_shipped", killed)
        with pytest.raises(KeyboardInterrupt):
            shipping.ship(root)
    assert len(ids(side, endpoint)) == 3
    shipping.ship(root)
    assert len(ids(side, endpoint)) == 3


def test_one_endpoints_trouble_does_not_hold_the_others(
    side: Side, endpoint: Endpoint, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with workspace_scope(side.workspace):
        other = an_endpoint(side, "others", table=True)
    put(root, served(endpoint, 1), served(other, 2), served(endpoint, 3), served(other, 4))
    real = ingest.append_rows

    def broken(actor: Any, table: Table, *args: Any, **kwargs: Any) -> Any:
        if table.pk == endpoint.inference_table_id:
            raise Unavailable("the storage is away")
        return real(actor, table, *args, **kwargs)

    with monkeypatch.context() as away:
        away.setattr(ingest, "append_rows", broken)
        assert shipping.ship(root) == 2
    assert (len(ids(side, endpoint)), len(ids(side, other))) == (0, 2)
    assert shipping.ship(root) == 2
    assert (len(ids(side, endpoint)), len(ids(side, other))) == (2, 2)


def test_a_table_in_the_trash_goes_on_receiving_and_a_deleted_one_blocks_nobody(
    side: Side, endpoint: Endpoint, root: Path
) -> None:
    with workspace_scope(side.workspace):
        other = an_endpoint(side, "others", table=True)
        trash_resource(endpoint.inference_table)
        other.inference_table.delete()
    put(root, served(endpoint, 1), served(other, 2), served(endpoint, 3, endpoint_id=str(uuid.uuid4())))
    assert shipping.ship(root) == 1
    assert len(ids(side, endpoint)) == 1
    assert shipping.ship(root) == 0


def test_a_dead_writers_folder_goes_when_it_is_shipped(side: Side, endpoint: Endpoint, root: Path) -> None:
    put(root, served(endpoint, 1)).close()
    alive = put(root, served(endpoint, 2))
    shipping.ship(root)
    assert [reader.name for reader in journal.readers(root)] == [alive.name]


def test_requests_are_shown_to_those_who_may_view_the_table(side: Side, endpoint: Endpoint, root: Path) -> None:
    put(root, served(endpoint, 1))
    shipping.ship(root)
    with workspace_scope(side.workspace):
        from tests.builders import World

        stranger = a_person(World(side, side), "mo@example.com")
        assert logs.tail(stranger, endpoint) == logs.Tail([], hidden=True)


_SHIP_FOREVER = """
import sys, pathlib, time
import django
django.setup()
from apps.deployments.shipping import ship
while True:
    ship(pathlib.Path(sys.argv[1]))
    print("shipped", flush=True)
    time.sleep(0.02)
"""


class Killable:
    """A process that is killed and started again at random moments."""

    def __init__(self, *argv: str) -> None:
        self._argv = argv
        self.process = self._start()
        self.kills = 0

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._argv, stdout=subprocess.DEVNULL, start_new_session=True)

    def kill(self) -> None:
        self.end()
        self.kills += 1
        self.process = self._start()

    def end(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def scorer(tmp_path: Path) -> Iterator[str]:
    path = str(tmp_path / "score.sock")
    process = subprocess.Popen([sys.executable, "-m", "tests.deployments.scorers", path])
    yield path
    process.kill()
    process.wait()


def test_no_acknowledged_prediction_is_lost_or_doubled_under_kills(side: Side, scorer: str) -> None:
    root = Path(os.environ["BOATHOUSE_HOME"]) / "journal" / "scoring"
    with workspace_scope(side.workspace):
        endpoint = an_endpoint(side, sockets=[scorer], table=True)
    port = free_port()
    web = Killable(
        sys.executable, "-m", "uvicorn", "workspace.asgi:application", "--port", str(port), "--log-level", "critical"
    )
    worker = Killable(sys.executable, "-c", _SHIP_FOREVER, str(root))
    acknowledged: set[str] = set()
    dice = random.Random(7)
    try:
        until = time.monotonic() + 150  # on an idle machine a sixth of it
        next_web, next_worker = time.monotonic() + 6, time.monotonic() + 4
        with requests.Session() as session:
            while time.monotonic() < until and web.kills < 4:
                try:
                    reply = session.post(
                        f"http://127.0.0.1:{port}{invocations('delays')}",
                        data=b'{"inputs": [1]}',
                        headers={"Authorization": f"Bearer {side.api.token}"},
                        timeout=5,
                    )
                    if reply.status_code == 200:
                        acknowledged.add(reply.headers["x-request-id"])
                except requests.RequestException:
                    time.sleep(0.05)
                if time.monotonic() > next_worker:
                    worker.kill()
                    next_worker = time.monotonic() + dice.uniform(2, 4)
                # a web process that has not come up yet proves nothing
                if time.monotonic() > next_web and len(acknowledged) > 30 * (web.kills + 1):
                    web.kill()
                    next_web = time.monotonic() + dice.uniform(4, 6)
    finally:
        web.end()
        worker.end()
    shipping.ship(root)
    found = ids(side, endpoint)
    assert web.kills >= 2 and worker.kills >= 2 and len(acknowledged) > 100
    assert len(found) == len(set(found)), "a prediction is there twice"
    assert acknowledged <= set(found), "an acknowledged prediction is lost"
    assert journal.readers(root) == [], "every dead writer's folder is shipped and gone"
