"""The graph: up, down, paths, redaction, and what a person's doings do not mean."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apps.access.levels import Level
from apps.foundation.clock import now
from apps.foundation.errors import NotFound
from apps.lineage import queries
from apps.lineage.recorder import Node, observe_read, observe_write
from tests.builders import World, a_folder, a_person


def table(key: str, version: str = "0", resource: object = None) -> Node:
    return Node("table_version", key, version, f"main.a.{key}", resource)  # type: ignore[arg-type]


def around(world: World, kind: str, key: str, **options: int) -> dict[str, int]:
    graph = queries.around(world.admin, queries.find_node(world.admin, kind, key), **options)
    return {f"{node.kind} {node.key}": node.depth for node in graph.nodes}


def test_up_and_down_to_a_depth(world: World) -> None:
    observe_read(Node("job_run", "j"), table("raw"))
    observe_write(Node("job_run", "j"), Node("run", "r"))
    observe_write(Node("run", "r"), Node("logged_model", "m"))
    assert around(world, "run", "r") == {"table_version raw": -2, "job_run j": -1, "run r": 0, "logged_model m": 1}
    assert around(world, "run", "r", up=1, down=0) == {"job_run j": -1, "run r": 0}
    ends = [queries.find_node(world.admin, "table_version", "raw"), queries.find_node(world.admin, "logged_model", "m")]
    assert [node.kind for node in queries.path_between(world.admin, *ends).nodes] == [
        "table_version",
        "job_run",
        "run",
        "logged_model",
    ]
    assert queries.path_between(world.admin, *reversed(ends)).nodes == []


def test_what_somebody_read_did_not_make_what_they_wrote(world: World) -> None:
    ada = Node("person", "ada")
    observe_read(ada, table("salaries"))
    observe_write(ada, table("menu"))
    observe_read(Node("run", "r"), table("menu"))
    assert around(world, "run", "r") == {"person ada": -2, "table_version menu": -1, "run r": 0}
    ends = [queries.find_node(world.admin, "table_version", key) for key in ("salaries", "menu")]
    assert queries.path_between(world.admin, *ends).nodes == []


def test_a_cycle_ends_and_twice_is_once(world: World) -> None:
    for _ in range(2):
        observe_read(Node("job_run", "j"), table("t", "1"), rows=5)
        observe_write(Node("job_run", "j"), table("t", "1"))
    focus = queries.find_node(world.admin, "job_run", "j")
    assert len(queries.around(world.admin, focus).edges) == 2


def test_what_one_may_not_see_keeps_its_place_and_nothing_else(world: World) -> None:
    secret, plain = a_folder(world.admin, "secret"), a_folder(world.admin, "plain")
    observe_read(Node("run", "r", "", "a run", plain), table("t", "3", secret), rows=7)
    ben = a_person(world, "ben@example.com", level=Level.VIEW, on=plain)
    graph = queries.around(ben, queries.find_node(ben, "run", "r"))
    hidden = next(node for node in graph.nodes if node.redacted)
    assert (hidden.kind, hidden.key, hidden.name, hidden.version) == ("table_version", "", "", "")
    assert graph.edges[0][2] == {}
    with pytest.raises(NotFound):
        queries.find_node(ben, "table_version", "t", "3")


def test_a_person_stands_on_one_side_only(world: World) -> None:
    ada, endpoint = Node("person", "ada"), Node("endpoint", "e")
    observe_write(ada, table("flights"))
    observe_read(endpoint, table("flights"))
    observe_write(endpoint, table("payload"))
    observe_read(ada, table("payload"))
    graph = queries.around(world.admin, queries.find_node(world.admin, "endpoint", "e"))
    kinds = {node.id: f"{node.kind} {node.key}" for node in graph.nodes}
    assert sorted((kinds[source], kinds[target]) for source, target, _ in graph.edges) == [
        ("endpoint e", "table_version payload"),
        ("person ada", "table_version flights"),
        ("table_version flights", "endpoint e"),
    ]


def test_it_is_shown_as_of_a_day_and_one_step_further_where_asked(world: World) -> None:
    observe_read(Node("run", "r"), table("t"))
    observe_write(Node("job_run", "j"), table("t"))
    focus = queries.find_node(world.admin, "run", "r")
    graph = queries.around(world.admin, focus, up=1, down=0)
    edge = next(node for node in graph.nodes if node.kind == "table_version")
    assert graph.beyond == {edge.id: 1}
    opened = queries.around(world.admin, focus, up=1, down=0, opened=[edge.id, "nonsense"])
    assert [node.kind for node in opened.nodes] == ["job_run", "table_version", "run"] and not opened.beyond
    assert len(queries.around(world.admin, focus, until=now() - timedelta(days=1)).nodes) == 1
