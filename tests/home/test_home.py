"""The front page: steps of a fresh workspace, what changed, search among what one may know of."""

from __future__ import annotations

from django.test import Client

from apps.access.levels import Level
from apps.home.steps import walk
from tests.builders import World, a_folder, a_person


def test_steps_are_ticked_in_any_order() -> None:
    shown = walk({"repo", "folder"}, {"tables": "/t"}, url="http://x", workspace="w")
    assert [step.state for step in shown] == ["now", "done", "", "", ""]
    assert shown[0].url == "/t/upload" and "write_table" in shown[0].snippets["Python"] and not shown[1].snippets
    every = walk({"repo", "table", "job", "registered_model", "endpoint"}, {}, url="", workspace="w")
    assert {step.state for step in every} == {"done"}


def test_steps_can_be_hidden(world: World) -> None:
    client = Client()
    client.force_login(world.admin.user)
    assert "From a commit to a served model" in client.get("/w/ours/").content.decode()
    client.post("/w/ours/")
    assert "From a commit to a served model" not in client.get("/w/ours/").content.decode()


def test_search_finds_what_one_may_know_of(world: World) -> None:
    shown, hidden = a_folder(world.admin, "delay-shown"), a_folder(world.admin, "delay-hidden")
    mia = a_person(world, "mia@example.com", level=Level.DISCOVER, on=shown)
    client = Client()
    client.force_login(mia.user)
    found = client.get("/w/ours/search?q=delay").content.decode()
    assert str(shown.pk) in found and str(hidden.pk) not in found
    assert str(shown.pk) in client.get("/w/ours/search?q=delay+type:folder").content.decode()
    assert str(shown.pk) not in client.get("/w/ours/search?q=delay+type:repo").content.decode()
