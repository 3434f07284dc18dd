"""Every page x stranger and neighbour: a stranger is sent to sign in, a neighbour is told that nothing is there."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import get_resolver

from apps.access import operations
from apps.access.resources import root_resource
from apps.access.scope import workspace_scope
from tests.builders import World
from tests.isolation.test_matrix import _walk

NOWHERE = {
    "uuid": "00000000-0000-7000-8000-000000000000",
    "int": "99999999",
    "slug": "nowhere",
    "str": "nowhere",
    "path": "nowhere/at/all",
}


def addresses() -> list[str]:
    """The address of every page below a workspace, about things that never were."""
    found = []
    for prefix, pattern in _walk(get_resolver()):
        if not prefix.startswith("w/<slug:workspace>/"):
            continue
        path = prefix.removeprefix("w/<slug:workspace>/")
        for name, converter in pattern.pattern.converters.items():
            kind = type(converter).__name__.removesuffix("Converter").lower().replace("string", "str")
            path = path.replace(f"<{kind}:{name}>", NOWHERE.get(kind, "nowhere")).replace(f"<{name}>", "nowhere")
        for prefix_part in ("uuid", "int", "slug", "str", "path"):
            while f"<{prefix_part}:" in path:
                start = path.index(f"<{prefix_part}:")
                path = path[:start] + NOWHERE[prefix_part] + path[path.index(">", start) + 1 :]
        found.append(path)
    return sorted(set(found))


@pytest.mark.parametrize("path", addresses())
def test_page_is_for_members(world: World, path: str) -> None:
    address = f"/w/ours/{path}"
    stranger = Client(raise_request_exception=False).get(address)
    assert stranger.status_code in (302, 405), stranger.status_code
    assert stranger.status_code == 405 or stranger.headers["Location"].startswith("/login")
    with workspace_scope(world.theirs.workspace):
        outsider = operations.add_member(actor=world.theirs.admin, root=root_resource(), email="out@example.com").user
    neighbour = Client(raise_request_exception=False)
    neighbour.force_login(outsider)
    for method in ("get", "post"):
        answer: Any = getattr(neighbour, method)(address)
        assert answer.status_code == 404, (method, answer.status_code)
