"""Examples of home: stars and recents are one's own."""

from __future__ import annotations

from apps.access.levels import Level
from apps.home import operations
from apps.home.ingest import note_visit
from tests.builders import Side, a_folder
from tests.isolation.kit import Example, Made

V1 = "/api/v1"


def folder(side: Side) -> Made:
    return {"thing": a_folder(side.admin, "plans")}


def starred(side: Side) -> Made:
    made = folder(side)
    operations.star(actor=side.admin, resource=made["thing"])
    return made


def visited(side: Side) -> Made:
    made = folder(side)
    note_visit(side.admin, made["thing"])
    return made


EXAMPLES = [
    Example("star-list", "GET", lambda made: f"{V1}/stars", setup=starred, filtered=True),
    Example(
        "star-list", "POST", lambda made: f"{V1}/stars", needs=Level.DISCOVER, ok=201, setup=folder,
        body=lambda made: {"resource_id": str(made["thing"].pk)},
    ),
    Example(
        "star-detail", "DELETE", lambda made: f"{V1}/stars/{made['thing'].pk}", needs=Level.DISCOVER, ok=204, setup=starred
    ),
    Example("recent-list", "GET", lambda made: f"{V1}/recents", setup=visited, filtered=True),
]  # fmt: skip
