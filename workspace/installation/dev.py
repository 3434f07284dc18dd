"""Working on Boathouse itself: everything runs, and what changes in the checkout is taken up at once."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

from workspace.env import CHECKOUT, Env
from workspace.installation import frontend, logs, records

_WATCHED = ("apps", "workspace", "templates")
_RENEWED = ("web", "worker", "beat", "sandboxd")


def run(env: Env) -> int:
    """Follow the logs; rebuild the bundle and start processes anew when their sources change. Ends with Ctrl-C."""
    watcher = frontend.watch() if (frontend.SOURCES / "package.json").exists() else None
    threading.Thread(target=_renew_on_change, args=(env,), daemon=True).start()
    try:
        for line in logs.follow(env.place.logs, ["web", "worker", "sandboxd", "supervisor"], 2):
            print(line, flush=True)
    finally:
        if watcher is not None:
            watcher.send_signal(signal.SIGTERM)
            watcher.wait(10)
    return 0


def _renew_on_change(env: Env) -> None:
    before = _newest()
    while True:
        time.sleep(0.7)
        now = _newest()
        if now == before:
            continue
        before = now
        print("dev         sources changed, starting processes anew", flush=True)
        for entry in records.read(env.place).processes:
            if entry.name.partition("-")[0] in _RENEWED and entry.is_running:
                entry.identity.send(signal.Signals(entry.stop_signal))


def _newest() -> tuple[float, int]:
    times = [path.stat().st_mtime for folder in _WATCHED for path in _sources(CHECKOUT / folder)]
    return max(times, default=0.0), len(times)


def _sources(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.suffix in {".py", ".html", ".sql"} and path.is_file()]
