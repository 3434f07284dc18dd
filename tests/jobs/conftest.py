"""A whole place for real runs: a sandbox daemon, our web program behind its door, and drivers as processes that can be killed."""

from __future__ import annotations

import contextlib
import os
import signal
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
from apps.jobs import logs, queries
from apps.jobs.models import JobRun
from tests.builders import World, a_side
from tests.sandbox.conftest import Installation, _install

ROOT = Path(__file__).parents[2]
# A worker that has loaded everything and has no connection yet; each line on its input is a step in a child of its own.
WORKERS = """
import os, signal, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "workspace.settings_test"
import django; django.setup()
from django.conf import settings
from apps.jobs import driver, tasks
from apps.sandbox import environments
sandbox, door, storage, python = sys.argv[1:]
settings.BOATHOUSE_SANDBOX_SOCKET, settings.BOATHOUSE_GUEST_SOCKET, settings.BOATHOUSE_STORAGE = sandbox, door, storage
environments.build = lambda home, wanted, progress: environments.Environment("test", "", python, "")
driver.LEASE_SECONDS = 5
for task in (tasks.drive_training, tasks.sweep):
    task.delay = lambda *arguments: None
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        try:
            tasks.drive_training.run(*line.split())
        finally:
            os._exit(0)
    print(pid, flush=True)
"""


@dataclass(frozen=True)
class Driver:
    """One step of a worker, in a process of its own."""

    pid: int

    def kill(self) -> None:
        """Kill it without a word."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def wait(self, seconds: float = 60) -> None:
        """Wait for its end."""
        end = time.monotonic() + seconds
        while Path(f"/proc/{self.pid}").exists():
            assert time.monotonic() < end, "the driver does not end"
            time.sleep(0.02)


@dataclass
class Place:
    """Where jobs really run."""

    world: World
    installation: Installation
    door: Path
    workers: subprocess.Popen[str]
    drivers: list[Driver] = field(default_factory=list)

    def start_driver(self, run: JobRun) -> Driver:
        """Have a worker do a step for this run."""
        assert self.workers.stdin and self.workers.stdout
        self.workers.stdin.write(f"{run.workspace_id} {run.pk}\n")
        self.workers.stdin.flush()
        self.drivers.append(Driver(int(self.workers.stdout.readline())))
        return self.drivers[-1]

    def state(self, run: JobRun) -> str:
        """The run's state now."""
        with self.scope():
            return JobRun.objects.get(pk=run.pk).state

    def log(self, run: JobRun) -> str:
        """The newest attempt's log."""
        with self.scope():
            try:
                return logs.read_log(queries.get_attempt(run)).content
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


@pytest.fixture(scope="module")
def workers(daemon: Installation, door: Path) -> Iterator[subprocess.Popen[str]]:
    """Workers that wait for word."""
    arguments = [daemon.client.socket_path, door, daemon.folder / "allowed", daemon.python]
    process = subprocess.Popen(
        [sys.executable, "-c", WORKERS, *map(str, arguments)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    yield process
    process.communicate(timeout=20)


@pytest.fixture
def place(
    committed: None, drain: Any, daemon: Installation, door: Path, workers: Any, settings: Any, monkeypatch: Any
) -> Iterator[Place]:
    """Two workspaces, a daemon, a door, workers."""
    settings.BOATHOUSE_STORAGE = daemon.folder / "allowed"
    made = Place(World(*(a_side(name, "ada@example.com") for name in ("ours", "theirs"))), daemon, door, workers)
    yield made
    for driver in made.drivers:
        driver.kill()
        driver.wait()
