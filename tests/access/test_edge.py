"""The edge of the API: strict bodies, repeated requests, sessions, forged forms, foreign hosts."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client

from apps.access import operations
from apps.access.models import AuditEntry, IdempotentAnswer, Resource, Token
from apps.access.queries import own_membership
from apps.foundation.errors import Forbidden
from tests.builders import World, a_folder, a_person, an_api

FOLDERS = "/api/v1/folders"


@pytest.mark.parametrize(
    "body",
    [
        b'{"name": "a", "name": "b"}',
        b'{"name": NaN}',
        b'{"name": "a\\u0000b"}',
        b'{"name": "\\ud800"}',
        b"[" * 5000,
        b'{"name": 9223372036854775808}',
        b"\xff\xfe",
        b'"text"',
        b"",
    ],
)
def test_bodies_that_cannot_be_taken(world: World, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {world.api.token}"}
    answer = Client().generic("POST", FOLDERS, data=body, content_type="application/json", headers=headers)
    assert answer.status_code == 422 and answer.json()["code"] in ("invalid_json", "invalid"), answer.content


def test_an_unknown_field_is_named(world: World) -> None:
    answer = world.api.post(FOLDERS, {"name": "a", "owner": "me"})
    assert answer.status_code == 422 and answer.json()["fields"] == {"owner": "There is no such field here."}


def test_forms_are_not_json(world: World) -> None:
    answer = Client().post(FOLDERS, {"name": "a"}, headers={"Authorization": f"Bearer {world.api.token}"})
    assert answer.status_code == 415


def test_a_repeated_request_does_its_work_once(world: World) -> None:
    key = {"Idempotency-Key": "k1"}
    first = world.api.post(FOLDERS, {"name": "once"}, **key)
    again = world.api.post(FOLDERS, {"name": "once"}, **key)
    assert (first.status_code, first.content) == (again.status_code, again.content) == (201, first.content)
    assert again["Idempotent-Replay"] == "true" and Resource.objects.filter(name="once").count() == 1
    assert world.api.post(FOLDERS, {"name": "other"}, **key).json()["code"] == "idempotency_key_reused"
    # A refused request leaves its key free.
    assert world.api.post(FOLDERS, {"name": ""}, **{"Idempotency-Key": "k2"}).status_code == 422
    assert world.api.post(FOLDERS, {"name": "fine"}, **{"Idempotency-Key": "k2"}).status_code == 201


def test_an_answer_with_a_secret_is_not_kept(world: World) -> None:
    key = {"Idempotency-Key": "k3"}
    made = world.api.post("/api/v1/tokens", {"name": "once"}, **key)
    again = world.api.post("/api/v1/tokens", {"name": "once"}, **key)
    assert made.status_code == 201 and (again.status_code, again.json()["code"]) == (409, "shown_once")
    assert Token.objects.filter(name="once").count() == 1
    assert not [row for row in IdempotentAnswer.objects.all() if made.json()["token"].encode() in bytes(row.body)]


def test_another_token_of_the_account_gets_no_kept_answer(world: World) -> None:
    key = {"Idempotency-Key": "k4"}
    assert world.api.post(FOLDERS, {"name": "mine"}, **key).status_code == 201
    narrow = an_api(world.admin, scopes=["tables:read"])
    assert narrow.post(FOLDERS, {"name": "mine"}, **key).json()["code"] == "idempotency_key_reused"


def test_a_key_of_a_run_makes_nothing_that_outlives_it(world: World) -> None:
    guest = an_api(world.admin, kind=Token.Kind.RUN, activity="job_run:1")
    body = {"name": "forever"}
    assert world.api.post("/api/v1/tokens", {"name": "mine"}).status_code == 201
    assert guest.get("/api/v1/whoami").status_code == 200
    refused = guest.post("/api/v1/tokens", body)
    assert (refused.status_code, refused.json()["code"]) == (403, "run_key")
    assert not Token.objects.filter(name="forever").exists()
    actor = replace(world.admin, activity="job_run:1")
    invited = operations.add_member(actor=world.admin, root=world.root(), email="new@example.com")
    with pytest.raises(Forbidden):
        operations.change_password(actor=actor, membership=own_membership(actor), old="", new="a new long password")
    with pytest.raises(Forbidden):
        operations.make_invitation_link(actor=actor, root=world.root(), membership=invited)
    assert operations.make_invitation_link(actor=world.admin, root=world.root(), membership=invited)


def test_a_token_opens_its_own_workspace_only(world: World) -> None:
    for name, status in (("ours", 200), ("theirs", 404), ("nowhere", 404)):
        assert world.api.get("/api/v1/whoami", **{"X-Boathouse-Workspace": name}).status_code == status
        assert world.api.get(f"/w/{name}/").status_code == status


def test_every_list_pages(world: World) -> None:
    for index in range(5):
        a_folder(world.admin, f"f{index}")
    seen: list[str] = []
    token = ""
    while True:
        answer = world.api.get(f"/api/v1/resources?kind=folder&page_size=2&page_token={token}").json()
        seen += [item["path"] for item in answer["items"]]
        token = answer["next_token"]
        if token is None:
            break
    assert len(seen) == len(set(seen)) == Resource.objects.filter(kind="folder").count()
    for wrong in ("page_size=0", "page_size=x", "page_token=abc"):
        assert world.api.get(f"/api/v1/resources?{wrong}").status_code == 422


def session(world: World, **options: Any) -> Client:
    client = Client(**options)
    client.force_login(world.admin.user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_a_session_names_its_workspace_and_is_checked(world: World) -> None:
    client = session(world)
    assert client.get("/api/v1/whoami").status_code == 401
    for name, status in (("ours", 200), ("theirs", 200), ("nowhere", 404)):
        assert client.get("/api/v1/whoami", headers={"X-Boathouse-Workspace": name}).status_code == status
    ben = a_person(world, "ben@example.com")
    client.force_login(ben.user, backend="django.contrib.auth.backends.ModelBackend")
    absent = client.get("/api/v1/whoami", headers={"X-Boathouse-Workspace": "nowhere"})
    foreign = client.get("/api/v1/whoami", headers={"X-Boathouse-Workspace": "theirs"})
    assert (foreign.status_code, foreign.content) == (absent.status_code, absent.content) == (404, absent.content)


def test_a_session_writes_from_our_own_pages_only(world: World) -> None:
    client = session(world, enforce_csrf_checks=True)
    headers = {"X-Boathouse-Workspace": "ours"}
    body = json.dumps({"name": "forged"})
    answer = client.post(FOLDERS, body, content_type="application/json", headers=headers)
    assert answer.status_code == 403 and answer.json()["code"] == "csrf"
    assert not Resource.objects.filter(name="forged").exists()


def test_a_bad_token_is_not_made_good_by_a_session(world: World) -> None:
    client = session(world)
    for header in ("Bearer nope", "Bearer ", "Basic !!!", "Digest x", "Basic " + "QTpC"):
        answer = client.get("/api/v1/whoami", headers={"X-Boathouse-Workspace": "ours", "Authorization": header})
        assert answer.status_code == 401, header


def test_scopes_narrow_a_token(world: World) -> None:
    reader = an_api(world.admin, scopes=["read"])
    assert reader.get("/api/v1/resources").status_code == 200
    assert reader.post(FOLDERS, {"name": "no"}).status_code == 403
    assert reader.post("/api/v1/tokens", {"name": "wider"}).status_code in (403, 409)
    other = an_api(world.admin, scopes=["tables"])
    assert other.get("/api/v1/members").json()["code"] == "scope"
    assert other.get("/api/v1/whoami").status_code == 200
    assert Token.objects.filter(name="wider").count() == 0


def test_refusals_are_audited_after_the_fact(world: World) -> None:
    folder = a_folder(world.admin)
    ben = a_person(world, "ben@example.com")
    assert an_api(ben).post(f"/api/v1/resources/{folder.pk}/trash").status_code == 404
    entry = AuditEntry.objects.filter(outcome="refused").get()
    assert (entry.actor_label, entry.resource_id, entry.verb) == (
        "ben@example.com",
        folder.pk,
        f"POST /api/v1/resources/{folder.pk}/trash",
    )


def test_security_headers_and_foreign_hosts(world: World) -> None:
    answer = world.api.get("/api/v1/whoami")
    assert "script-src 'self'" in answer["Content-Security-Policy"] and answer["X-Content-Type-Options"] == "nosniff"
    assert Client(raise_request_exception=False).get("/livez", headers={"Host": "evil.example.com"}).status_code == 400
