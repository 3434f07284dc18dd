"""Examples of lineage."""

from __future__ import annotations

from urllib.parse import urlencode

from apps.access.levels import Level
from apps.lineage.recorder import Node, observe_read
from tests.builders import Side, a_folder
from tests.isolation.kit import Example, Made


def read(side: Side) -> Made:
    thing = a_folder(side.admin, "plans")
    table = Node("table_version", str(thing.pk), "3", "main.a.b", thing)
    observe_read(Node("run", str(thing.pk), "", "a run", thing), table)
    return {"thing": thing}


def around(made: Made) -> str:
    return "/api/v1/lineage-graph?" + urlencode({"kind": "table_version", "id": made["thing"].pk, "version": "3"})


def path(made: Made) -> str:
    key = made["thing"].pk
    return "/api/v1/lineage-graph/path?" + urlencode(
        {"from_kind": "table_version", "from_id": key, "to_kind": "run", "to_id": key}
    )


EXAMPLES = [
    Example("lineage-graph-list", "GET", around, needs=Level.DISCOVER, setup=read),
    Example("lineage-graph-path", "GET", path, needs=Level.DISCOVER, setup=read),
]
