"""Tables over HTTP: the whole way of a client, and what it is told when something is wrong."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.db import connection, connections

from apps.access.levels import Level
from apps.access.operations import trash_resource, unshare
from apps.access.resources import create_resource
from apps.experiments.models import Experiment, Run
from apps.tables import streams
from tests.builders import World, a_folder, a_person, an_api
from tests.tables.kit import ROWS, a_table, asked, numbers, parquet_bytes

V1 = "/api/v1"


@pytest.fixture(autouse=True)
def same_connection(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The streaming routes work in threads of their own; in a test these share its connection, and so its transaction."""
    shared = connections["default"]
    shared.inc_thread_sharing()

    async def here(call: Any) -> Any:
        def run() -> Any:
            connections["default"] = shared
            return call()

        return await asyncio.to_thread(run)

    monkeypatch.setattr(streams, "_in_thread", here)
    yield
    shared.dec_thread_sharing()


def begin(world: World, table: str = "main.default.flights", **more: Any) -> dict[str, Any]:
    answer = world.api.post(f"{V1}/table-writes", {"table": table, **more})
    assert answer.status_code == 201, answer.content
    return answer.json()


def put(world: World, url: str, body: bytes) -> tuple[int, Any]:
    status, _, content = asked(streams.table_writes, "PUT", url, body, authorization=f"Bearer {world.api.token}")
    return status, json.loads(content)


def commit(world: World, write: dict[str, Any], mode: str = "append", **more: Any) -> Any:
    return world.api.post(f"{V1}/table-writes/{write['id']}/commit", {"mode": mode, **more})


def fetch(url: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    return asked(streams.table_files, "GET", url, **headers)


def ticket(world: World, table: str = "main.default.flights", **wish: Any) -> dict[str, Any]:
    answer = world.api.post(f"{V1}/tables/{table}/read", wish)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_write_then_read_the_whole_way(world: World) -> None:
    write = begin(world)
    assert write["table_id"] is None and write["schema"] is None
    big = numbers(*range(50_000))
    assert put(world, f"{write['parts_url']}/0", parquet_bytes(big))[0] == 200
    assert put(world, f"{write['parts_url']}/1", parquet_bytes(numbers(-1)))[0] == 200
    made = commit(world, write, "create", note="first", key="k").json()
    assert (made["version"], made["rows"], made["table"]) == (0, 50_001, "main.default.flights")
    assert commit(world, write, "create", key="k").json()["version"] == 0

    got = ticket(world)
    assert got["rows"] == 50_001 and len(got["files"]) == 2
    schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(got["schema"])))
    assert schema == pa.schema([("n", pa.int64())])
    parts = [pq.read_table(io.BytesIO(fetch(file["url"])[2])) for file in got["files"]]
    assert sum(part.num_rows for part in parts) == 50_001

    again = begin(world)
    assert again["table_id"] == made["table_id"] and again["schema"]
    put(world, f"{again['parts_url']}/0", parquet_bytes(numbers(5)))
    assert commit(world, again, "overwrite").json()["rows"] == 1
    history = world.api.get(f"{V1}/tables/main.default.flights/versions").json()["items"]
    assert [(v["version"], v["operation"], v["by"], v["note"]) for v in history] == [
        (1, "overwrite", "ada@example.com", ""),
        (0, "create", "ada@example.com", "first"),
    ]
    shown = world.api.get(f"{V1}/tables/main.default.flights/preview?version=0&limit=2").json()
    assert shown["version"] == 0 and shown["items"] == [[-1], *shown["items"][1:]] and shown["rows"] == 50_001


def test_a_filter_leaves_away_files_that_cannot_match(world: World) -> None:
    a_table(world.admin, rows=numbers(1, 2))
    for values in ((10, 11), (20, 21)):
        write = begin(world)
        put(world, f"{write['parts_url']}/0", parquet_bytes(numbers(*values)))
        commit(world, write)
    assert len(ticket(world)["files"]) == 3
    assert len(ticket(world, filter=[["n", ">=", 11]])["files"]) == 2
    assert len(ticket(world, filter=[[["n", "=", 2]], [["n", "in", [20, 99]]]])["files"]) == 2
    assert ticket(world, filter=[["n", "=", 15]])["files"] == [] and ticket(world, filter=[["n", "=", 15]])["rows"] == 6
    wrong = world.api.post(f"{V1}/tables/main.default.flights/read", {"filter": [["m", "=", 1]]})
    assert wrong.status_code == 422 and "“m”" in wrong.json()["fields"]["filter"]


