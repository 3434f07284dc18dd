"""Every endpoint x stranger, revoked token, neighbour, each level. An endpoint without an example fails; the result is a snapshot."""

from __future__ import annotations

import json
import os
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, get_resolver

from apps.access import operations
from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.models import Token
from apps.access.resources import root_resource
from apps.access.scope import workspace_scope
from apps.access.workspaces import find_or_create_person
from tests.builders import Api, Side, World, an_api
from tests.isolation.kit import Example, Made, thing_of

ROOMS = [path.stem for path in (Path(__file__).parent / "examples").glob("*.py") if path.stem != "__init__"]
EXAMPLES: list[Example] = [
    example for room in sorted(ROOMS) for example in import_module(f"tests.isolation.examples.{room}").EXAMPLES
]
SNAPSHOT = Path(__file__).parent / "matrix.json"
STATEMENTS = Path(__file__).parent / "sql_statements.json"
_results: dict[str, dict[str, Any]] = {}
_statements: dict[str, int] = {}


def routes() -> set[tuple[str, str]]:
    """(route name, method) of every route of our API; pages and doors have walks of their own."""
    found = set()
    for prefix, pattern in _walk(get_resolver()):
        if not prefix.startswith("api/v1/"):
            continue
        actions = getattr(pattern.callback, "actions", None)
        for method in set(actions or ["get"]) - {"head"}:
            found.add((pattern.name or prefix, method.upper()))
    return found


def _walk(resolver: Any, prefix: str = "") -> list[tuple[str, URLPattern]]:
    found = []
    for item in resolver.url_patterns:
        place = prefix + str(item.pattern).lstrip("^")
        if isinstance(item, URLResolver):
            found += _walk(item, place)
        else:
            found.append((place, item))
    return found


def test_every_endpoint_has_an_example() -> None:
    shown = {(example.route, example.method) for example in EXAMPLES}
    assert sorted(routes() - shown) == [], "write an Example in tests/isolation/examples/<room>.py for each of these"
    assert sorted(shown - routes()) == [], "these examples name routes that do not exist"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example.method} {example.route}")
def test_endpoint_answers_as_it_says(world: World, example: Example) -> None:
    ours = example.setup(world.ours)
    with workspace_scope(world.theirs.workspace):
        theirs = example.setup(world.theirs)
        outsider = _member(world.theirs, "out@example.com")
    row: dict[str, Any] = {"needs": example.needs.word if example.needs else "member"}

    row["anonymous"] = _status(Api(""), example, ours)
    assert row["anonymous"] == 401
    member = _member(world.ours, "mia@example.com")
    revoked = an_api(member)
    Token.objects.filter(user=member.user).update(revoked_at="2020-01-01T00:00:00Z")
    assert _status(revoked, example, ours) == 401

    # The neighbour's admin, and a neighbour without any level, ask for ours: as absent, in every byte.
    with workspace_scope(world.theirs.workspace):
        strangers = [world.theirs.api, an_api(outsider)]
    absent = _answer(world.api, example, _nowhere(ours)) if _names_something(example, ours) else None
    for stranger in strangers:
        answer = _answer(stranger, example, ours)
        row["neighbour"] = answer.status_code
        if absent is not None:
            assert answer.status_code == absent.status_code in (404, 422), answer.content
            assert _plain(answer) == _plain(absent)
        else:
            _sees_only(answer, theirs, ours)

    if example.needs is None:
        answer = _answer(an_api(member), example, ours)
        row["member"] = answer.status_code
        if example.filtered:
            _sees_only(answer, {}, {"thing": ours.get("thing")} if "list" in example.route else {})
    else:
        for level in (None, *Level):
            row[level.word if level else "no level"] = _at_level(world, example, ours, member, level)
    answer = _answer(world.api, example, ours)
    row["admin"] = answer.status_code
    assert answer.status_code == (422 if example.enough else example.ok), answer.content
    if example.method == "GET":
        with CaptureQueriesContext(connection) as statements:
            _answer(world.api, example, ours)
        _statements[example.route] = len(statements)
    _results[f"{example.method} {example.route}"] = row


