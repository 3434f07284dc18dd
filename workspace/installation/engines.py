"""Database and queue together, in a home of their own: what tests and tools bring up in a second."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from workspace.installation.home import Home
from workspace.installation.postgres import EmbeddedPostgres
from workspace.installation.redis import EmbeddedRedis


@dataclass(frozen=True)
class Engines:
    """A running database and queue with the home that they live in."""

    home: Home
    postgres: EmbeddedPostgres
    redis: EmbeddedRedis


@contextmanager
def temporary_engines() -> Iterator[Engines]:
    """Both engines, empty and not crash-safe, in a home that is gone afterwards."""
    with ExitStack() as stack:
        home = Home(Path(tempfile.mkdtemp(prefix="boathouse-")))
        stack.callback(shutil.rmtree, home.path, ignore_errors=True)
        stack.callback(shutil.rmtree, home.runtime, ignore_errors=True)
        redis = EmbeddedRedis(home)
        stack.callback(redis.stop)
        redis.start()
        postgres = EmbeddedPostgres(home, durable=False)
        stack.callback(postgres.stop)
        postgres.start()
        yield Engines(home, postgres, redis)