def test_ranges(world: World) -> None:
    a_table(world.admin)
    url = ticket(world)["files"][0]["url"]
    _, headers, whole = fetch(url)
    assert headers["content-disposition"] == "attachment" and whole[:4] == b"PAR1"
    for asked_for, piece in (
        ("bytes=0-3", whole[:4]),
        ("bytes=-8", whole[-8:]),
        ("bytes=4-", whole[4:]),
        ("bytes=10-99999", whole[10:]),
    ):
        status, headers, got = fetch(url, range=asked_for)
        assert (status, got) == (206, piece) and headers["content-range"].endswith(f"/{len(whole)}")
    assert fetch(url, range=f"bytes={len(whole)}-")[0] == 416
    assert fetch(url, range="lines=1-2")[0] == 200


@contextmanager
def forged(url: str) -> Iterator[str]:
    head, _, tail = url.rpartition(":")
    yield f"{head}:{tail[:-4]}AAAA"


def test_a_link_dies_with_its_owners_right(world: World) -> None:
    table = a_table(world.admin)
    ben = a_person(world, "ben@example.com", level=Level.VIEW, on=table.resource)
    api = an_api(ben)
    url = api.post(f"{V1}/tables/{table.pk}/read").json()["files"][0]["url"]
    assert fetch(url)[0] == 200
    with forged(url) as other:
        assert fetch(other)[0] == 404
    token = api.get(f"{V1}/tokens").json()["items"][0]["id"]
    api("DELETE", f"{V1}/tokens/{token}")
    assert fetch(url)[0] == 404

    second = an_api(ben)
    url = second.post(f"{V1}/tables/{table.pk}/read").json()["files"][0]["url"]
    unshare(actor=world.admin, resource=table.resource, grantee=ben.user)
    assert fetch(url)[0] == 404


def test_a_link_dies_with_the_table_and_with_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    table = a_table(world.admin)
    url = ticket(world)["files"][0]["url"]
    monkeypatch.setattr("apps.tables.tickets.time.time", lambda: 2**40)
    assert fetch(url)[0] == 404
    monkeypatch.undo()
    trash_resource(actor=world.admin, resource=table.resource)


def test_writes_belong_to_who_began_them(world: World) -> None:
    table = a_table(world.admin)
    ben = a_person(world, "ben@example.com", level=Level.EDIT, on=table.resource)
    write = begin(world)
    api = an_api(ben)
    assert api.get(f"{V1}/table-writes/{write['id']}").status_code == 404
    status, _, _ = asked(
        streams.table_writes, "PUT", f"{write['parts_url']}/0", b"x", authorization=f"Bearer {api.token}"
    )
    assert status == 404
    assert asked(streams.table_writes, "PUT", f"{write['parts_url']}/0", b"x")[0] == 401


def test_an_editor_who_lost_the_level_cannot_go_on(world: World) -> None:
    table = a_table(world.admin)
    ben = a_person(world, "ben@example.com", level=Level.EDIT, on=table.resource)
    api = an_api(ben)
    write = api.post(f"{V1}/tables/{table.pk}/write").json()
    unshare(actor=world.admin, resource=table.resource, grantee=ben.user)
    status, _, _ = asked(
        streams.table_writes, "PUT", f"{write['parts_url']}/0", b"x", authorization=f"Bearer {api.token}"
    )
    assert status == 404 and api.post(f"{V1}/table-writes/{write['id']}/commit", {"mode": "append"}).status_code == 404


def test_parts_that_are_no_parquet_or_missing_make_nothing(world: World) -> None:
    a_table(world.admin)
    write = begin(world)
    put(world, f"{write['parts_url']}/0", b"n,name\n1,a\n")
    answer = commit(world, write)
    assert answer.status_code == 422 and "Parquet" in answer.json()["detail"]
    gap = begin(world)
    put(world, f"{gap['parts_url']}/1", parquet_bytes(ROWS))
    assert "part is missing" in commit(world, gap).json()["detail"]
    assert put(world, f"{gap['parts_url']}/99999", b"x")[0] == 422
    assert world.api.get(f"{V1}/tables/main.default.flights").json()["version"] == 0


