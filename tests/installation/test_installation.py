"""A whole installation, as people start it: up, used, killed in every part, down."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).parents[2]
OURS = {"keeper", "supervisor", "postgres", "redis", "sandboxd", "worker-1", "worker-2", "beat", "web-1", "web-2"}


@dataclass
class Installation:
    home: Path
    port: int

    def manage(self, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        removed = {"DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE"}
        environment = {name: value for name, value in os.environ.items() if name not in removed}
        environment |= {
            "BOATHOUSE_HOME": str(self.home),
            "BOATHOUSE_PORT": str(self.port),
            "BOATHOUSE_WEB_PROCESSES": "2",
        }
        argv = [sys.executable, "manage.py", *arguments]
        return subprocess.run(
            argv, cwd=CHECKOUT, env=environment | changes, capture_output=True, text=True, timeout=300
        )

    def ask(self, *arguments: str) -> dict[str, Any]:
        done = self.manage(*arguments, "--json")
        assert done.stdout.count("\n") == 1, done.stdout + done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def get(self, path: str, token: str = "", timeout: float = 30) -> int:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}")
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=timeout) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            return error.code

    def wait_until_healthy(self, without: dict[str, int], seconds: float = 60) -> dict[str, int]:
        """All parts run again, none of them the process that it was."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            done = self.manage("status", "--json")
            pids = {process["name"]: process["pid"] for process in json.loads(done.stdout)["processes"]}
            if done.returncode == 0 and all(pids[name] != pid for name, pid in without.items()):
                return pids
            time.sleep(0.2)
        raise AssertionError(self.manage("status").stdout)


