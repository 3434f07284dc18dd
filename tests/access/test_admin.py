"""Admin's pages and one's own account: what they show, what they change, and to whom they open."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from apps.access import operations, queries, storage, usage
from apps.access.export import csv_line
from apps.access.levels import Level
from apps.access.models import SignInLink, StorageUse
from apps.access.policy import level_of
from apps.access.tasks import send_reset_link
from apps.foundation.clock import now
from apps.foundation.errors import Invalid
from tests.builders import World, a_folder, a_person, an_api


@pytest.fixture
def admin(world: World) -> Client:
    browser = Client()
    browser.force_login(world.admin.user)
    return browser


def test_audit_leaves_as_csv_without_formulas(world: World, admin: Client) -> None:
    operations.create_folder(actor=world.admin, parent=world.root(), name="=HYPERLINK(1)")
    answer = admin.get("/w/ours/admin/audit?f=action:access.create_folder&format=csv")
    assert answer["Content-Disposition"] == 'attachment; filename="audit.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert [row["object"] for row in rows] == ["/=HYPERLINK(1)"] and rows[0]["actor"] == "ada@example.com"
    assert "\n=" not in answer.content.decode() and ",=" not in answer.content.decode()


def test_access_as_it_was(world: World, admin: Client) -> None:
    folder = a_folder(world.admin)
    kofi = a_person(world, "kofi@example.com", level=Level.EDIT, on=folder)
    during = now()
    operations.unshare(actor=world.admin, resource=folder, grantee=kofi.user)
    held = queries.list_grants_as_of(world.admin, during, grantee="kofi@example.com")
    assert [Level(row.level) for row in held] == [Level.EDIT]
    assert not queries.list_grants_as_of(world.admin, now(), grantee="kofi@example.com").exists()
    page = admin.get("/w/ours/admin/as-of", {"at": during.isoformat(), "who": "kofi@example.com"})
    assert folder.path in page.text
    assert folder.path not in admin.get("/w/ours/admin/as-of", {"who": "kofi@example.com"}).text
    assert admin.get("/w/ours/admin/as-of?at=yesterday").status_code == 422


def test_storage_is_counted_by_resource(world: World, admin: Client, settings: Any, tmp_path: Path) -> None:
    settings.BOATHOUSE_STORAGE = str(tmp_path)
    folder = a_folder(world.admin)
    place = storage.location(folder, "deep", "down")
    place.mkdir(parents=True)
    (place / "file").write_bytes(b"x" * 10_000)
    (tmp_path / str(folder.workspace_id) / "folder" / "not-an-id").mkdir()
    assert usage.keep(list(usage.measure(folder.workspace_id))) == 1
    row = StorageUse.objects.get()
    page = admin.get("/w/ours/admin/usage").text
    assert row.files == 1 and row.bytes >= 10_000 and folder.path in page and "Workers, queues and guests" in page
    (place / "file").unlink()
    usage.keep(list(usage.measure(folder.workspace_id)))
    assert StorageUse.objects.get().files == 0


def test_what_everyone_may_do(world: World, admin: Client) -> None:
    folder, kofi = a_folder(world.admin), a_person(world, "kofi@example.com")
    assert admin.post("/w/ours/admin/workspace", {"level": "discover"}).status_code == 303
    assert level_of(kofi, folder) == Level.DISCOVER and queries.default_level() == Level.DISCOVER
    assert admin.post("/w/ours/admin/workspace", {"level": ""}).status_code == 303
    assert level_of(kofi, folder) is None
    with pytest.raises(Invalid):
        operations.set_default_level(actor=world.admin, root=world.root(), level=Level.EDIT)


def test_admin_sections_are_for_managers(world: World) -> None:
    kofi = a_person(world, "kofi@example.com")
    browser = Client(raise_request_exception=False)
    browser.force_login(kofi.user)
    for section in ("audit", "as-of", "usage", "workspace"):
        assert browser.get(f"/w/ours/admin/{section}").status_code in (403, 404), section


def test_own_name_and_browsers(world: World) -> None:
    kofi = a_person(world, "kofi@example.com")
    here, there = Client(), Client(headers={"User-Agent": "Mozilla/5.0 (X11; Linux) Firefox/140"})
    here.force_login(kofi.user)
    there.force_login(kofi.user)
    assert here.post("/w/ours/account", {"act": "name", "name": "Kofi  Mensah"}).status_code == 303
    assert an_api(kofi).get("/api/v1/whoami").json()["name"] == "Kofi Mensah"
    page = here.get("/w/ours/account").text
    number = page.split('name="number" value="')[1].split('"')[0]
    assert here.post("/w/ours/account", {"act": "end", "number": number}).status_code == 303
    assert there.get("/w/ours/").status_code == 302 and here.get("/w/ours/").status_code == 200


def test_forgotten_password(world: World, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    kofi = a_person(world, "kofi@example.com")
    browser, other = Client(), Client()
    other.force_login(kofi.user)
    known = browser.post("/login/forgotten", {"email": "kofi@example.com"})
    unknown = browser.post("/login/forgotten", {"email": "nobody@example.com"})
    assert known.status_code == unknown.status_code == 200
    assert known.text.replace("kofi@", "nobody@").split("csrf")[0] == unknown.text.split("csrf")[0]
    send_reset_link("nobody@example.com")
    assert mail.outbox == []
    send_reset_link("kofi@example.com")
    path = "/reset/" + mail.outbox[0].body.split("/reset/")[1].split()[0]
    assert browser.get(path.replace("/reset/", "/link/")).status_code == 404
    assert browser.post(path, {"password": "short"}).status_code == 422
    assert browser.post(path, {"password": "a-long-enough-phrase"}).status_code == 303
    assert browser.post(path, {"password": "another-long-phrase"}).status_code == 404
    assert other.get("/w/ours/").status_code == 302
    signed_in = browser.post("/login", {"email": "kofi@example.com", "password": "a-long-enough-phrase"})
    assert signed_in.status_code == 303
    send_reset_link("kofi@example.com")
    late = "/reset/" + mail.outbox[1].body.split("/reset/")[1].split()[0]
    SignInLink.objects.update(expires_at=now() - timedelta(hours=1))
    assert browser.post(late, {"password": "a-third-long-phrase"}).status_code == 404


@pytest.mark.parametrize(
    ("cell", "kept"), [("=1+1", "'=1+1"), ("@x", "'@x"), ("-2", "'-2"), (-2, "-2"), ("a-b", "a-b")]
)
def test_no_cell_of_a_csv_file_is_a_formula(cell: Any, kept: str) -> None:
    assert csv_line([cell]) == f"{kept}\r\n"
    assert csv_line([cell], keep_numbers=True) == ("-2" if cell == "-2" else kept) + "\r\n"
