"""Somebody else's git host for tests: http with a password, on a loopback port, and the ways in which such a host can be odd."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

USER, PASSWORD = "ines", "s3cret-token"


@dataclass
class Host:
    """A running host: `asked` are the paths that were requested, `manner` makes it odd (redirect, forbid, slow, nonsense)."""

    folder: Path
    url: str = ""
    port: int = 0
    manner: str = ""
    to: str = ""
    asked: list[str] = field(default_factory=list)


@contextmanager
def git_host(folder: Path) -> Iterator[Host]:
    """Serve the bare repositories in a folder."""
    host = Host(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"host": host}))
    server.daemon_threads = True
    host.port = server.server_address[1]
    host.url = f"http://127.0.0.1:{host.port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield host
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    host: Host
    protocol_version = "HTTP/1.0"

    def log_message(self, *_: Any) -> None:
        return

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        self.host.asked.append(self.path)
        if self.host.manner == "redirect":
            return self._say(302, Location=self.host.to + self.path)
        if self.host.manner == "slow":
            time.sleep(8)
        if self.host.manner == "nonsense":
            return self._say(200, body=b"<html>hello</html>")
        given = self.headers.get("Authorization", "").removeprefix("Basic ")
        if base64.b64decode(given or "").decode() != f"{USER}:{PASSWORD}":
            return self._say(401, **{"WWW-Authenticate": 'Basic realm="x"'})
        if self.host.manner == "forbid":
            return self._say(403)
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        said = subprocess.run(
            ["git", "http-backend"],
            input=body,
            capture_output=True,
            env={
                "PATH": os.defpath, "HOME": "/nonexistent", "GIT_PROJECT_ROOT": str(self.host.folder), "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": self.command, "REMOTE_USER": USER,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""), "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""), "GIT_CONFIG_COUNT": "2",
                "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
                "GIT_CONFIG_KEY_1": "http.receivepack", "GIT_CONFIG_VALUE_1": "true",
            },
            check=False,
        ).stdout  # fmt: skip
        head, _, content = said.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        status = int(fields.pop("Status", "200").split()[0])
        self._say(status, content, **fields)

    def _say(self, status: int, body: bytes = b"", **headers: str) -> None:
        try:
            self.send_response(status)
            for name, text in headers.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            return
