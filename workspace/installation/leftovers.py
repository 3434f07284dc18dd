"""Ending what a supervisor that was killed has left running, found by pid and start time, never by name."""

from __future__ import annotations

import logging
import signal

from workspace.installation import records
from workspace.installation.home import Home

logger = logging.getLogger("supervisor")
_PATIENCE_SECONDS = 20


def end_leftovers(home: Home) -> list[str]:
    """End every recorded process that still runs, the database last; their names."""
    record = records.read(home)
    left = [entry for entry in record.processes if entry.name not in {"supervisor", "keeper"} and entry.is_running]
    for entry in reversed(left):
        logger.warning("ending %s (%s), left by a supervisor that is gone", entry.name, entry.pid)
        # The sandbox daemon's polite end would stop guests that the next daemon goes on with.
        ask = signal.SIGKILL if entry.name == "sandboxd" else signal.Signals(entry.stop_signal)
        entry.identity.end(ask, _PATIENCE_SECONDS)
    return [entry.name for entry in left]


def end_guests(home: Home) -> int:
    """End guests that nobody looks after any more; how many. For when their door to us is gone as well."""
    if not (home.path / "guests").exists():
        return 0
    from apps.sandbox.launchers.local import LocalLauncher

    launcher = LocalLauncher(home.path)
    running = [guest.id for guest in launcher.list_guests() if not guest.is_final]
    for guest_id in running:
        launcher.stop(guest_id, grace_seconds=1, reason="shutdown")
    return len(running)
