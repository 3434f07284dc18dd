"""A whole place for real runs: a sandbox daemon, our web program behind its door, and drivers as processes that can be killed."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from apps.access.scope import workspace_scope
from apps.foundation.errors import NotFound
from apps.jobs import queries
from apps.jobs.models import JobRun
from apps.sandbox.environments import Environment
from tests.builders import World, a_side
from tests.sandbox.conftest import Installation, _install

ROOT = Path(__file__).parents[2]
DRIVER = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "workspace.settings_test"
import django; django.setup()
from django.conf import settings
from apps.jobs import driver, tasks
from apps.sandbox import environments
workspace, run, sandbox, door, storage, python = sys.argv[1:]
settings.BOATHOUSE_SANDBOX_SOCKET, settings.BOATHOUSE_GUEST_SOCKET, settings.BOATHOUSE_STORAGE = sandbox, door, storage
environments.build = lambda home, wanted, progress: environments.Environment("test", "", python, "")
for task in (tasks.drive_training, tasks.sweep):
    task.delay = lambda *arguments: None
tasks.drive_training.run(workspace, run)
"""


@dataclass
class Place:
    """Where jobs really run."""

    world: World
    installation: Installation
    door: Path
    drivers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start_driver(self, run: JobRun) -> subprocess.Popen[bytes]:
        """A worker's step in a process of its own."""
        place = self.installation
        arguments = [
            run.workspace_id,
            run.pk,
            place.client.socket_path,
            self.door,
            place.folder / "allowed",
            place.python,
        ]
        process = subprocess.Popen(
            [sys.executable, "-c", DRIVER, *map(str, arguments)], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
        self.drivers.append(process)
        return process

    def state(self, run: JobRun) -> str:
        """The run's state now."""
        with self.scope():
            return JobRun.objects.get(pk=run.pk).state

    def log(self, run: JobRun) -> str:
        """The newest attempt's log."""
        with self.scope():
            try:
                return queries.read_log(queries.get_attempt(run)).content
            except NotFound:  # it has not begun
                return ""

    def scope(self) -> Any:
        """The workspace, open."""
        return workspace_scope(self.world.ours.workspace)

    def until(self, run: JobRun, *states: str, seconds: float = 40) -> str:
        """The state, once it is one of these."""
        end = time.monotonic() + seconds
        while (state := self.state(run)) not in states:
            assert time.monotonic() < end, f"still {state}:\n{self.log(run)}"
            time.sleep(0.05)
        return state

    def until_log(self, run: JobRun, text: str, seconds: float = 40) -> None:
        """Wait until the log has this text."""
        end = time.monotonic() + seconds
        while text not in self.log(run):
            assert time.monotonic() < end, f"no {text!r} in:\n{self.log(run)}"
            time.sleep(0.05)


@pytest.fixture(scope="module")
def daemon() -> Iterator[Installation]:
    """A sandbox daemon under this user."""
    yield from _install(None)


@pytest.fixture(scope="module")
def door(daemon: Installation) -> Iterator[Path]:
    """Our web program on a Unix socket, as guests reach it."""
    from workspace.asgi import application

    path = daemon.folder / "door.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    server = uvicorn.Server(uvicorn.Config(application, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield path
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def place(
    committed: None, drain: Any, daemon: Installation, door: Path, settings: Any, monkeypatch: Any
) -> Iterator[Place]:
    """Two workspaces, a daemon, a door."""
    settings.BOATHOUSE_STORAGE = daemon.folder / "allowed"
    settings.BOATHOUSE_SANDBOX_SOCKET, settings.BOATHOUSE_GUEST_SOCKET = daemon.client.socket_path, door
    monkeypatch.setattr("apps.sandbox.environments.build", lambda *_, **__: Environment("test", "", daemon.python, ""))
    made = Place(World(*(a_side(name, "ada@example.com") for name in ("ours", "theirs"))), daemon, door)
    yield made
    for process in made.drivers:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()
