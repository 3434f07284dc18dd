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
        entry.identity.end(signal.Signals(entry.stop_signal), _PATIENCE_SECONDS)
    return [entry.name for entry in left]
