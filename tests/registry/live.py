"""A live server with our raw routes and real commits, for bytes that pass in front of Django."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

import pytest
import uvicorn

from tests.builders import Side, a_side


@dataclass
class Answer:
    """What came back, unread by any library's opinion of it."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Live:
    """The server, and the two workspaces with the same names."""

    port: int
    ours: Side
    theirs: Side

    def __call__(self, method: str, path: str, *, token: str | None = None, body: Any = None, **headers: str) -> Answer:
        """Send exactly this path; a token of ours unless another one (or an empty one) is given."""
        token = self.ours.api.token if token is None else token
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        connection.request(method, path, body=body, headers=sent)
        response = connection.getresponse()
        answer = Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        connection.close()
        return answer


@pytest.fixture(scope="session")
def server_port() -> Iterator[int]:
    """The port of the whole ASGI program, served from a thread."""
    from workspace.asgi import application

    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(application, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def live(committed: None, server_port: int) -> Live:
    """Two committed workspaces behind a live server."""
    return Live(server_port, *(a_side(name, "ada@example.com") for name in ("ours", "theirs")))
