"""What the team says to each other about the things of the story, and who watches what."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from teller import Api, StoryFailed

# Noun: (kind, name), place in it, then who says what; the first line begins the thread, the others answer.
Line = tuple[str, str]


def threads(model: str, version: int, table: str, job: str) -> list[tuple[str, str, str, list[Line]]]:
    """Kind and name of the thing, the place in it, and what is said there."""
    return [
        (
            "table",
            table,
            "column:dep_time",
            [
                ("priya", "`dep_time` 2400 exists 29 times, is that midnight of the next day? @tomasz"),
                ("tomasz", "Yes. Use `time_hour` for joins, it is UTC and never wraps."),
            ],
        ),
        (
            "registered_model",
            model,
            f"version:{version}",
            [
                (
                    "priya",
                    "Best of the three on the months that it has not seen. @ada shall it stay in **Production**?",
                ),
                ("ada", "Yes. The endpoint follows the stage, so we can go back in one click."),
            ],
        ),
        (
            "registered_model",
            model,
            "",
            [
                (
                    "tomasz",
                    "Cancelled flights have no `arr_delay`; they are left out of training, and should be of the board.",
                )
            ],
        ),
        ("job", job, "", [("tomasz", "Is the time limit meant to be that long? The runs take far less.")]),
    ]


def say(people: dict[str, Api], ids: dict[str, str], wanted: list[tuple[str, str, str, list[Line]]]) -> int:
    """Begin the threads that are not there yet; how many were begun. `people` speak, `ids` are their accounts."""
    ada, begun = people["ada"], 0
    for kind, named, place, lines in wanted:
        thing: Any = ada.find("/resources", named, kind=kind)
        if thing is None:
            raise StoryFailed(f"there is no {kind} called {named}")
        if kind != "job":  # that lies in the folder of the team
            for name in ("priya", "tomasz"):
                ada.share(thing["id"], "comment", user_id=ids[name])
        if ada.get(f"/threads?path={quote(place)}", resource_id=thing["id"], state="all")["items"]:
            continue
        (who, text), *answers = lines
        first = people[who].post("/threads", {"resource_id": thing["id"], "path": place, "text": text})
        for who, text in answers:
            people[who].post(f"/threads/{first['thread_id']}/reply", {"text": text})
        ada.post(f"/comments/{first['id']}/react", {"name": "thumbs_up"})
        people["tomasz"].post("/watches", {"resource_id": thing["id"]})
        begun += 1
    return begun
