"""Pages of tables: list, columns, any version, restore by form, an upload from file to version."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.operations import share
from apps.lineage.recorder import Node, observe_read, observe_write
from apps.tables import staging, tickets
from apps.tables.commits import version_node
from apps.tables.models import Computation, StagedWrite, Table
from tests.builders import World, a_person

from .kit import a_table, worked_out, write

NASTY = "<script>alert(1)</script>"


@pytest.fixture
def ada(world: World) -> Client:
    client = Client()
    client.force_login(world.admin.user)
    return client


@pytest.fixture
def table(world: World) -> Table:
    rows = pa.table({"n": [1, 2, None], "origin": ["EWR", NASTY, "LGA"]})
    table = a_table(world.admin, rows=rows)
    write(world.admin, table, pa.table({"n": [4], "origin": ["JFK"]}))
    return table


def text_of(answer: Any) -> str:
    assert answer.status_code == 200, answer.status_code
    return " ".join(answer.content.decode().split())


def test_list_and_sections(world: World, table: Table, ada: Client) -> None:
    here = f"/w/ours/tables/{table.name}"
    assert here in text_of(ada.get("/w/ours/tables?in=main.default&order=rows"))
    columns = text_of(ada.get(here))
    assert "origin" in columns and "25.00 %" in columns and NASTY not in columns
    sample = text_of(ada.get(f"{here}/sample?version=0"))
    assert "The newest 3 rows of 3" in sample and NASTY not in sample
    assert ada.get(f"{here}/sample?version=7").status_code == 404
    assert ada.get(f"{here}/sample?version=x").status_code == 422
    assert ada.get(f"{here}/sample?timestamp=1999-01-01T00:00:00Z").status_code == 404
    assert "Rows added" in text_of(ada.get(f"{here}/history"))
    assert "read_table" in text_of(ada.get(f"{here}/use"))
    assert text_of(ada.get(f"/w/ours/tables/{table.pk}"))
    assert ada.get("/w/ours/tables/main.default.nothing").status_code == 404


def test_the_list_is_filtered_sorted_by_reads_and_counted(world: World, table: Table, ada: Client) -> None:
    other = a_table(world.admin, "main.default.weather")
    tickets.give(world.admin, other)
    tickets.give(world.admin, other)
    shown = text_of(ada.get("/w/ours/tables"))
    assert shown.index("weather</a>") < shown.index("flights</a>"), "the most read comes first"
    assert shown.index("flights</a>") < text_of(ada.get("/w/ours/tables?order=name")).index("weather</a>")
    for filter, names in {
        "column:origin": ["flights"],
        "rows:>3": ["flights"],
        "-column:origin": ["weather"],
        "owner:me written:>1d schema:default": ["flights", "weather"],
        "kind:inference": [],
        "catalog:other": [],
        "wea": ["weather"],
    }.items():
        shown = text_of(ada.get("/w/ours/tables", {"q": filter}))
        assert [name for name in ("flights", "weather") if f">{name}</a>" in shown] == names, filter
    assert ada.get("/w/ours/tables?q=rows:>many").status_code == 422


def test_an_old_version_comes_back(table: Table, ada: Client) -> None:
    here = f"/w/ours/tables/{table.name}/history"
    assert ada.post(here, {"version": "0", "note": "as it was"}).status_code == 303
    table.refresh_from_db()
    assert (table.version, table.rows) == (2, 3)
    assert "as it was" in text_of(ada.get(here))


def test_a_reader_sees_no_way_to_change(world: World, table: Table) -> None:
    mia = a_person(world, "mia@example.com", level=Level.VIEW, on=table.resource)
    client = Client()
    client.force_login(mia.user)
    here = f"/w/ours/tables/{table.name}"
    assert "Restore" not in text_of(client.get(f"{here}/history")) and "Upload rows" not in text_of(client.get(here))
    assert client.post(f"{here}/history", {"version": "0"}).status_code == 403
    assert client.get(f"{here}/settings").status_code == 403
    stranger = Client()
    stranger.force_login(a_person(world, "noa@example.com").user)
    assert [stranger.get(f"{here}{x}").status_code for x in ("", "/sample", "/history", "/use")] == [404] * 4


def test_upload_from_file_to_version(world: World, table: Table, ada: Client) -> None:
    bad = ada.post("/w/ours/tables/upload", {"table": "main.nowhere.t", "file": SimpleUploadedFile("a.csv", b"a\n1\n")})
    assert bad.status_code == 422 and "f-table-err" in bad.content.decode()
    file = SimpleUploadedFile("more.csv", b"n,origin\n5,BOS\n")
    answer = ada.post("/w/ours/tables/upload", {"table": table.name, "file": file})
    place = answer.headers["Location"]
    row = StagedWrite.objects.get(file_name="more.csv")
    assert (row.folder / staging.UPLOADED).read_bytes() == b"n,origin\n5,BOS\n"
    assert "Reading more.csv" in text_of(ada.get(place))
    report = {
        "format": {"kind": "csv", "encoding": "utf-8", "delimiter": ",", "header": True},
        "rows_read": 2, "rows": 1, "bad_count": 1, "parts": [],
        "bad_rows": [{"line": 3, "column": "n", "found": NASTY, "why": "is no number"}],
        "columns": [{"name": NASTY, "type": "long", "guess": "string", "empty": 0, "examples": [NASTY], "note": ""}],
    }  # fmt: skip
    StagedWrite.objects.filter(pk=row.pk).update(state=StagedWrite.State.PARSED, report=report)
    shown = text_of(ada.get(place))
    assert "1 of 2 rows do not fit" in shown and NASTY not in shown and "is no number" in shown
    told = ada.get(f"{place}/bad-rows").content.decode().splitlines()
    assert told[0] == "line,column,found,why" and told[1].startswith("3,n,")
    form = {"act": "commit", "mode": "append", "header": "on", "on_bad_rows": "stop"}
    assert ada.post(place, form).status_code == 422, "bad rows are not written in silence"
    changed = {**form, "on_bad_rows": "skip", f"name:{NASTY}": "number", f"use:{NASTY}": "on", "null_words": "-, gone"}
    assert ada.post(place, changed).headers["Location"] == place, (
        "what changed is read again before anything is written"
    )
    row.refresh_from_db()
    assert (row.state, row.options["null_words"], row.options["on_bad_rows"]) == ("parsing", ["-", "gone"], "skip")
    assert row.options["columns"] == [{"source": NASTY, "name": "number", "type": "long", "use": True}]
    assert ada.post(place, {"act": "cancel"}).status_code == 303
    table.refresh_from_db()
    assert table.version == 1


def test_schemas_and_catalogs_by_form(world: World, ada: Client) -> None:
    made = ada.post("/w/ours/tables", {"act": "schema", "catalog": "main", "name": "flights"})
    assert made.headers["Location"] == "/w/ours/tables?in=main.flights"
    assert ada.post("/w/ours/tables", {"act": "schema", "catalog": "main", "name": "No good"}).status_code == 422
    ada.post("/w/ours/tables", {"act": "catalog", "name": "lab"})
    assert Resource.objects.filter(kind="catalog", path="lab").exists()


def test_columns_with_statistics_are_described_and_keyed(world: World, table: Table, ada: Client) -> None:
    here = f"/w/ours/tables/{table.name}"
    waiting = text_of(ada.get(here))
    assert "Statistics from every row" in waiting and "Cancel" in waiting
    worked_out(Computation.objects.get(kind="statistics"))
    shown = text_of(ada.get(f"{here}?column=origin"))
    assert "Statistics of version 1, from every row" in shown and "4 values" in shown and NASTY not in shown
    assert (
        ada.post(here, {"act": "describe", "column": "n", "description": NASTY, "tags": "target, key"}).status_code
        == 303
    )
    told = text_of(ada.get(here))
    assert "target" in told and NASTY not in told and "&lt;script&gt;" in told
    assert ada.post(here, {"act": "describe", "column": "gone", "description": "x"}).status_code == 422
    assert ada.post(here, {"act": "key", "key": ["n"]}).status_code == 303
    table.refresh_from_db()
    assert table.key_columns == ["n"]
    assert "Part of the key" in text_of(ada.get(f"{here}?show=keys"))
    reader = Client()
    reader.force_login(a_person(world, "mia@example.com", level=Level.VIEW, on=table.resource).user)
    assert reader.post(here, {"act": "key", "key": ["origin"]}).status_code == 403
    assert "Describe" not in text_of(reader.get(here))


def test_history_shows_what_differs_and_a_row_its_past(world: World, table: Table, ada: Client) -> None:
    here = f"/w/ours/tables/{table.name}"
    assert "What differs" in text_of(ada.get(f"{here}/history"))
    worked_out(Computation.objects.get(kind="difference"))
    shown = text_of(ada.get(f"{here}/history?a=0&b=1"))
    assert "What differs, v0 to v1" in shown and "by whole rows" in shown and "JFK" in shown
    assert "A and B are the same version" in text_of(ada.get(f"{here}/history?a=1&b=1"))
    assert ada.get(f"{here}/history?a=0&b=9").status_code == 404
    row = f"{here}/row?version=1&key=%7B%22n%22%3A%224%22%7D"
    assert "The history of this row" in text_of(ada.get(row))
    worked_out(Computation.objects.get(kind="row_history"))
    assert "Added" in text_of(ada.get(row)) and "Added" in text_of(ada.get(f"{row}&column=origin"))
    assert ada.get(f"{here}/row?key=nonsense").status_code == 422
    failed = Computation.objects.get(kind="difference")
    Computation.objects.filter(pk=failed.pk).update(state="failed", error="It took too long.")
    assert "It took too long." in text_of(ada.get(f"{here}/history?a=0&b=1"))
    assert ada.post(f"{here}/history", {"act": "repeat", "computation": failed.pk}).status_code == 303
    failed.refresh_from_db()
    assert failed.state == "waiting"


def test_one_may_talk_about_a_row_and_a_cell(world: World, table: Table, ada: Client) -> None:
    here = f"/w/ours/tables/{table.name}/sample"
    assert "cell:1:1:origin" in text_of(ada.get(f"{here}?at=1:origin"))
    assert "row:1:2" in text_of(ada.get(f"{here}?at=2"))
    assert 'id="talk"' not in text_of(ada.get(f"{here}?at=99:origin"))


def test_who_uses_it_counts_what_is_hidden(world: World, table: Table, ada: Client) -> None:
    here = f"/w/ours/tables/{table.name}/uses"
    assert "Nothing was made from it yet" in text_of(ada.get(here))
    seen, hidden = a_table(world.admin, "main.default.seen"), a_table(world.admin, "main.default.hidden")
    for place, name in ((seen, "seen"), (hidden, "hidden")):
        run = Node("run", f"run-{name}", name=f"run {name}")
        observe_read(run, version_node(table, 0))
        observe_write(run, version_node(place, 0))
    mia = a_person(world, "mia@example.com", level=Level.VIEW, on=table.resource)
    share(actor=world.admin, resource=seen.resource, grantee=mia.user, level=Level.VIEW)
    reader = Client()
    reader.force_login(mia.user)
    shown = text_of(reader.get(here))
    assert "main.default.seen" in shown and "main.default.hidden" not in shown and "and 1 you may not see" in shown
