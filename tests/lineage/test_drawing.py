"""What is drawn of a graph: many alike as one, kinds left out, the rest counted; and its page."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.test import Client

from apps.access.levels import Level
from apps.lineage import folding
from apps.lineage.outline import outline
from apps.lineage.pages import _download
from apps.lineage.queries import Graph, SeenNode
from apps.lineage.recorder import Node, observe_read, observe_write
from tests.builders import World, a_folder, a_person


def seen(name: str, kind: str = "run", depth: int = 1, version: str = "", redacted: bool = False) -> SeenNode:
    key = name.partition("@")[0]
    return SeenNode(name, kind, "" if redacted else key, version, "" if redacted else f"main.a.{key}", depth, redacted)


def graph(nodes: list[SeenNode], edges: list[tuple[str, str]]) -> Graph:
    return Graph("focus", [seen("focus", "endpoint", 0), *nodes], [(a, b, {}) for a, b in edges], False)


def test_versions_that_nobody_read_are_one_card_and_the_one_that_was_read_stays() -> None:
    versions = [seen(f"t@{n}", "table_version", version=str(n)) for n in range(1, 215)]
    edges = [("focus", f"t@{n}") for n in range(1, 215)]
    drawn = folding.draw(graph(versions, edges))
    assert [(card.label, card.sub) for card in drawn.cards] == [
        ("main.a.focus", "endpoint"),
        ("t", "versions 1 to 214"),
    ]
    read = folding.draw(graph([*versions, seen("r", depth=2)], [*edges, ("t@7", "r")]))
    assert sorted(card.sub for card in read.cards) == ["213 versions", "endpoint", "run", "v7"]
    assert len(read.edges) == 3


def test_many_siblings_are_one_card_and_few_are_not() -> None:
    few = folding.draw(graph([seen(f"r{n}") for n in range(12)], [("focus", f"r{n}") for n in range(12)]))
    many = folding.draw(graph([seen(f"r{n}") for n in range(13)], [("focus", f"r{n}") for n in range(13)]))
    assert (len(few.cards), len(many.cards), many.cards[1].label) == (13, 2, "13 runs")


def test_a_kind_that_is_left_out_is_bridged() -> None:
    nodes = [seen("t", "table_version", -2), seen("j", "job_run", -1)]
    drawn = folding.draw(graph(nodes, [("t", "j"), ("j", "focus")]), without=["job_run"])
    assert list(drawn.edges) == [("t", "focus")]


def test_what_may_not_be_seen_is_counted_and_what_finds_no_room_too() -> None:
    nodes = [seen(f"h{n}", redacted=True) for n in range(3)] + [seen("x", "commit"), seen("y", "job_run")]
    drawn = folding.draw(graph(nodes, [("focus", node.id) for node in nodes]), cards_max=3)
    assert (drawn.redacted, drawn.left_out, drawn.cards[0].more) == (3, 1, 1)
    assert drawn.cards[1].label == "3 you may not see" and not drawn.cards[1].node.key


def test_the_list_opens_a_card_once() -> None:
    nodes = [seen("a", depth=1), seen("b", depth=1), seen("c", "commit", 2), seen("d", "job_run", 3)]
    rows = outline(
        "focus",
        folding.draw(graph(nodes, [("focus", "a"), ("focus", "b"), ("a", "c"), ("b", "c"), ("c", "d")])),
        "down",
    )
    assert [(row.card.node.id, row.depth, row.again) for row in rows] == [
        ("a", 0, False), ("c", 1, False), ("d", 2, False), ("b", 0, False), ("c", 1, True),
    ]  # fmt: skip


def test_the_page_shows_graph_and_list_and_names_nothing_hidden(world: World) -> None:
    secret, plain = a_folder(world.admin, "secret"), a_folder(world.admin, "plain")
    run = Node("run", "r", "", "quiet-heron-398", plain)
    observe_read(run, Node("table_version", "t", "3", "main.a.salaries", secret), rows=7)
    observe_write(run, Node("logged_model", "m", "", "a model", plain))
    ben = a_person(world, "ben@example.com", level=Level.VIEW, on=plain)
    browser = Client(raise_request_exception=False)
    browser.force_login(ben.user)
    place = "/w/ours/lineage?kind=run&id=r"
    for view in ("graph", "list"):
        shown = browser.get(f"{place}&view={view}").content.decode()
        assert "quiet-heron-398" in shown and "a model" in shown and "1 object you may not see" in shown
        assert "salaries" not in shown and ("bh-lineage" in shown) is (view == "graph")
    sheet = browser.get(f"{place}&download=csv").content.decode()
    assert "salaries" not in sheet and "logged_model" in sheet
    assert browser.get("/w/ours/lineage?kind=table_version&id=t").status_code == 404
    assert browser.get(f"{place}&until=tomorrow").status_code in (400, 422)
    side = browser.get(
        f"{place}&at=nothing", headers={"HX-Request": "true", "HX-Target": "aside#gside"}
    ).content.decode()
    assert "<h1>" not in side and "Would break" in side


@pytest.mark.parametrize("cell", ["=1+1", "@x", "-2"])
def test_no_cell_of_the_sheet_is_a_formula(cell: str) -> None:
    node = SimpleNamespace(kind="run", name=cell, version="", created_at=None)
    row = SimpleNamespace(card=SimpleNamespace(node=node, members=[node], versions=""), again=False, depth=0, facts={})
    sheet = _download([{"direction": "up", "rows": [row]}], node).content.decode()
    assert f",'{cell}," in sheet and f",{cell}," not in sheet
