"""A job's script in its guest: parameters, output without loss or doubling, heartbeats, stop, and Boathouse being away."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import random
import socket
import tarfile
import time
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from apps.sandbox.launchers import Bind, GuestSpec
from tests.sandbox.conftest import SMALL, Installation
from tests.sandbox.test_door import Web, serving


class Jobs:
    """The server's side of the guest protocol, kept in memory; `fault` may spoil an answer."""

    def __init__(self) -> None:
        self.log = b""
        self.beats = 0
        self.finished: dict[str, Any] | None = None
        self.stop = False
        self.refuse = False
        self.faults = random.Random(3)
        self.fault_rate = 0.0

    def log_message(self, message: dict[str, Any]) -> dict[str, Any]:
        """Append what is beyond what is known, and nothing that would leave a gap."""
        content, offset = base64.b64decode(message["content"]), message["offset"]
        if offset <= len(self.log):
            self.log += content[len(self.log) - offset :]
        return {"next_offset": len(self.log)}

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """An HTTP handler of this server."""
        jobs = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                assert message["protocol"] == 1
                if jobs.refuse or self.headers["Authorization"] != "Bearer run-key":
                    return self.reply(401, {"code": "unauthenticated"})
                fault = jobs.faults.random() < jobs.fault_rate
                if fault and jobs.faults.random() < 0.3:
                    return self.cut()
                answer: dict[str, Any] = {}
                verb = self.path.rsplit("/", 1)[1]
                if verb == "log":
                    answer = jobs.log_message(message)
                elif verb == "heartbeat":
                    jobs.beats += 1
                    answer = {"stop": jobs.stop, "heartbeat_seconds": 0.1}
                elif verb == "finish":
                    jobs.finished = message
                # The message was taken, and its sender does not hear of it.
                if fault:
                    return self.reply(503, {}) if jobs.faults.random() < 0.5 else self.cut()
                return self.reply(200, answer)

            def cut(self) -> None:
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True

            def reply(self, status: int, answer: dict[str, Any]) -> None:
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler


class Place:
    """Where runs of one test happen: an installation, a server, and commits."""

    def __init__(self, installation: Installation, jobs: Jobs) -> None:
        self.installation, self.jobs = installation, jobs
        self.socket = installation.folder / "jobs.sock"

    def start(
        self, script: str, files: dict[str, str], *arguments: str, env: dict[str, str] | None = None
    ) -> uuid.UUID:
        """Start a run of a script of a commit with these files."""
        guest_id = uuid.uuid4()
        source = self.installation.folder / "allowed" / f"{guest_id}.tar"
        with tarfile.open(source, "w") as archive:
            for name, text in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(text.encode())
                archive.addfile(member, io.BytesIO(text.encode()))
        source.chmod(0o644)
        argv = (self.installation.python, "-m", "guest.runner", "--source", "/source.tar", script, "--", *arguments)
        self.installation.client.launch(
            GuestSpec(
                guest_id,
                argv,
                env={"BOATHOUSE_TOKEN": "run-key", **(env or {})},
                binds=(Bind(str(source), "/source.tar"),),
                api_socket=str(self.socket),
                limits=SMALL,
            )
        )
        return guest_id

    @contextlib.contextmanager
    def serving(self) -> Iterator[Web]:
        """The server, answering."""
        with serving(self.socket, self.jobs.handler(), self.installation.user) as web:
            yield web


@pytest.fixture
def place(own_installation: Installation) -> Place:
    """A fresh server beside this user's daemon."""
    return Place(own_installation, Jobs())


TRAIN = """
import os, sys
from features import names
print("arguments", sys.argv[1:], os.environ["ROWS"], names, open("data/rows.txt").read(), os.getcwd())
print("to stderr", file=sys.stderr)
"""


