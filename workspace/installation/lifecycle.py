"""Up and down: begin an installation and wait until it is healthy; end it and leave nothing running."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from workspace.env import CHECKOUT, Env
from workspace.installation import external, logs, records, status
from workspace.installation.home import Home, InstallationError
from workspace.installation.leftovers import end_guests, end_leftovers
from workspace.installation.records import InstallationRecord, ProcessRecord

_PATIENCE_SECONDS = 240
_END_SECONDS = 120
# A part that has failed so often while starting will not come by waiting.
_FAILURES = 3


def up(env: Env, say: Callable[[str], None]) -> InstallationRecord:
    """Begin the installation unless it runs; return once every part is ready and web answers. Raises InstallationError."""
    env.place.prepare()
    external.check(env)
    with _one_at_a_time(env.place):
        begun = None if _runs(env.place) else _begin(env)
        if begun is None:
            _require_same_address(env)
        try:
            return _wait_until_healthy(env, begun, say)
        except InstallationError:
            if begun is not None:
                _end(env.place)
            raise


def down(env: Env) -> bool:
    """End everything that runs here; whether anything did."""
    if not env.home.exists():
        return False
    with _one_at_a_time(env.place.prepare()):
        return _end(env.place)


@contextmanager
def _one_at_a_time(home: Home) -> Iterator[None]:
    with open(home.run / "command.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _runs(home: Home) -> bool:
    supervisor = records.read(home).find("supervisor")
    return records.read_keeper(home) is not None or (supervisor is not None and supervisor.is_running)


def _require_same_address(env: Env) -> None:
    running = records.read(env.place)
    if (running.host, running.port) != (env.host, env.port):
        raise InstallationError(
            f"it runs already, at {running.host}:{running.port}; to move it to {env.host}:{env.port}, "
            "end it first (manage.py down), or set BOATHOUSE_HOST and BOATHOUSE_PORT as they were"
        )


def _begin(env: Env) -> subprocess.Popen[bytes]:
    with open(env.place.logs / "supervisor.log", "ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "workspace.installation.keeper"],
            cwd=CHECKOUT,
            env=env.for_process(BOATHOUSE_HOME=str(env.home)),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _wait_until_healthy(
    env: Env, begun: subprocess.Popen[bytes] | None, say: Callable[[str], None]
) -> InstallationRecord:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    told: set[str] = set()
    while True:
        if begun is not None and begun.poll() is not None:
            end = logs.end_of(env.place.logs / "supervisor.log", 1 if begun.returncode == 1 else 15)
            raise InstallationError("\n".join(end))
        record = records.read(env.place)
        for entry in record.processes:
            if entry.state in {"running", "done"} and entry.name not in told:
                told.add(entry.name)
                say(f"  {entry.name:<11} ready")
        failed = next((entry for entry in record.processes if _is_hopeless(entry)), None)
        if failed is not None:
            raise InstallationError(_story(env.place, failed, f"{failed.name} does not start: {failed.message}"))
        if record.state == "running" and status.web_is_ready(record):
            return record
        if time.monotonic() > deadline:
            late = next((entry for entry in record.processes if entry.state not in {"running", "done"}), None)
            raise InstallationError(
                _story(env.place, late, f"{late.name} is not ready after {_PATIENCE_SECONDS} s")
                if late
                else f"web does not answer at {env.url}/readyz"
            )
        time.sleep(0.05)


def _is_hopeless(entry: ProcessRecord) -> bool:
    return entry.state in {"restarting", "starting"} and entry.restarts >= _FAILURES and bool(entry.message)


def _story(home: Home, entry: ProcessRecord | None, message: str) -> str:
    if entry is None:
        return message
    path = home.logs / f"{entry.name}.log"
    end = [f"  {line}" for line in logs.end_of(path, 15)]
    return "\n".join([message, *([f"the end of {path}:", *end] if end else [])])


def _end(home: Home) -> bool:
    ran = False
    deadline = time.monotonic() + _END_SECONDS
    while _runs(home):
        ran = True
        supervisor = records.read(home).find("supervisor")
        if supervisor is not None and supervisor.is_running:
            supervisor.identity.send(signal.SIGTERM)
            if not supervisor.identity.wait(deadline - time.monotonic()):
                supervisor.identity.send(signal.SIGKILL)
        keeper = records.read_keeper(home)
        if keeper is not None and not keeper.wait(1):
            keeper.end(patience_seconds=2)
    left = end_leftovers(home)
    ran = ran or bool(left) or bool(end_guests(home))
    records.write(home, InstallationRecord())
    if home.runtime.exists() and home.runtime.stat().st_uid == os.geteuid():
        shutil.rmtree(home.runtime)
    return ran