def test_a_settled_write_takes_nothing_more(world: World) -> None:
    a_table(world.admin)
    write = begin(world)
    world.api("DELETE", f"{V1}/table-writes/{write['id']}")
    assert put(world, f"{write['parts_url']}/0", parquet_bytes(ROWS))[0] == 409
    assert commit(world, write).status_code == 409


def test_an_upload_that_breaks_off_leaves_nothing(world: World) -> None:
    a_table(world.admin)
    write = begin(world)
    body = parquet_bytes(ROWS)
    status, _, _ = asked(
        streams.table_writes,
        "PUT",
        f"{write['parts_url']}/0",
        body[:-10],
        authorization=f"Bearer {world.api.token}",
        content_length=str(len(body)),
    )
    assert status == 422
    from apps.tables.models import StagedWrite

    assert list(StagedWrite.objects.get(pk=write["id"]).folder.iterdir()) == []


def test_the_run_header_names_the_activity(world: World) -> None:
    table = a_table(world.admin)
    place = create_resource(world.admin, kind="experiment", name="delays", parent=a_folder(world.admin))
    experiment = Experiment(resource=place)
    experiment.save(force_insert=True)
    run = Run(experiment=experiment, experiment_number=0, name="first try", start_time=0)
    run.save()
    world.api.post(f"{V1}/tables/main.default.flights/read", {}, **{"X-Boathouse-Run": run.uuid.hex})
    graph = world.api.get(f"{V1}/lineage-graph?kind=run&id={run.uuid.hex}").json()
    assert [node["kind"] for node in graph["nodes"] if node["depth"] == -1] == ["table_version"]
    assert next(node["name"] for node in graph["nodes"] if node["depth"] == 0) == "first try"
    ben = an_api(a_person(world, "ben@example.com", level=Level.VIEW, on=table.resource))
    for api, name in ((ben, run.uuid.hex), (world.api, "0" * 32), (world.api, "../etc")):
        answer = api.post(f"{V1}/tables/main.default.flights/read", {}, **{"X-Boathouse-Run": name})
        assert answer.status_code == 422, (name, answer.content)


def test_what_is_asked_wrongly_is_said(world: World) -> None:
    a_table(world.admin)
    at = f"{V1}/tables/main.default.flights"
    assert world.api.get(f"{at}/preview?version=9").status_code == 404
    assert world.api.get(f"{at}/preview?timestamp=yesterday").json()["fields"]["timestamp"].startswith("“yesterday”")
    assert world.api.get(f"{at}/preview?timestamp=2001-01-01").status_code == 404
    assert world.api.get(f"{at}/preview?columns=n,nope").status_code == 422
    assert world.api.post(f"{V1}/table-writes", {"table": "flights"}).status_code == 422
    assert world.api.post(f"{V1}/table-writes", {"table": "main.none.flights"}).status_code == 404
    assert (
        world.api.post(
            f"{V1}/tables", {"name": "main.default.flights", "columns": [{"name": "n", "type": "long"}]}
        ).status_code
        == 409
    )
    assert world.api.get(f"{V1}/tables/main.default.flights%00").status_code in (400, 404)


def test_trash_restore_and_forever(world: World) -> None:
    table = a_table(world.admin)
    at = f"{V1}/tables/{table.pk}"
    assert world.api("DELETE", at).status_code == 204 and world.api.get(at).status_code == 404
    assert world.api.post(f"{at}/restore").status_code == 200 and world.api.get(at).status_code == 200
    world.api("DELETE", at)
    assert world.api.post(f"{at}/delete-forever").status_code == 204
    assert world.api.post(f"{at}/restore").status_code == 404


def test_lists_are_filtered_by_place(world: World) -> None:
    world.api.post(f"{V1}/schemas", {"catalog": "main", "name": "flights"})
    a_table(world.admin, "main.flights.weather")
    a_table(world.admin, "main.default.other")
    names = [t["name"] for t in world.api.get(f"{V1}/tables?in=main.flights").json()["items"]]
    assert names == ["main.flights.weather"]
    assert len(world.api.get(f"{V1}/tables?in=main").json()["items"]) == 2
    assert [s["name"] for s in world.api.get(f"{V1}/schemas?catalog=main").json()["items"]] == [
        "main.flights",
        "main.default",
    ]
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from tables_table")
        assert cursor.fetchone()[0] == 2
