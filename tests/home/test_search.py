"""The palette's search: the best match first, few letters suffice, nothing of what one may not know."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import RequestFactory

from apps.access.levels import Level
from apps.home import queries
from apps.home.ingest import note_visit
from apps.home.palette import PAGES, places, rank_of
from tests.builders import World, a_folder, a_person


@pytest.fixture
def find(world: World) -> Callable[[str], list[str]]:
    for name in ("delay", "delay-by-weather", "arrival_delay", "earlydelays", "Arrival %_x", "weather"):
        a_folder(world.admin, name)
    return lambda text: [thing.name for thing in queries.search(world.admin, text)]


def test_the_best_match_comes_first(find: Callable[[str], list[str]]) -> None:
    assert find("delay") == ["delay", "delay-by-weather", "arrival_delay", "earlydelays"]
    assert find("DELAY")[0] == "delay"
    assert find("ardl") == ["arrival_delay", "earlydelays"]
    assert find("weather delay") == ["delay-by-weather"]
    assert find("zzz") == []


@pytest.mark.parametrize("text", ["%", "_", "\\", "[", "(a", "a" * 5000, "\0", "a.*b", "'; --", "é" * 30])
def test_what_is_typed_is_text(find: Callable[[str], list[str]], text: str) -> None:
    assert all(text in name for name in find(text) if text != "\0")


def test_what_one_opened_lately_comes_before_its_equals(world: World) -> None:
    folders = [a_folder(world.admin, f"delay-{letter}") for letter in "abc"]
    note_visit(world.admin, folders[2])
    assert [thing.name for thing in queries.search(world.admin, "delay")] == ["delay-c", "delay-a", "delay-b"]


def test_narrowed_by_owner(world: World) -> None:
    folder = a_folder(world.admin, "delays")
    mia = a_person(world, "mia@example.com", level=Level.EDIT, on=folder)
    assert queries.search(world.admin, "delays", owner="mia") == []
    assert [thing.pk for thing in queries.search(mia, "delays", owner=str(world.admin.user.email)[:3])] == [folder.pk]


def test_every_page_of_the_palette_is_there(world: World) -> None:
    request = RequestFactory().get("/")
    request.actor = world.admin
    assert {label for label, _, _ in PAGES} < {place.label for place in places(request)}


def test_labels_rank_as_names_do() -> None:
    ranks = [rank_of("Audit log", text) for text in ("audit log", "aud", "log", "udi", "log audit", "adlg", "x")]
    assert ranks == [0, 1, 2, 3, 4, 5, None]
