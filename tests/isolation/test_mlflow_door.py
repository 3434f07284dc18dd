"""Every route of the MLflow door, under both prefixes, as stranger, neighbour, member without a level, too low, and enough."""

from __future__ import annotations

import json
import re
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.db import transaction

from apps.access import operations
from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.models import Token
from apps.access.scope import workspace_scope
from apps.mlflow_api.routes import ROUTES
from tests.builders import Api, World, a_person, an_api
from tests.isolation.mlflow.kit import NOWHERE, DoorExample, Things, things

MODULES = [
    import_module(f"tests.isolation.mlflow.{path.stem}")
    for path in sorted((Path(__file__).parent / "mlflow").glob("*.py"))
    if path.stem not in ("__init__", "kit")
]
EXAMPLES: list[DoorExample] = [example for module in MODULES for example in module.EXAMPLES]
ELSEWHERE: set[tuple[str, str]] = {row for module in MODULES for row in getattr(module, "ELSEWHERE", ())}
PREFIXES = {(route.method, route.path): route.prefixes for route in ROUTES}


def test_every_route_has_an_example() -> None:
    shown = {(example.method, example.path) for example in EXAMPLES}
    known = {(route.method, route.path) for route in ROUTES if not route.is_open}
    assert sorted(known - shown - ELSEWHERE) == [], "write a DoorExample in tests/isolation/mlflow/ for each of these"
    assert sorted((shown | ELSEWHERE) - known) == [], "these examples name routes that do not exist"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example.method} {example.path}")
def test_route_answers_as_it_says(world: World, example: DoorExample) -> None:
    ours = things(world.ours)
    if example.before:
        example.before(world.admin, ours)
    with workspace_scope(world.theirs.workspace):
        theirs = things(world.theirs)
        stranger = world.theirs.api
    mia = a_person(world, "mia@example.com")
    revoked = an_api(mia)
    Token.objects.filter(user=mia.user).update(revoked_at="2020-01-01T00:00:00Z")
    for prefix in PREFIXES[example.method, example.path]:
        for nobody in (Api(""), Api("bh_wrong"), revoked):
            assert ask(nobody, prefix, example, ours).status_code == 401
        with undone():
            owner = ask(world.api, prefix, example, ours)
            assert owner.status_code == 200, owner.content
        for other in (stranger, an_api(mia)):
            with undone():
                answer = ask(other, prefix, example, ours)
            if example.needs is None:
                assert answer.status_code == 200, answer.content
                assert not [mark for mark in ours.marks if mark.encode() in answer.content]
            else:
                with undone():
                    absent = ask(other, prefix, example, NOWHERE)
                assert (answer.status_code, said(answer, ours)) == (absent.status_code, said(absent, NOWHERE))
                assert answer.status_code in (400, 404) or json.loads(answer.content) == {}
                assert json.loads(answer.content).get("error_code") != "ENDPOINT_NOT_FOUND"
        if example.needs is not None:
            check_levels(world, prefix, example, ours, mia)
    assert theirs.name != ours.name


def check_levels(world: World, prefix: str, example: DoorExample, ours: Things, mia: Actor) -> None:
    for level in Level:
        with undone():
            operations.share(actor=world.admin, resource=ours.resources[example.on], grantee=mia.user, level=level)
            answer = ask(an_api(mia), prefix, example, ours)
            if level >= example.needs:  # type: ignore[operator]
                assert answer.status_code == 200, (level, answer.content)
            else:
                assert answer.status_code in (403, 404), (level, answer.content)
                assert json.loads(answer.content)["error_code"] in ("PERMISSION_DENIED", "RESOURCE_DOES_NOT_EXIST")


def ask(api: Api, prefix: str, example: DoorExample, about: Things) -> Any:
    fields = dict(example.fields(about))
    path = re.sub(r"<\w+:(\w+)>", lambda match: quote(fields.pop(match[1])), f"/{prefix}/{example.path}")
    if example.method == "GET":
        return api("GET", f"{path}?{urlencode(fields, doseq=True)}")
    return api(example.method, path, fields)


def said(answer: Any, about: Things) -> str:
    """The body, with the words of what was asked about taken out."""
    text: str = answer.content.decode()
    for mark in sorted(about.marks, key=len, reverse=True):
        text = text.replace(mark, "…")
    return text


class undone:
    """What is done inside is taken back, so that each asker meets the same things."""

    def __enter__(self) -> None:
        self.atomic = transaction.atomic()
        self.atomic.__enter__()

    def __exit__(self, *failure: Any) -> None:
        transaction.set_rollback(True)
        self.atomic.__exit__(*failure)
