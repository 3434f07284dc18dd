"""The keeper: holds the sockets, starts the supervisor, and starts it again when it dies. Each of the two watches the other."""

from __future__ import annotations

import logging
import os
import select
import signal
import subprocess
import sys
import time

from workspace.env import CHECKOUT, env
from workspace.installation import records
from workspace.installation.home import InstallationError
from workspace.installation.leftovers import end_guests, end_leftovers
from workspace.installation.listeners import Held

logger = logging.getLogger("keeper")


def start_supervisor(held: Held) -> int:
    """Start a supervisor that holds what we hold; its pid."""
    return _start("workspace.installation.supervisor", held, os.getpid())


def start_keeper(held: Held) -> int:
    """Start a keeper for the running supervisor, which we are; its pid."""
    return _start("workspace.installation.keeper", held, os.getpid())


def _start(module: str, held: Held, watched: int) -> int:
    return subprocess.Popen(
        [sys.executable, "-m", module, *held.arguments(), f"--watch={watched}"],
        cwd=CHECKOUT,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        pass_fds=held.fds(),
    ).pid


def watch_until_stopped(supervisor: int, held: Held) -> bool:
    """Wait for the supervisor to end; start it again unless it was told to stop. False when it never gets anywhere."""
    failures = 0
    while True:
        began = time.monotonic()
        try:
            handle = os.pidfd_open(supervisor)
        except ProcessLookupError:
            handle = None
        if handle is not None:
            select.select([handle], [], [])
            os.close(handle)
        _reap()
        record = records.read(env.place)
        if record.state == "stopped":
            return True
        failures = 0 if time.monotonic() - began > 60 else failures + 1
        if failures >= 3 and not record.processes:
            logger.error("the supervisor cannot start; giving up")
            return False
        delay = min(30, 2**failures - 2)
        logger.error("the supervisor (%s) ended unexpectedly; starting it again in %s s", supervisor, delay)
        time.sleep(delay)
        supervisor = start_supervisor(held)


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def set_up_logging() -> None:
    logging.basicConfig(format="%(asctime)s %(name)s %(message)s", level=logging.INFO, stream=sys.stderr)


def main(argv: list[str]) -> int:
    """Begin an installation, or (with `--watch`) keep one that runs already."""
    set_up_logging()
    try:
        if argv:
            held, given = Held.from_arguments(argv)
            supervisor = given.watch
        else:
            env.place.prepare()
            held = Held.take(env)
            supervisor = 0
    except InstallationError as error:
        logger.error("%s", error)
        return 1
    records.write_keeper(env.place)
    if not supervisor:
        end_leftovers(env.place)
        end_guests(env.place)
        records.write(env.place, records.InstallationRecord("starting", env.url, env.host, env.port))
        supervisor = start_supervisor(held)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    return 0 if watch_until_stopped(supervisor, held) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
