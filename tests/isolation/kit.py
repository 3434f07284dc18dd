"""The isolation matrix: each endpoint is asked as a stranger, as the neighbour, and at each level, and must answer as it says.

A room's examples live in tests/isolation/examples/<room>.py as `EXAMPLES: list[Example]`. `setup(side)` runs inside that side's
scope for both workspaces and returns what the request needs (`thing`: the resource whose level decides, plus anything for the path).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from apps.access.levels import Level
from apps.access.models import Resource
from tests.builders import Side

Made = dict[str, Any]


@dataclass(frozen=True)
class Example:
    """One request to one route.

    route: the URL pattern's name (`resource-share`); method; path: made from what set-up returned; body likewise.
    needs: the level on `made["thing"]` that suffices, or None when any member may (`filtered`: and sees only their own).
    enough: the level from which the request is pointless and refused as invalid (asking for what one has).
    ok: the status with enough. below: what a member without a level gets (404 unless the answer is filtered instead).
    """

    route: str
    method: str
    path: Callable[[Made], str]
    needs: Level | None = None
    body: Callable[[Made], Any] | None = None
    ok: int = 200
    setup: Callable[[Side], Made] = field(default=lambda side: {})
    filtered: bool = False
    raw: bool = False  # the body is sent as bytes, not as JSON
    enough: Level | None = None
    headers: Callable[[Made], dict[str, str]] = field(default=lambda made: {})


def thing_of(made: Made) -> Resource:
    """The resource whose level decides about an example."""
    thing = made["thing"]
    return thing if isinstance(thing, Resource) else thing.resource
