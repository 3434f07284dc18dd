"""What every test stands on: a migrated database, used as role `app`, and a world of two workspaces with the same names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, connections

from tests import live
from tests.builders import World, a_world


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: Any) -> None:
    """Migrate as owner, once; everything after runs as `app`, or row-level security would not be tested."""
    with django_db_blocker.unblock():
        call_command("migrate", database="owner", verbosity=0)
        connections["owner"].close()


@pytest.fixture
def world(db: None) -> Iterator[World]:
    """Two workspaces with the same names; the scope of `ours` is open."""
    with a_world() as world:
        yield world


@pytest.fixture
def committed(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """A database whose commits are real, for tests with several connections or processes; emptied afterwards."""
    with django_db_blocker.unblock():
        yield
        connection.close()
        _empty()


def _empty() -> None:
    with connections["owner"].cursor() as cursor:
        kept = "('django_migrations', 'django_content_type', 'auth_permission')"
        cursor.execute(
            f"select string_agg(quote_ident(tablename), ',') from pg_tables where schemaname = 'public' and tablename not in {kept}"
        )
        cursor.execute(f"truncate {cursor.fetchone()[0]} restart identity cascade")
    connections["owner"].close()


@pytest.fixture(scope="session")
def installation() -> Iterator[live.Installation]:
    """A whole installation, started by `manage.py up` and shared: every test makes workspaces of its own in it."""
    running = live.start()
    yield running
    live.end(running)


@pytest.fixture
def drain(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Queued tasks collect here; `drain()` runs them in order and says how many ran."""
    from celery.app.task import Task

    waiting: list[tuple[Any, tuple[Any, ...], dict[str, Any]]] = []
    monkeypatch.setattr(Task, "delay", lambda self, *args, **kwargs: waiting.append((self, args, kwargs)))
    monkeypatch.setattr(
        Task, "apply_async", lambda self, args=(), kwargs=None, **_: waiting.append((self, tuple(args), kwargs or {}))
    )

    def run(limit: int = 100) -> int:
        count = 0
        while waiting and count < limit:
            task, args, kwargs = waiting.pop(0)
            task.run(*args, **kwargs)
            count += 1
        return count

    return run