def _at_level(world: World, example: Example, made: Made, member: Actor, level: Level | None) -> int:
    # Each try is undone, so that every level meets the same things.
    with transaction.atomic():
        if level is not None:
            operations.share(actor=world.admin, resource=thing_of(made), grantee=member.user, level=level)
        answer = _answer(an_api(member), example, made)
        transaction.set_rollback(True)
    for value in made.values():
        if hasattr(value, "refresh_from_db"):
            value.refresh_from_db()
    if level is None:
        assert answer.status_code == 404, (level, answer.content)
    elif level < example.needs:
        assert answer.status_code in (403, 404), (level, answer.content)
    elif example.enough and level >= example.enough:
        assert answer.status_code == 422, (level, answer.content)
    else:
        assert answer.status_code == example.ok, (level, answer.content)
    return answer.status_code


def _member(side: Side, email: str) -> Actor:
    find_or_create_person(email)
    membership = operations.add_member(actor=side.admin, root=root_resource(), email=email)
    return Actor(user=membership.user, workspace=side.workspace)


def _answer(api: Api, example: Example, made: Made) -> Any:
    body = example.body(made) if example.body else None
    headers = example.headers(made)
    if example.raw and body is not None:
        sent = {"Authorization": f"Bearer {api.token}"} if api.token else {}
        return api.client.generic(example.method, example.path(made), data=body, headers={**sent, **headers})
    if example.method == "POST" and body is None:
        body = {}
    return api(example.method, example.path(made), body, **headers)


def _status(api: Api, example: Example, made: Made) -> int:
    return _answer(api, example, made).status_code


def _names_something(example: Example, made: Made) -> bool:
    return example.path(made) != example.path(_nowhere(made)) or (
        example.body is not None and "list" in example.route and example.body(made) != example.body(_nowhere(made))
    )


class _Nowhere:
    """Stands for a thing that never was."""

    pk = id = "00000000-0000-7000-8000-000000000000"
    name = path = "nowhere.at.all"

    def __getattr__(self, name: str) -> Any:
        return self if name in ("resource", "experiment", "job", "repo", "model", "table") else self.pk


def _nowhere(made: Made) -> Made:
    """The same request about things that do not exist."""
    return {name: _blank(value) for name, value in made.items()}


def _blank(value: Any) -> Any:
    if not isinstance(value, str):
        return _Nowhere()
    return value if value.isidentifier() and not value.isdecimal() else "9" * 8 if value.isdecimal() else _Nowhere.pk


def _plain(answer: Any) -> tuple[int, bytes, list[tuple[str, str]]]:
    headers = [(name, value) for name, value in sorted(answer.items()) if name not in ("X-Request-Id", "Date")]
    return answer.status_code, answer.content, headers


def _sees_only(answer: Any, own: Made, foreign: Made) -> None:
    """Nothing foreign in an answer that may be given to anybody."""
    text = answer.content.decode()
    for value in foreign.values():
        mark = str(getattr(value, "pk", value))
        if (
            value is not None
            and len(mark) > 30
            and mark not in [str(getattr(item, "pk", item)) for item in own.values()]
        ):
            assert mark not in text


def test_matrix_is_as_reviewed(request: pytest.FixtureRequest) -> None:
    """The whole matrix against its snapshot; `manage.py verify --update` rewrites it."""
    if len(_results) < len({f"{example.method} {example.route}" for example in EXAMPLES}):
        pytest.skip("only with the whole matrix")
    _check(SNAPSHOT, _results, "the isolation matrix")
    _check(STATEMENTS, _statements, "the number of SQL statements of an endpoint")


def _check(path: Path, found: dict[str, Any], what: str) -> None:
    text = json.dumps(dict(sorted(found.items())), indent=1) + "\n"
    if os.environ.get("BOATHOUSE_UPDATE_SNAPSHOTS"):
        path.write_text(text)
    assert path.exists() and text == path.read_text(), f"{what} changed: review it, then manage.py verify --update"
