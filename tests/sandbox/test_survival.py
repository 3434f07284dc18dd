"""Daemon, keeper and guest killed at bad moments: the state told is true, and nothing is left running."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from apps.sandbox import daemon
from apps.sandbox.client import SandboxUnavailable
from apps.sandbox.launchers import GuestSpec, LaunchRefused
from tests.sandbox.conftest import SMALL, Installation

SLEEP = "import time; time.sleep(60)"


def mark() -> str:
    return f"mark-{uuid.uuid4().hex}"


def running(name: str) -> list[int]:
    """Processes of this machine with this word in their command line."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if name in (folder / "cmdline").read_text():
                    found.append(int(folder.name))
            except OSError:
                continue
    return found


def wait_seen(name: str, count: int = 1) -> None:
    """Wait for as many processes: a guest counts as running a moment before it is its own program."""
    until = time.monotonic() + 10
    while len(running(name)) != count:
        assert time.monotonic() < until, "it is not there"
        time.sleep(0.01)


def wait_gone(name: str) -> None:
    until = time.monotonic() + 3
    while left := running(name):
        assert time.monotonic() < until, f"still running: {left}"
        time.sleep(0.02)


def keeper_of(installation: Installation, guest_id: uuid.UUID) -> int:
    return json.loads((installation.home / "guests" / str(guest_id) / "keeper.json").read_text())["pid"]


def test_a_guest_outlives_its_daemon(installation: Installation) -> None:
    code = (
        "import os, time\nprint('before', flush=True)\nwhile not os.path.exists('go'): time.sleep(0.01)\nprint('after')"
    )
    guest_id = installation.launch(code)
    installation.wait_running(guest_id)
    installation.kill_daemon()
    with pytest.raises(SandboxUnavailable):
        installation.client.check(guest_id)
    installation.start_daemon()
    state = installation.client.check(guest_id)
    assert state and state.state == "running"
    (installation.home / "guests" / str(guest_id) / "work" / "go").touch()
    assert installation.client.wait(guest_id, 10).succeeded
    assert installation.client.read_output(guest_id) == b"before\nafter\n"
    assert installation.client.read_output(guest_id, offset=7) == b"after\n"


def test_a_dead_keeper_takes_its_guest_along(installation: Installation) -> None:
    name = mark()
    guest_id = installation.launch(f"{name!r}; {SLEEP}")
    wait_seen(name)
    os.kill(keeper_of(installation, guest_id), signal.SIGKILL)
    wait_gone(name)
    state = installation.client.wait(guest_id, 5)
    assert state.state == "lost" and state.is_final and not state.succeeded


def test_daemon_and_keeper_dead(installation: Installation) -> None:
    name = mark()
    guest_id = installation.launch(f"{name!r}; {SLEEP}")
    wait_seen(name)
    installation.kill_daemon()
    os.kill(keeper_of(installation, guest_id), signal.SIGKILL)
    wait_gone(name)
    installation.start_daemon()
    state = installation.client.check(guest_id)
    assert state and state.state == "lost"


def test_a_killed_guest_is_told_as_killed(installation: Installation) -> None:
    name = mark()
    guest_id = installation.launch(f"{name!r}; {SLEEP}")
    wait_seen(name)
    for pid in running(name):
        os.kill(pid, signal.SIGKILL)
    state = installation.client.wait(guest_id, 5)
    assert (state.state, state.signal, state.reason) == ("exited", signal.SIGKILL, "killed")


def test_stop_ends_everything_it_started(installation: Installation) -> None:
    """Also a child with a session of its own, and a guest that ignores SIGTERM."""
    name = mark()
    code = f"""
{name!r}
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "{name!r}; import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"],
    start_new_session=True)
print("ready", flush=True)
time.sleep(60)
"""
    guest_id = installation.launch(code)
    while b"ready" not in installation.client.read_output(guest_id):
        time.sleep(0.02)
    wait_seen(name, 2)
    began = time.monotonic()
    state = installation.client.stop(guest_id, grace_seconds=0.3)
    assert time.monotonic() - began < 3
    assert (state.state, state.reason, state.succeeded) == ("exited", "stopped", False)
    wait_gone(name)
    assert installation.client.stop(guest_id) == state


def test_an_ended_guest_leaves_no_child(installation: Installation) -> None:
    name = mark()
    inner = f"{name!r}; {SLEEP}"
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {inner!r}], start_new_session=True)"
    state, _ = installation.run(code)
    assert state.succeeded
    wait_gone(name)


def test_polite_stop_lets_it_clean_up(installation: Installation) -> None:
    code = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print("cleaned up", flush=True), sys.exit(3)))
