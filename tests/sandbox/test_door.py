"""The one way out of a guest and the one way in: what goes through, and what happens when web is away."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer

import pytest

from tests.sandbox.conftest import SMALL, Installation


class Web(ThreadingMixIn, UnixStreamServer):
    """A web server on a Unix socket."""

    daemon_threads = True

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """An accepted connection, with an address as http.server likes it."""
        return super().get_request()[0], ("guest", 0)


class Echo(BaseHTTPRequestHandler):
    """Answers what it was sent."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def serving(path: Path, handler: Callable[..., BaseHTTPRequestHandler], user: int | None = None) -> Iterator[Web]:
    """A web server that answers on this path."""
    path.unlink(missing_ok=True)
    web = Web(str(path), handler)  # type: ignore[arg-type]
    if user is not None:
        os.chown(path, user, user)
    threading.Thread(target=web.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield web
    finally:
        web.shutdown()
        web.server_close()
        path.unlink(missing_ok=True)


POST = """
import http.client, os, hashlib, urllib.parse
door = urllib.parse.urlsplit(os.environ["MLFLOW_TRACKING_URI"]).netloc
assert os.environ["BOATHOUSE_URL"] == os.environ["MLFLOW_TRACKING_URI"]
line = http.client.HTTPConnection(door, timeout=20)
"""


def test_the_door_carries_both_ways(installation: Installation) -> None:
    code = f"""{POST}
for size in (0, 1, 100_000, 20 << 20):
    sent = os.urandom(size)
    line.request("POST", "/", sent)
    assert line.getresponse().read() == sent
others = [http.client.HTTPConnection(door, timeout=20) for _ in range(100)]
for other in others[:50]: other.request("POST", "/", b"x")
for other in others[:50]: assert other.getresponse().read() == b"x"
for other in others[:50]: other.close()
for other in others[50:]: other.request("POST", "/", b"y")
for other in others[50:]: assert other.getresponse().read() == b"y"
print("all the same")
"""
    path = installation.folder / "web.sock"
    with serving(path, Echo, installation.user):
        state, inside = installation.run(code, api_socket=str(path))
    assert state.succeeded and "all the same" in inside, inside


def test_the_door_while_web_is_away(installation: Installation) -> None:
    code = f"""{POST}
import time
answers = []
for _ in range(400):
    try:
        line.request("POST", "/", b"hello")
        answers.append(line.getresponse().read().decode())
        break
    except (OSError, http.client.HTTPException) as failure:
        line.close()
        answers.append("away")
        if len(answers) == 1: print("away", flush=True)
        time.sleep(0.02)
print(answers[0], answers[-1])
"""
    path = installation.folder / "late.sock"
    guest_id = installation.launch(code, api_socket=str(path))
    while b"away" not in installation.client.read_output(guest_id):
        time.sleep(0.02)
    with serving(path, Echo, installation.user):
        assert installation.client.wait(guest_id, 15).succeeded
    assert b"away hello" in installation.client.read_output(guest_id)


def test_a_guest_without_a_door_has_none(installation: Installation) -> None:
    code = "import socket; socket.create_connection(('127.0.0.1', 8000), 2)"
    state, inside = installation.run(code)
    assert state.code == 1 and "Connection refused" in inside


def test_the_way_in(installation: Installation) -> None:
    """The socket is there before the guest runs, only its owner may connect, and it goes when the guest does."""
    code = """
import os, socket
door = socket.socket(fileno=int(os.environ["BOATHOUSE_LISTEN_FD"]))
for _ in range(2):
    peer, _ = door.accept()
    peer.sendall(peer.recv(1000)[::-1])
    peer.close()
"""
    folder = installation.folder / "in"
    folder.mkdir(mode=0o700)
    if installation.user is not None:
        os.chown(folder, installation.user, installation.user)
    path = folder / "s"
    guest_id = installation.launch(code, listen_socket=str(path))
    while not path.exists():
        time.sleep(0.005)
    for _ in range(2):
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(10)
            peer.connect(str(path))
            peer.sendall(b"abc")
            assert peer.recv(10) == b"cba"
    assert path.stat().st_mode & 0o777 == 0o600
    assert installation.client.wait(guest_id, 10).succeeded
    assert not path.exists()


@pytest.mark.parametrize("content", [b"", b"x" * 5_000_000])
def test_output_is_complete(installation: Installation, content: bytes) -> None:
    code = f"import sys; sys.stdout.buffer.write(b'x' * {len(content)})"
    guest_id = installation.launch(code, limits=SMALL)
    assert installation.client.wait(guest_id, 20).succeeded
    parts, offset = [], 0
    while part := installation.client.read_output(guest_id, offset, 1 << 20):
        parts.append(part)
        offset += len(part)
    assert hashlib.sha256(b"".join(parts)).digest() == hashlib.sha256(content).digest()
