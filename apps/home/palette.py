"""What the palette offers besides things: the pages of the workspace, ranked with them by how well their names fit."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.http import HttpRequest

from apps.foundation.pages import navigation, page_url


@dataclass(frozen=True)
class Place:
    """A page that one can go to. `keys` are the letters that go there from anywhere."""

    label: str
    icon: str
    url: str
    keys: str = ""


# Pages without an entry of their own in the side bar: label, icon, route.
PAGES = (
    ("Members", "users", "admin:members"),
    ("Groups", "users", "admin:groups"),
    ("Service principals", "bot", "admin:principals"),
    ("Tokens", "key-round", "admin:tokens"),
    ("Audit log", "scroll-text", "admin:audit"),
    ("Folders", "folder", "access:top"),
    ("Trash", "trash-2", "access:trash"),
    ("Your account", "user-round", "access:account"),
)

# What one makes from anywhere: label, icon, route, and the dialog that opens there.
MAKES = (
    ("Upload table", "upload", "tables:upload", ""),
    ("New repo", "folder-git-2", "repos:list", "#newrepo"),
    ("New job", "chart-gantt", "jobs:new", ""),
    ("New experiment", "flask-conical", "experiments:list", "#newexp"),
    ("New model", "box", "models:list", "#newmodel"),
    ("New endpoint", "radio-tower", "deployments:list", "#newendpoint"),
    ("New folder", "folder-plus", "access:top", "#newfolder"),
    ("New token", "key-round", "admin:tokens", "#newtoken"),
)


def makes(request: HttpRequest) -> list[Place]:
    """What one can make, with the address where it begins."""
    return [Place(label, icon, page_url(request, route) + dialog) for label, icon, route, dialog in MAKES]


def places(request: HttpRequest) -> list[Place]:
    """Every page that one may go to by name."""
    sections = [
        Place(item.label, item.icon, page_url(request, item.url_name), f"g {item.key}" if item.key else "")
        for item in navigation()
    ]
    pages = [Place(label, icon, page_url(request, route)) for label, icon, route in PAGES]
    return [*sections, *pages, *makes(request)]


def fitting(found: list[Place], text: str) -> list[tuple[int, Place]]:
    """The places whose label fits, best first: (rank as in queries.search, place). All of them for no text."""
    ranked = [(rank, place) for place in found if (rank := rank_of(place.label, text)) is not None]
    return sorted(ranked, key=lambda pair: pair[0])


def rank_of(label: str, text: str) -> int | None:
    """How well a label fits what was typed: 0 is the very words, 5 its letters with others between, None not at all."""
    name, typed = label.lower(), text.lower().strip()
    if not typed or name == typed:
        return 0
    if name.startswith(typed):
        return 1
    if re.search(r"[^a-z0-9]" + re.escape(typed), name):
        return 2
    if typed in name:
        return 3
    if all(word in name for word in typed.split()):
        return 4
    return 5 if len(typed) > 3 and re.search(".*".join(map(re.escape, typed)), name) else None