print("ready", flush=True)
time.sleep(60)
"""
    guest_id = installation.launch(code)
    while b"ready" not in installation.client.read_output(guest_id):
        time.sleep(0.02)
    state = installation.client.stop(guest_id, grace_seconds=5)
    assert (state.code, state.reason) == (3, "stopped")
    assert b"cleaned up" in installation.client.read_output(guest_id)


def test_one_id_starts_once(installation: Installation) -> None:
    name = mark()
    spec = GuestSpec(uuid.uuid4(), (installation.python, "-c", f"{name!r}; {SLEEP}"), limits=SMALL)
    for _ in range(3):
        installation.client.launch(spec)
    wait_seen(name)
    with pytest.raises(LaunchRefused, match="stop it first"):
        installation.client.remove(spec.id)
    installation.client.stop(spec.id, grace_seconds=0)
    installation.client.launch(spec)
    assert not running(name)
    installation.client.remove(spec.id)
    assert installation.client.check(spec.id) is None


def test_what_cannot_be_started_says_why(installation: Installation) -> None:
    guest_id = uuid.uuid4()
    installation.client.launch(GuestSpec(guest_id, ("/usr/bin/no-such-program",), limits=SMALL))
    state = installation.client.wait(guest_id, 5)
    assert state.reason == "exec_failed" and "no-such-program" in state.message and not state.succeeded


def test_killed_at_random_moments(installation: Installation) -> None:
    """Keepers and daemons killed between the first instruction and the end: never `running` for ever, never an orphan."""
    chance = random.Random(7)
    name = mark()
    for turn in range(20):
        guest_id = installation.launch(f"{name!r}; import time; time.sleep(0.1)")
        time.sleep(chance.uniform(0, 0.3))
        folder = installation.home / "guests" / str(guest_id)
        if turn % 4 == 3:
            installation.kill_daemon()
        for pid in running(str(folder)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if turn % 4 == 3:
            installation.start_daemon()
        state = installation.client.wait(guest_id, 25)
        assert state.state in ("lost", "exited"), state
        wait_gone(name)
        if state.state == "exited":
            assert state.succeeded, state


def test_the_daemon_s_polite_end_stops_its_guests(installation: Installation) -> None:
    name = mark()
    guest_id = installation.launch(f"{name!r}; {SLEEP}")
    wait_seen(name)
    installation.end_daemon()
    wait_gone(name)
    installation.start_daemon()
    state = installation.client.check(guest_id)
    assert state and (state.state, state.reason) == ("exited", "shutdown")


def test_two_daemons_never_share_a_home(own_installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "_LOCK_SECONDS", 0.3)
    second = daemon.Daemon(own_installation.home, own_installation.folder / "second.sock", allowed=[], clients=[])
    with pytest.raises(SystemExit, match="another sandbox daemon"):
        second.lock_home()


def test_hostile_leftovers_are_removed(installation: Installation) -> None:
    code = """
import os
os.symlink("/etc", "etc"); os.mkfifo("pipe"); os.makedirs("closed/in"); os.chmod("closed/in", 0); os.chmod("closed", 0)
here = os.getcwd()
for _ in range(1500):
    os.mkdir("deep"); os.chdir("deep")
"""
    guest_id = installation.launch(code)
    state = installation.client.wait(guest_id, 20)
    assert state.succeeded, (state, installation.client.read_output(guest_id))
    installation.client.remove(guest_id)
    assert installation.client.check(guest_id) is None
    assert not list((installation.home / "guests").glob(".gone-*")) and Path("/etc").exists()


def test_nothing_is_left(installation: Installation) -> None:
    """After all of the above: no control group, no keeper."""
    guests = installation.client.list_guests()
    assert len(guests) > 20
    for state in guests:
        assert state.is_final or state.state == "running"
        installation.client.stop(state.id, grace_seconds=0)
    groups = {path.name for path in Path("/sys/fs/cgroup").glob("**/boathouse-*/*-*-*-*-*")}
    assert not groups & {str(state.id) for state in guests}
    assert not running(str(installation.home / "guests"))


def test_many_ask_at_once(own_installation: Installation) -> None:
    """Forty wait for guests that run; the daemon still launches, and a lost guest is found lost by all of them."""
    guest_id = own_installation.launch(SLEEP)
    own_installation.wait_running(guest_id)
    with ThreadPoolExecutor(40) as pool:
        waiting = [pool.submit(own_installation.client.wait, guest_id, 20) for _ in range(40)]
        state, output = own_installation.run("print('through')")
        assert state.succeeded and output == "through\n"
        os.kill(keeper_of(own_installation, guest_id), signal.SIGKILL)
        assert {found.result().state for found in waiting} == {"lost"}
