"""Stars and visits: one's own, cheap, and gone when the thing can no longer be seen."""

from __future__ import annotations

import datetime

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.access import operations as access
from apps.access.levels import Level
from apps.foundation.clock import now
from apps.home import operations, queries
from apps.home.ingest import MINUTES, note_visit
from apps.home.models import Visit
from tests.builders import World, a_folder, a_person


def test_a_star_stands_in_the_side_bar_of_one_person(world: World) -> None:
    folder = a_folder(world.admin, "delays")
    mia = a_person(world, "mia@example.com", level=Level.DISCOVER, on=folder)
    client = Client()
    client.force_login(mia.user)
    answer = client.post(f"/w/ours/stars/{folder.pk}", {"on": "true"}, headers={"HX-Request": "true"}).content.decode()
    assert 'aria-pressed="true"' in answer and 'hx-swap-oob="true"' in answer and "delays" in answer
    assert [star.resource.name for star in queries.list_stars(mia)] == ["delays"]
    assert not queries.list_stars(world.admin).exists()
    assert "Starred" in client.get("/w/ours/").content.decode()
    operations.star(actor=mia, resource=folder)
    assert queries.list_stars(mia).count() == 1
    client.post(f"/w/ours/stars/{folder.pk}", {"on": "false"})
    assert not queries.list_stars(mia).exists()


def test_what_one_may_no_longer_see_leaves_stars_and_recents(world: World) -> None:
    folder = a_folder(world.admin, "delays")
    mia = a_person(world, "mia@example.com", level=Level.VIEW, on=folder)
    operations.star(actor=mia, resource=folder)
    note_visit(mia, folder)
    assert queries.list_recents(mia).count() == 1
    access.unshare(actor=world.admin, resource=folder, grantee=mia.user)
    assert not queries.list_stars(mia).exists() and not queries.list_recents(mia).exists()


def test_a_visit_is_written_once_in_some_minutes(world: World) -> None:
    folder = a_folder(world.admin, "delays")
    note_visit(world.admin, folder)
    with CaptureQueriesContext(connection) as statements:
        first = Visit.objects.get().seen_at
        note_visit(world.admin, folder)
    assert Visit.objects.get().seen_at == first
    assert len(statements) == 2
    Visit.objects.update(seen_at=now() - datetime.timedelta(minutes=MINUTES + 1))
    note_visit(world.admin, folder)
    assert now() - Visit.objects.get().seen_at < datetime.timedelta(minutes=1)


def test_opening_a_page_is_a_visit(world: World) -> None:
    folder = a_folder(world.admin, "delays")
    client = Client()
    client.force_login(world.admin.user)
    client.get(f"/w/ours/folders/{folder.pk}")
    assert [visit.resource.name for visit in queries.list_recents(world.admin)] == ["delays"]
    front = client.get("/w/ours/").content.decode()
    assert front.count("delays") >= 1
