"""Start: seconds of `manage.py up` and `down` on a prepared machine, and the memory of every process of the idle installation.

    python -m bench.start [rounds]

Goals: up < 15 s, a web process < 150 MB, the whole idle installation < 1 GB.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import urlopen

from bench import harness

CHECKOUT = Path(__file__).resolve().parents[1]
PAGES = ("/livez", "/readyz", "/login", "/api/schema")
SETTLE_SECONDS = 5


def main(rounds: int) -> None:
    """Start and stop some times, weigh the last one."""
    home = Path(tempfile.mkdtemp(prefix="boathouse-bench-"))
    environment = {**os.environ, "BOATHOUSE_HOME": str(home), "BOATHOUSE_PORT": "8931"}

    def manage(verb: str) -> float:
        began = time.monotonic()
        subprocess.run(
            [sys.executable, "manage.py", verb],
            cwd=CHECKOUT,
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return time.monotonic() - began

    try:
        print(harness.about("django", "uvicorn", "celery", "psycopg"))
        first, ups, downs = manage("up"), [], []
        for _ in range(rounds):
            downs.append(manage("down"))
            ups.append(manage("up"))
        print(
            f"first up {first:.1f} s; up {statistics.median(ups):.1f} s, down {statistics.median(downs):.1f} s (median of {rounds})"
        )
        weigh(home, "idle")
        for path in PAGES * 10:
            try:
                urlopen(f"http://127.0.0.1:8931{path}", timeout=60).read()
            except OSError as error:
                print(f"{path}: {error}")
        weigh(home, "after some pages")
    finally:
        manage("down")
        shutil.rmtree(home, ignore_errors=True)


def weigh(home: Path, when: str) -> None:
    """Print the memory of each process that belongs to a home."""
    time.sleep(SETTLE_SECONDS)
    rows, total = [], 0.0
    for pid in processes(home):
        try:
            name = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            resident, proportional = harness.memory_mb(pid)
        except ProcessLookupError:  # Ended meanwhile.
            continue
        total += proportional
        rows.append((name[-70:].strip(), resident, proportional))
    print(f"\n{when}: {total:.0f} MB in {len(rows)} processes")
    print(harness.table(("process", "resident MB", "proportional MB"), sorted(rows, key=lambda row: -row[2])[:16]))


def processes(home: Path) -> list[int]:
    """The keeper of a home, known by its environment, and everything below it."""
    mark = f"BOATHOUSE_HOME={home}".encode()
    mine: set[int] = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    mine.update(harness.tree(int(entry.name)))
            except OSError:
                continue
    return sorted(mine)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