def free_port() -> int:
    """A port that is free, and the next one with it."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    installation = Installation(tmp_path_factory.mktemp("installation") / "home", free_port())
    up = installation.manage("up")
    try:
        assert up.returncode == 0, up.stderr
        yield installation
    finally:
        installation.manage("down")
        shutil.rmtree(installation.home, ignore_errors=True)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def test_every_part_runs_and_up_again_changes_nothing(installation: Installation) -> None:
    status = installation.ask("status")
    assert {process["name"] for process in status["processes"]} == OURS
    assert all(process["state"] == "running" and process["rss_bytes"] > 0 for process in status["processes"])
    before = installation.ask("pids")
    assert set(before) == OURS
    again = installation.ask("up")
    assert again["url"] == f"http://127.0.0.1:{installation.port}"
    assert installation.ask("pids") == before


def test_doctor_finds_it_well(installation: Installation) -> None:
    found = installation.ask("doctor")
    bad = [check for check in found["checks"] if not check["ok"] and check["name"] != "disk"]
    assert bad == []


def test_people_are_taken_in_while_it_runs(installation: Installation) -> None:
    made = installation.ask(
        "workspace", "create", "rowing", "--admin", "ada@example.com", "--password", "long and odd 7"
    )
    assert made["url"].endswith("/w/rowing/")
    assert installation.get("/api/v1/members", made["token"]) == 200
    assert installation.get("/api/v1/members", made["token"] + "x") == 401
    again = installation.manage("workspace", "create", "rowing", "--admin", "ada@example.com", "--json")
    assert again.returncode == 1 and "already" in json.loads(again.stdout)["error"]
    member = installation.ask("user", "add", "rowing", "bob@example.com")
    assert installation.get("/api/v1/members", member["token"]) == 200
    link = installation.ask("user", "link", "rowing", "bob@example.com")
    assert link["url"].startswith(f"http://127.0.0.1:{installation.port}/") and link["expires_at"]
    narrow = installation.ask("token", "create", "rowing", "bob@example.com", "--days", "2", "--scope", "tables:read")
    assert narrow["expires_at"]
    assert (
        "no member"
        in json.loads(installation.manage("user", "link", "rowing", "eve@example.com", "--json").stdout)["error"]
    )


def test_guests_content_and_people_have_doors_of_their_own(installation: Installation) -> None:
    assert installation.get("/readyz") == 200
    content = Installation(installation.home, installation.port + 1)
    assert content.get("/livez") in (200, 404)
    guest = next(iter(_runtime(installation).glob("guest.sock")))
    with socket.socket(socket.AF_UNIX) as door:
        door.connect(str(guest))
        door.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert door.recv(64).startswith(b"HTTP/1.1 200")


def test_web_dies_and_no_request_is_lost(installation: Installation) -> None:
    outcomes: list[int] = []
    ended = threading.Event()

    def visit() -> None:
        while not ended.is_set():
            try:
                outcomes.append(installation.get("/livez"))
            except OSError:
                outcomes.append(0)

    visitor = threading.Thread(target=visit)
    visitor.start()
    try:
        before = installation.ask("pids")
        killed = {name: pid for name, pid in before.items() if name.startswith("web-")}
        for pid in killed.values():
            os.kill(pid, signal.SIGKILL)
        installation.wait_until_healthy(without=killed)
    finally:
        ended.set()
        visitor.join(60)
    # A request that a killed process had already taken up may break; those that wait may not, and here one waits at a time.
    assert len(outcomes) > 10 and outcomes.count(200) >= len(outcomes) - 2


def test_every_other_part_dies_and_comes_back(installation: Installation) -> None:
    before = installation.ask("pids")
    killed = {name: before[name] for name in ("postgres", "redis", "worker-1", "worker-2", "beat", "sandboxd")}
    for pid in killed.values():
        os.kill(pid, signal.SIGKILL)
    pids = installation.wait_until_healthy(without=killed)
    assert pids["supervisor"] == before["supervisor"]
    status = installation.ask("status")
    assert all(process["restarts"] >= 1 for process in status["processes"] if process["name"] in killed)
    assert "postgres: ended with signal SIGKILL" in (installation.home / "logs" / "supervisor.log").read_text()


def test_keeper_and_supervisor_bring_each_other_back(installation: Installation) -> None:
    before = installation.ask("pids")
    os.kill(before["keeper"], signal.SIGKILL)
    between = installation.wait_until_healthy(without={"keeper": before["keeper"]})
    assert between["postgres"] == before["postgres"]
    os.kill(between["supervisor"], signal.SIGKILL)
    after = installation.wait_until_healthy(without={"supervisor": between["supervisor"]})
    assert after["keeper"] == between["keeper"]


def test_a_second_one_on_the_same_port_is_refused_and_leaves_nothing(
    installation: Installation, tmp_path: Path
) -> None:
    second = Installation(tmp_path / "home", installation.port)
    refused = second.manage("up")
    assert refused.returncode == 1
    assert f"cannot listen on 127.0.0.1:{installation.port}" in refused.stderr and "BOATHOUSE_PORT" in refused.stderr
    assert second.ask("pids") == {}
    assert installation.get("/readyz") == 200


def test_a_broken_part_is_named_with_its_last_words(tmp_path: Path) -> None:
    broken = Installation(tmp_path / "home", free_port())
    (broken.home / "postgres").mkdir(parents=True)
    (broken.home / "postgres" / "leftover").write_text("?")
    refused = broken.manage("up")
    assert refused.returncode == 1
    assert "postgres does not start" in refused.stderr and "no complete database" in refused.stderr
    assert broken.ask("pids") == {}


def test_down_ends_everything_even_after_both_watchers_were_killed(installation: Installation) -> None:
    pids = installation.ask("pids")
    runtime = _runtime(installation)
    os.kill(pids["keeper"], signal.SIGKILL)
    os.kill(pids["supervisor"], signal.SIGKILL)
    assert installation.ask("down") == {"stopped": True}
    assert [name for name, pid in pids.items() if alive(pid)] == []
    assert not runtime.exists()
    assert installation.ask("down") == {"stopped": False}
    assert installation.manage("status").returncode == 1


def _runtime(installation: Installation) -> Path:
    from workspace.installation.home import Home

    return Home(installation.home).runtime
