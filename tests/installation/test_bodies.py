"""Bodies on their way to Django end where they are too long, whoever sends them, with or without a length."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from apps.mlflow_api import hot
from tests.builders import a_side
from workspace import bodies

PIECE = b"x" * (1 << 20)


def ask(
    path: str, pieces: int, *, announced: int | None = None, stops: bool = False, **headers: str
) -> tuple[int, int]:
    """The status, and how many pieces of a megabyte were taken."""
    from workspace.asgi import application

    taken, statuses, is_over = 0, [], False

    async def receive() -> dict[str, Any]:
        nonlocal taken, is_over
        if is_over or (stops and taken == pieces):
            await asyncio.Event().wait()
        if taken == pieces:
            is_over = True
            return {"type": "http.request", "body": b"", "more_body": False}
        taken += 1
        return {"type": "http.request", "body": PIECE, "more_body": True}

    async def send(message: dict[str, Any]) -> None:
        statuses.append(message.get("status"))

    told = {"host": "127.0.0.1", "content-type": "application/json", **headers}
    if announced is not None:
        told["content-length"] = str(announced)
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http", "path": path,
        "raw_path": path.encode(), "query_string": b"", "root_path": "", "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in told.items()],
    }  # fmt: skip
    asyncio.run(application(scope, receive, send))
    return statuses[0], taken


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(bodies, "MAX_BYTES", 2 << 20)
    return 2


@pytest.mark.parametrize(
    "path", ["/api/v1/members", "/api/2.0/mlflow/experiments/create", "/login", "/livez", "/nowhere"]
)
def test_a_body_ends(committed: None, small: int, path: str) -> None:
    assert ask(path, 50) == (413, small + 1)
    assert ask(path, 50, announced=50 << 20) == (413, 0)
    assert ask(path, small)[0] != 413


def test_a_body_that_does_not_come_ends(committed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "IDLE_SECONDS", 0.2)
    assert ask("/api/v1/members", 3, stops=True) == (408, 3)


def test_files_of_any_size_are_for_members(committed: None, small: int) -> None:
    side = a_side("ours", "ada@example.com")
    browser = Client()
    browser.force_login(side.admin.user, backend="django.contrib.auth.backends.ModelBackend")
    cookie = f"{settings.SESSION_COOKIE_NAME}={browser.cookies[settings.SESSION_COOKIE_NAME].value}"
    kind = {"content-type": "multipart/form-data; boundary=b"}
    assert ask("/w/ours/tables/upload", 5, **kind) == (413, small + 1)
    assert ask("/w/ours/tables/upload", 5, cookie=f"{settings.SESSION_COOKIE_NAME}=forged", **kind) == (413, small + 1)
    assert ask("/w/theirs/tables/upload", 5, cookie=cookie, **kind) == (413, small + 1)
    assert ask("/w/ours/tables", 5, cookie=cookie, **kind) == (413, small + 1)
    # Taken whole; refused only because the form carries no CSRF token.
    assert ask("/w/ours/tables/upload", 5, cookie=cookie, **kind) == (403, 5)


def test_the_hot_path_reads_little_for_strangers(committed: None) -> None:
    assert hot.SMALL_BODY < len(PIECE)
    path = "/api/2.0/mlflow/runs/log-batch"
    assert ask(path, 20, authorization="Bearer bh_wrong") == (401, 1)
    side = a_side("ours", "ada@example.com")
    assert ask(path, 20, authorization=f"Bearer {side.api.token}") == (400, 20)
