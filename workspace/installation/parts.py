"""The parts of an installation: what is started, in which order, how it is known to be ready, how it is ended."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from workspace.env import CHECKOUT, Env
from workspace.installation.home import Home
from workspace.installation.listeners import Held
from workspace.installation.postgres import EmbeddedPostgres
from workspace.installation.processes import Command
from workspace.installation.redis import EmbeddedRedis


@dataclass(frozen=True)
class Part:
    """One process of the installation. Parts start in the order of `phase` and end in the reverse."""

    name: str
    phase: int
    command: Callable[[], Command]
    # Asked until it says yes; without it, the process itself says so (notify.py).
    is_ready: Callable[[], bool] | None = None
    when_ready: Callable[[], None] | None = None
    runs_once: bool = False
    start_seconds: float = 120  # on a busy machine the imports alone take half of it
    stop_seconds: float = 15
    # Ended when it has been silent for so long; for processes that tell that they are alive.
    silence_seconds: float = field(default=float("inf"))

    def log(self, home: Home) -> Path:
        return home.logs / f"{self.name}.log"


ENGINES, MIGRATION, GUESTS, WORK, DOORS = range(5)


def parts_of(env: Env, held: Held) -> list[Part]:
    """Every part of this installation. What the environment points elsewhere is not among them."""
    return [*_engines(env), _migration(env), _sandbox(env), *_workers(env), *_web(env, held)]


def _engines(env: Env) -> list[Part]:
    engines = []
    if not env.is_given("DATABASE_URL"):
        postgres = EmbeddedPostgres(env.place)
        engines.append(Part("postgres", ENGINES, postgres.prepare, postgres.is_ready, postgres.set_up, stop_seconds=30))
    if not env.is_given("REDIS_URL"):
        redis = EmbeddedRedis(env.place)
        engines.append(Part("redis", ENGINES, redis.prepare, redis.is_ready))
    return engines


def _migration(env: Env) -> Part:
    def command() -> Command:
        if env.is_given("DATABASE_URL") and not env.is_given("DATABASE_OWNER_URL"):
            return _python(env, "workspace.installation.migration", "--check")
        return _python(env, "workspace.installation.migration", owner=True)

    return Part("migrate", MIGRATION, command, runs_once=True, start_seconds=600)


def _sandbox(env: Env) -> Part:
    socket_path = env.place.sandbox_socket
    allowed = [] if isinstance(env.storage, str) else [f"--allow={env.storage}"]

    def command() -> Command:
        arguments = [f"--home={env.home}", f"--socket={socket_path}", *allowed]
        # A polite end stops the guests; when the supervisor dies they shall go on and be found by the next daemon.
        return replace(_python(env, "apps.sandbox.daemon", *arguments), death_signal=signal.SIGKILL)

    return Part("sandboxd", GUESTS, command, lambda: _accepts(socket_path), stop_seconds=20)


def _workers(env: Env) -> list[Part]:
    def worker(name: str, queues: str, *options: str) -> Part:
        argv = ["-A", "workspace.celery", "worker", "-n", f"{name}@%h", "-Q", queues, "-l", "INFO", *options]
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        return Part(name, WORK, lambda: _python(env, "celery", *argv, *quiet), stop_seconds=10)

    count = str(env.workers)
    # Attempts are watched for up to a minute at a time: many, and mostly waiting, so in threads, apart from the short work.
    return [
        worker("worker-1", "control,git,sql", "-c", count),
        worker("worker-2", "score,train", "-P", "threads", "-c", str(8 * env.workers)),
        Part(
            "beat", WORK, lambda: _python(env, "celery", "-A", "workspace.celery", "beat", "-l", "INFO", "--pidfile=")
        ),
    ]


def _web(env: Env, held: Held) -> list[Part]:
    fds = (held.web, held.content, held.guest)

    def command() -> Command:
        return _python(env, "workspace.installation.web", *map(str, fds), fds=fds)

    return [Part(f"web-{number}", DOORS, command, silence_seconds=60) for number in range(1, env.web_processes + 1)]


def _python(env: Env, module: str, *arguments: str, fds: tuple[int, ...] = (), owner: bool = False) -> Command:
    environment = env.for_process(
        BOATHOUSE_HOME=str(env.home),
        DJANGO_SETTINGS_MODULE="workspace.settings",
        NOTIFY_SOCKET=str(env.place.runtime / "notify.sock"),
        PYTHONUNBUFFERED="1",
        # Threads would each get an arena of their own and the memory would not come back.
        MALLOC_ARENA_MAX="2",
    )
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    if not owner:
        environment.pop("DATABASE_OWNER_URL", None)
    return Command([sys.executable, "-m", module, *arguments], CHECKOUT, environment, inherited_fds=fds)


def _accepts(path: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as channel:
            channel.settimeout(2)
            channel.connect(str(path))
            return True
    except OSError:
        return False
