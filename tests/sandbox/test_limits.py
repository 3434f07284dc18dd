"""What a guest may use: each excess is seen to work without the limit, then to be stopped by it and named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.sandbox.conftest import SMALL, Installation

DONE = "DONE"
MEMORY = f"x = bytearray(600 << 20); x[::4096] = b'x' * len(x[::4096]); print({DONE!r})"
PROCESSES = (
    "import os, time, sys\npids = []\n"
    "try:\n for n in range(80):\n  pid = os.fork()\n  if not pid: time.sleep(3); os._exit(0)\n  pids.append(pid)\n"
    "except OSError as e: print(e, len(pids))\n"
    f"else: print({DONE!r})\n"
    "for pid in pids: os.kill(pid, 9)"
)
ONE_FILE = f"open('big', 'wb').write(bytes(40 << 20)); print({DONE!r})"
MANY_FILES = (
    "import os, time\nfor n in range(20): open(f'f{n}', 'wb').write(bytes(4 << 20))\n"
    f"time.sleep(float(os.environ.get('PAUSE', 0))); print({DONE!r})"
)
UNLINKED = (
    "import os, time\nf = open('hidden', 'wb'); os.unlink('hidden'); f.write(bytes(60 << 20)); f.flush()\n"
    f"time.sleep(float(os.environ.get('PAUSE', 0))); print({DONE!r})"
)
SCRATCH = f"import tempfile; open({{folder!r}} + '/bh-scratch', 'wb').write(bytes(40 << 20)); print({DONE!r})"
FILES = f"import os; x = [open('/dev/null') for _ in range(200)]; print({DONE!r})"


@pytest.mark.parametrize(
    ("code", "limits", "reason", "words"),
    [
        (MEMORY, SMALL, {"out_of_memory", ""}, ""),
        (PROCESSES, SMALL, {""}, "Resource temporarily unavailable"),
        (ONE_FILE, replace(SMALL, file_bytes=10 << 20), {"", "killed"}, ""),
        (MANY_FILES, replace(SMALL, disk_bytes=20 << 20), {"out_of_disk"}, ""),
        (UNLINKED, replace(SMALL, disk_bytes=20 << 20), {"out_of_disk"}, ""),
        (SCRATCH.format(folder="/tmp"), SMALL, {""}, "No space left on device"),
        (SCRATCH.format(folder="/dev/shm"), SMALL, {""}, "No space left on device"),
        (FILES, replace(SMALL, open_files=100), {""}, "Too many open files"),
    ],
    ids=["memory", "processes", "one file", "many files", "a removed file", "/tmp", "/dev/shm", "open files"],
)
def test_excess(installation: Installation, code: str, limits: object, reason: set[str], words: str) -> None:
    without = installation.run_beside(code.replace("'/tmp'", "'.'").replace("'/dev/shm'", "'.'"), {})
    assert DONE in without, without
    state, inside = installation.run(code, limits=limits, env={"PAUSE": "8"})  # type: ignore[arg-type]
    assert DONE not in inside and words in inside, (state, inside)
    assert state.state == "exited" and state.reason in reason, state
    assert not state.succeeded or words, state


def test_memory_of_many_processes(installation: Installation) -> None:
    """The limit is the guest's, not each process's."""
    code = (
        "import os, time\nfor n in range(5):\n if not os.fork():\n"
        "  x = bytearray(80 << 20); x[::4096] = b'x' * len(x[::4096]); time.sleep(6); os._exit(0)\n"
        "statuses = [os.wait()[1] for _ in range(5)]\nprint(statuses, 'DONE' if not any(statuses) else '')"
    )
    state, inside = installation.run(code)
    assert DONE not in inside, (state, inside)


def test_time(installation: Installation) -> None:
    state, _ = installation.run("import time; time.sleep(20)", limits=replace(SMALL, wall_seconds=0.5))
    assert state.reason == "timeout" and "0.5 seconds" in state.message, state
    state, _ = installation.run("while True: pass", limits=replace(SMALL, cpu_seconds=1))
    assert state.reason == "timeout", state


def test_output(installation: Installation) -> None:
    state, inside = installation.run("print('x' * 300_000, flush=True)", limits=replace(SMALL, output_bytes=100_000))
    assert state.succeeded and inside.startswith("x" * 100_000) and "is not kept" in inside and len(inside) < 101_000


def test_usage_is_told(installation: Installation) -> None:
    state, _ = installation.run("x = bytearray(60 << 20); x[::4096] = b'x' * len(x[::4096]); sum(range(2_000_000))")
    assert state.peak_memory_bytes and 60 << 20 < state.peak_memory_bytes < 180 << 20
    assert state.cpu_seconds and 0.01 < state.cpu_seconds < 20