def test_a_script_of_a_commit(place: Place) -> None:
    files = {"jobs/train.py": TRAIN, "jobs/features.py": "names = ['a']", "data/rows.txt": "rows"}
    with place.serving():
        guest_id = place.start("jobs/train.py", files, "--months", "3", "--flag=x y", env={"ROWS": "10"})
        assert place.installation.client.wait(guest_id, 20).succeeded
    expected = b"arguments ['--months', '3', '--flag=x y'] 10 ['a'] rows /work\nto stderr\n"
    assert place.jobs.log == expected == place.installation.client.read_output(guest_id)
    assert place.jobs.finished == {"protocol": 1, "exit_code": 0, "log_bytes": len(expected), "error": ""}
    assert place.jobs.beats >= 1


def test_a_failing_script(place: Place) -> None:
    with place.serving():
        guest_id = place.start("train.py", {"train.py": "print('x'); raise ValueError('no such month')"})
        state = place.installation.client.wait(guest_id, 20)
    assert (state.code, state.reason) == (1, "")
    assert place.jobs.finished and place.jobs.finished["exit_code"] == 1
    assert "no such month" in place.jobs.finished["error"] and b"no such month" in place.jobs.log


@pytest.mark.parametrize("script", ["missing.py", "../../etc/passwd", "/boathouse/guest/runner.py", "folder"])
def test_a_script_that_is_not_there(place: Place, script: str) -> None:
    with place.serving():
        guest_id = place.start(script, {"folder/x.py": ""})
        state = place.installation.client.wait(guest_id, 20)
    assert state.code == 2 and f"the commit has no file {script}".encode() in place.jobs.log


def test_no_line_is_lost_or_doubled(place: Place) -> None:
    """With many answers lost, connections cut, and the server away for a while in the middle."""
    code = "import time\nfor n in range(4000):\n print(f'line {n} ' + 'x' * 60, flush=n % 50 == 0)\n if n % 200 == 0: time.sleep(0.1)"
    place.jobs.fault_rate = 0.4
    with place.serving():
        guest_id = place.start("train.py", {"train.py": code})
        time.sleep(0.7)
    time.sleep(0.7)
    with place.serving():
        assert place.installation.client.wait(guest_id, 60).succeeded
    expected = "".join(f"line {n} {'x' * 60}\n" for n in range(4000)).encode()
    assert place.jobs.log == expected == place.installation.client.read_output(guest_id)
    assert place.jobs.finished and place.jobs.finished["log_bytes"] == len(expected)


def test_stop_by_heartbeat(place: Place) -> None:
    place.jobs.stop = True
    with place.serving():
        guest_id = place.start("train.py", {"train.py": "import time; time.sleep(60)"})
        state = place.installation.client.wait(guest_id, 20)
    assert state.code == 128 + 15 and b"asked to stop" in place.jobs.log


def test_a_key_that_is_not_taken_any_more_ends_the_run(place: Place) -> None:
    with place.serving():
        guest_id = place.start("train.py", {"train.py": "import time; print('on', flush=True); time.sleep(60)"})
        while b"on" not in place.jobs.log:
            time.sleep(0.02)
        place.jobs.refuse = True
        state = place.installation.client.wait(guest_id, 20)
    assert state.code == 128 + 15
    assert b"the run is over for Boathouse (401)" in place.installation.client.read_output(guest_id)


def test_a_polite_stop_reaches_the_script(place: Place) -> None:
    code = (
        "import signal, sys, time\nsignal.signal(15, lambda *_: (print('cleaned up', flush=True), sys.exit(4)))\n"
        "print('on', flush=True)\ntime.sleep(60)"
    )
    with place.serving():
        guest_id = place.start("train.py", {"train.py": code})
        while b"on" not in place.jobs.log:
            time.sleep(0.02)
        state = place.installation.client.stop(guest_id, grace_seconds=8)
    assert (state.code, state.reason) == (4, "stopped")
    assert b"cleaned up" in place.jobs.log and place.jobs.finished and place.jobs.finished["exit_code"] == 4
