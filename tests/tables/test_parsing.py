"""Steps of reading an upload, with a sandbox that answers as told: what a guest says is never believed."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from apps.foundation.errors import Conflict, Invalid
from apps.sandbox.client import SandboxUnavailable
from apps.sandbox.launchers import GuestSpec, GuestState, LaunchRefused
from apps.tables import operations, parsing, staging
from apps.tables.models import StagedWrite
from tests.builders import World
from tests.tables.kit import a_table, numbers, parquet_bytes


class FakeSandbox:
    """Guests that ended, and the files that they left."""

    def __init__(self, files: dict[str, bytes], **state: Any) -> None:
        self.files, self.ended = files, {"state": "exited", "code": 0, **state}
        self.removed: list[Any] = []

    def launch(self, spec: GuestSpec) -> GuestState:
        assert spec.env == {} and spec.api_socket == "", "a reader of uploads gets no key and no door"
        return GuestState(spec.id, "running")

    def wait(self, guest_id: Any, seconds: float) -> GuestState:
        return GuestState(guest_id, **self.ended)

    def open_file(self, guest_id: Any, path: str) -> io.BytesIO:
        if path not in self.files:
            raise FileNotFoundError(path)
        return io.BytesIO(self.files[path])

    def remove(self, guest_id: Any) -> None:
        self.removed.append(guest_id)


@pytest.fixture
def upload(world: World, monkeypatch: pytest.MonkeyPatch) -> StagedWrite:
    table = a_table(world.admin, rows=numbers(1))
    write = operations.begin_table_write(actor=world.admin, table=table, file_name="more.csv")
    staging.upload_path(write).parent.mkdir(parents=True)
    staging.upload_path(write).write_text("n\n2\n")
    operations.parse_file(actor=world.admin, write=write, options={})
    monkeypatch.setattr(parsing, "environment", lambda: ("/nowhere", "/nowhere/bin/python"))
    return write


def step(upload: StagedWrite, monkeypatch: pytest.MonkeyPatch, fake: Any) -> StagedWrite:
    monkeypatch.setattr(parsing, "sandbox", lambda: fake)
    parsing.step(upload)
    upload.refresh_from_db()
    return upload


def report(**more: Any) -> bytes:
    return json.dumps({"rows": 1, "rows_read": 1, "bad_count": 0, "bad_rows": [], "columns": [], **more}).encode()


def test_a_good_report_becomes_a_version(world: World, upload: StagedWrite, monkeypatch: pytest.MonkeyPatch) -> None:
    assert upload.options["columns"] == [{"name": "n", "type": "long", "nullable": True}]
    part = {"name": "part-00000.parquet", "rows": 1, "bytes": 1}
    fake = FakeSandbox({"out/report.json": report(parts=[part]), "out/part-00000.parquet": parquet_bytes(numbers(2))})
    assert step(upload, monkeypatch, fake).state == "parsed" and fake.removed == [upload.guest_id]
    made = operations.append(actor=world.admin, table=upload.table, write=upload)
    assert (made.version, made.rows) == (1, 2)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"out/report.json": b"no json"},
        {"out/report.json": b'["list"]'},
        {"out/report.json": report(parts=[{"name": "../../../etc/passwd"}])},
        {"out/report.json": report(parts=[{"name": "part-00000.parquet"}])},
        {"out/report.json": report(parts="x")},
    ],
)
def test_what_makes_no_sense_is_refused(
    world: World, upload: StagedWrite, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]
) -> None:
    assert step(upload, monkeypatch, FakeSandbox(files)).state == "refused"
    with pytest.raises(Invalid, match="could not be read"):
        operations.append(actor=world.admin, table=upload.table, write=upload)


def test_a_guest_that_lies_about_its_parquet_makes_no_version(
    world: World, upload: StagedWrite, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = {"name": "part-00000.parquet", "rows": 1, "bytes": 1}
    step(
        upload,
        monkeypatch,
        FakeSandbox({"out/report.json": report(parts=[part]), "out/part-00000.parquet": b"PAR1xxPAR1"}),
    )
    with pytest.raises(Invalid, match="Parquet"):
        operations.append(actor=world.admin, table=upload.table, write=upload)


def test_ends_of_guests_are_told_in_words(upload: StagedWrite, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeSandbox({}, code=None, signal=9, reason="out_of_memory")
    assert "more memory" in step(upload, monkeypatch, fake).report["refused"]


def test_no_walls_no_reading(upload: StagedWrite, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(FakeSandbox):
        def launch(self, spec: GuestSpec) -> GuestState:
            raise LaunchRefused("no namespaces on this machine")

    assert "no namespaces" in step(upload, monkeypatch, Refusing({})).report["refused"]


def test_a_daemon_that_is_away_is_waited_for(upload: StagedWrite, monkeypatch: pytest.MonkeyPatch) -> None:
    class Away(FakeSandbox):
        def launch(self, spec: GuestSpec) -> GuestState:
            raise SandboxUnavailable("restarting")

    assert step(upload, monkeypatch, Away({})).state == "parsing"


def test_a_file_is_not_replaced_while_it_is_read(world: World, upload: StagedWrite) -> None:
    with pytest.raises(Conflict, match="being read"):
        staging.upload_path(upload)
    with pytest.raises(Conflict):
        operations.parse_file(actor=world.admin, write=upload, options={})
