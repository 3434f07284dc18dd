"""Artifact bytes over the wire: whole or not at all, only where one may, and never anywhere else."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from apps.access import operations as access
from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.resources import root_resource
from apps.access.scope import workspace_scope
from apps.access.storage import location
from apps.access.tokens import new_token
from apps.access.workspaces import find_or_create_person
from tests.builders import Side
from tests.registry.live import Live
from tests.registry.makers import a_logged_model, a_run, a_version, an_experiment

F = "/api/2.0/mlflow-artifacts/artifacts"
TWIN = "/ajax-api/2.0/mlflow-artifacts/artifacts"


class Made:
    """A run and a registered version on one side."""

    def __init__(self, side: Side) -> None:
        with workspace_scope(side.workspace):
            self.experiment = an_experiment(side.admin)
            self.run = a_run(side.admin, self.experiment)
            self.logged = a_logged_model(side.admin, self.experiment)
            self.version = a_version(side.admin, logged=self.logged)
            self.folder = location(self.experiment.resource)
        self.number = self.experiment.number
        self.root = f"{F}/{self.number}/{self.run.hex}/artifacts"

    def someone(self, side: Side, level: Level | None) -> str:
        """The token of a member with this level on the experiment."""
        with workspace_scope(side.workspace):
            email = f"{level.word if level else 'nobody'}@example.com"
            find_or_create_person(email)
            user = access.add_member(actor=side.admin, root=root_resource(), email=email).user
            if level:
                access.share(actor=side.admin, resource=self.experiment.resource, grantee=user, level=level)
            return new_token(user, name="t")[1]


@pytest.fixture
def made(live: Live) -> Made:
    return Made(live.ours)


def code(answer: Any) -> str:
    return json.loads(answer.body)["error_code"]


def test_a_file_goes_in_and_comes_out(live: Live, made: Made) -> None:
    for name in ("a.txt", "d%C3%A9ep/b%20c/x+y%25z.bin", "plots/im%2Bstep%2B1.png", "empty"):
        content = b"" if name == "empty" else os.urandom(3_000_000)
        assert live("PUT", f"{made.root}/{name}", body=content).status == 200
        got = live("GET", f"{made.root}/{name}")
        assert (got.status, got.body == content) == (200, True)
        assert got.headers["content-disposition"].startswith("attachment")
        assert (
            got.headers["x-content-type-options"] == "nosniff" and "sandbox" in got.headers["content-security-policy"]
        )
    assert live("PUT", f"{made.root}/a.txt", body=iter([b"new", b"er"])).status == 200
    assert live("GET", f"{made.root}/a.txt").body == b"newer"
    assert live("GET", f"{made.root}/a.txt").headers["content-type"] == "text/plain"
    listed = json.loads(live("GET", f"{F}?path={made.number}/{made.run.hex}/artifacts").body)["files"]
    assert listed[0] == {"path": "a.txt", "is_dir": False, "file_size": 5}
    assert {"path": "déep", "is_dir": True} in listed
    assert list((made.folder / "uploads").iterdir()) == []
    for path in ("nothing", "a.txt", "plots/none"):
        assert live("GET", f"{F}?path={made.number}/{made.run.hex}/artifacts/{path}").body == b"{}"
    assert code(live("GET", f"{made.root}/none")) == "RESOURCE_DOES_NOT_EXIST"
    assert live("GET", f"{made.root}/plots").status == 400
    for _ in range(2):
        assert live("DELETE", f"{made.root}/plots").status == 200
    assert live("GET", f"{made.root}/plots/im%2Bstep%2B1.png").status == 404


@pytest.mark.parametrize(
    ("header", "status", "part"),
    [
        ("bytes=2-4", 206, b"234"),
        ("bytes=7-", 206, b"789"),
        ("bytes=-2", 206, b"89"),
        ("bytes=0-99", 206, b"0123456789"),
        ("bytes=10-", 416, None),
        ("bytes=1-2,4-5", 200, b"0123456789"),
        ("lines=1-2", 200, b"0123456789"),
    ],
)
def test_ranges(live: Live, made: Made, header: str, status: int, part: bytes | None) -> None:
    live("PUT", f"{made.root}/n", body=b"0123456789")
    got = live("GET", f"{made.root}/n", Range=header)
    assert got.status == status and part in (None, got.body)


HOSTILE = [
    "..",
    "../../secret",
    "%2e%2e/%2e%2e/secret",
    "%252e%252e/secret",
    "%25252e%25252e/secret",
    "a/../../b",
    "a/..",
    "./a",
    "a/./b",
    "..%2fsecret",
    "%2fetc%2fpasswd",
    "%252fetc%252fpasswd",
    "a%5c..%5cb",
    "a%255cb",
    "..%5c..%5csecret",
    "a%00b",
    "a%2500b",
    "a%23b",
    "a%2523b",
    "a;b",
    "a%3bb",
    "file:///etc/passwd",
    "a//b",
    "a%0ab",
    "x" * 256,
    "/".join(["a"] * 80),
]


@pytest.mark.parametrize("path", HOSTILE)
def test_paths_that_lead_elsewhere(live: Live, made: Made, path: str, tmp_path: Path) -> None:
    before = sorted(str(p) for p in Path(settings.BOATHOUSE_STORAGE).rglob("*"))
    for method in ("GET", "PUT", "DELETE"):
        for base in (made.root, made.root.replace("/api/", "/ajax-api/")):
            answer = live(method, f"{base}/{path}", body=b"x" if method == "PUT" else None)
            assert answer.status in (400, 404), (method, answer.body)
            assert answer.status == 404 or "Invalid path" in json.loads(answer.body)["message"]
    assert live("GET", f"{F}?path={made.number}/{made.run.hex}/artifacts/{path}").status in (200, 400, 404)
    assert sorted(str(p) for p in Path(settings.BOATHOUSE_STORAGE).rglob("*")) == before


def test_links_are_not_followed(live: Live, made: Made, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    live("PUT", f"{made.root}/a/b", body=b"x")
    inside = made.folder / "artifacts" / made.run.hex / "artifacts"
    (inside / "link").symlink_to(tmp_path / "secret")
    (inside / "dir").symlink_to(tmp_path)
    for path in ("link", "dir/secret"):
        assert live("GET", f"{made.root}/{path}").status in (400, 404, 409)
    assert live("PUT", f"{made.root}/dir/new", body=b"x").status in (400, 409)
    assert live("PUT", f"{made.root}/link", body=b"mine").status == 200
    assert (tmp_path / "secret").read_text() == "secret" and not (tmp_path / "new").exists()
    files = json.loads(live("GET", f"{F}?path={made.number}/{made.run.hex}/artifacts").body)["files"]
    assert "dir" not in [file["path"] for file in files]
    live("DELETE", f"{made.root}/dir")
    assert (tmp_path / "secret").exists()


@pytest.mark.parametrize("base", [F, TWIN])
def test_levels_are_asked_of_the_path(live: Live, made: Made, base: str) -> None:
    place = f"{base}/{made.number}/{made.run.hex}/artifacts"
    listing = f"{base}?path={made.number}/{made.run.hex}/artifacts"
    live("PUT", f"{made.root}/a.txt", body=b"x")
    strangers = [live.theirs.api.token, made.someone(live.ours, None)]
    for token in strangers:
        for method in ("GET", "PUT", "DELETE"):
            answer = live(method, f"{place}/a.txt", token=token, body=b"y" if method == "PUT" else None)
            absent = live(
                method, f"{base}/{10**17}/{made.run.hex}/artifacts/a.txt", body=b"y" if method == "PUT" else None
            )
            assert answer.status == 404 and answer.body == absent.body
        assert live("GET", listing, token=token).status == 404
    viewer = made.someone(live.ours, Level.VIEW)
    assert live("GET", f"{place}/a.txt", token=viewer).status == 200
    assert live("GET", listing, token=viewer).status == 200
    for method in ("PUT", "DELETE"):
        assert code(live(method, f"{place}/a.txt", token=viewer, body=b"y")) == "PERMISSION_DENIED"
    for token in ("", "bh_wrong"):
        for method in ("GET", "PUT", "DELETE"):
            assert live(method, f"{place}/a.txt", token=token).status == 401
        assert live("GET", listing, token=token).status == 401
    assert live("GET", f"{place}/a.txt", X_MLFLOW_WORKSPACE="theirs").status == 404
    assert live("GET", f"{place}/a.txt").body == b"x"
    editor = made.someone(live.ours, Level.EDIT)
    assert live("PUT", f"{place}/a.txt", token=editor, body=b"z").status == 200


def test_a_run_must_be_of_the_experiment_in_the_path(live: Live, made: Made) -> None:
    with workspace_scope(live.ours.workspace):
        other = an_experiment(live.ours.admin, "other")
    for path in (
        f"{other.number}/{made.run.hex}/artifacts/a",
        f"{other.number}/models/{made.logged.hex}/artifacts/MLmodel",
        f"{made.number}/{made.run.hex}/elsewhere/a",
        f"{made.number}/{made.run.hex}",
        f"{made.number}/models/{made.logged.hex}/a",
        f"{made.number}/models/x/artifacts/a",
        f"{made.number}/notarun/artifacts/a",
        f"{made.number}/uploads/a",
        "x/y/z",
    ):
        assert live("PUT", f"{F}/{path}", body=b"x").status in (400, 404), path


def test_registered_files_are_read_by_the_model_and_never_change(live: Live, made: Made) -> None:
    token = made.someone(live.ours, None)
    uri = json.loads(live("GET", "/api/2.0/mlflow/model-versions/get-download-uri?name=churn&version=1").body)
    root = f"{F}/{uri['artifact_uri'].removeprefix('mlflow-artifacts:/')}"
    assert live("GET", f"{root}/model.skops").body == b"weights"
    names = [
        file["path"] for file in json.loads(live("GET", root.replace("s/versions", "s?path=versions")).body)["files"]
    ]
    assert names == ["MLmodel", "model.skops", "requirements.txt"]
    for method in ("PUT", "DELETE"):
        assert code(live(method, f"{root}/model.skops", body=b"x")) == "PERMISSION_DENIED"
    for other in (token, live.theirs.api.token):
        for method in ("GET", "PUT", "DELETE"):
            assert live(method, f"{root}/model.skops", token=other).status == 404
    assert live("GET", "/model-versions/get-artifact?name=churn&version=1&path=MLmodel").status == 200
    assert live("GET", "/model-versions/get-artifact?name=churn&version=1&path=../x").status == 400
    live("PUT", f"{made.root}/a.txt", body=b"x")
    for address in (
        f"/get-artifact?run_uuid={made.run.hex}&path=a.txt",
        "/model-versions/get-artifact?name=churn&version=1&path=MLmodel",
        f"/ajax-api/2.0/mlflow/logged-models/{made.logged.hex}/artifacts/files?artifact_file_path=MLmodel",
    ):
        assert live("GET", address).status == 200, address
        assert live("GET", address, token="").status == 401
        for other in (token, live.theirs.api.token):
            assert live("GET", address, token=other).status == 404


def test_too_large_and_broken_uploads_leave_nothing(live: Live, made: Made, settings: Any) -> None:
    settings.BOATHOUSE_ARTIFACT_MAX_BYTES = 1000
    assert live("PUT", f"{made.root}/big", body=b"x" * 1001).status == 413
    assert live("PUT", f"{made.root}/big", body=iter([b"x" * 600, b"x" * 600])).status == 413
    assert live("GET", f"{made.root}/big").status == 404
    from http.client import HTTPConnection

    connection = HTTPConnection("127.0.0.1", live.port)
    connection.putrequest("PUT", f"{made.root}/half")
    connection.putheader("Authorization", f"Bearer {live.ours.api.token}")
    connection.putheader("Content-Length", "900")
    connection.endheaders()
    connection.send(b"x" * 100)
    connection.close()
    assert live("GET", f"{made.root}/half").status == 404
    for _ in range(50):
        if not list((made.folder / "uploads").iterdir()):
            break
        time.sleep(0.1)
    assert list((made.folder / "uploads").iterdir()) == []


def test_the_trash_takes_no_files(live: Live, made: Made) -> None:
    live("PUT", f"{made.root}/a", body=b"x")
    with workspace_scope(live.ours.workspace):
        access.trash_resource(actor=live.ours.admin, resource=made.experiment.resource)
    assert live("GET", f"{made.root}/a").status == 200
    assert live("PUT", f"{made.root}/b", body=b"x").status == 409


def test_multipart_is_declined_so_that_clients_send_one_piece(live: Live, made: Made) -> None:
    answer = live("POST", f"/api/2.0/mlflow-artifacts/mpu/create/{made.number}/x", body=b"{}")
    assert answer.status == 501 and code(answer) == "NOT_IMPLEMENTED"


def test_a_job_that_loads_a_version_is_recorded(live: Live, made: Made) -> None:
    from apps.access.tokens import issue_run_key
    from apps.lineage import queries as lineage

    with workspace_scope(live.ours.workspace):
        key = issue_run_key(Actor(live.ours.admin.user, live.ours.workspace), "job_run:7", 60)
    live("GET", f"{F}/versions/{made.version.pk.hex}/MLmodel", token=key)
    with workspace_scope(live.ours.workspace):
        node = lineage.find_node(live.ours.admin, "model_version", str(made.version.model.pk), "1")
        below = lineage.around(live.ours.admin, node).nodes
        assert ("job_run", 1) in {(found.kind, found.depth) for found in below}
