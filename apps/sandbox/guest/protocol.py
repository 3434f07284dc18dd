"""What a job's guest says to Boathouse, version 1: JSON over the door, with the run key, each message safe to repeat.

    GET  /api/v1/guest/context    -> {"protocol": 1, ...what the job run is}
    POST /api/v1/guest/log        {"offset", "content"}          -> {"next_offset"}
    POST /api/v1/guest/heartbeat  {"usage": {...}}               -> {"stop": bool, "heartbeat_seconds": number}
    POST /api/v1/guest/finish     {"exit_code", "log_bytes", "error"} -> {}

A log message carries base64 of the output's bytes from `offset` on. The server keeps what lies beyond the bytes it has, keeps
nothing of a message that would leave a gap, and answers how many bytes it has now: the sender goes on from there. So a
repeated, late or half-answered message neither loses nor doubles a line.
"""

from __future__ import annotations

import base64
import http.client
import json
from typing import Any
from urllib.parse import urlsplit

VERSION = 1
PREFIX = "/api/v1/guest/"
LOG_BYTES = 256 * 1024
HEARTBEAT_SECONDS = 10.0


class Away(Exception):
    """Nobody answers, or the answer says to come back: try again."""


class Refused(Exception):
    """The key is not taken any more, or the message never will be: trying again does not help."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Line:
    """One connection to the door, opened when needed and again after a failure; for one thread."""

    def __init__(self, url: str, token: str, timeout_seconds: float = 20) -> None:
        self.address = urlsplit(url).netloc
        self.token = token
        self.timeout_seconds = timeout_seconds
        self.connection: http.client.HTTPConnection | None = None

    def context(self) -> dict[str, Any]:
        """What this job run is: commit, parameters, names."""
        return self._ask("GET", "context")

    def send_log(self, offset: int, content: bytes) -> int:
        """Hand over output from `offset` on; the number of bytes that the server has now."""
        encoded = base64.b64encode(content).decode()
        return int(self._ask("POST", "log", {"offset": offset, "content": encoded})["next_offset"])

    def heartbeat(self, usage: dict[str, float]) -> dict[str, Any]:
        """Say that the run is alive; the answer says whether it should stop, and when to beat next."""
        return self._ask("POST", "heartbeat", {"usage": usage})

    def finish(self, exit_code: int, log_bytes: int, error: str) -> None:
        """Say how the script ended, and how long its output is in all."""
        self._ask("POST", "finish", {"exit_code": exit_code, "log_bytes": log_bytes, "error": error})

    def _ask(self, method: str, verb: str, message: dict[str, Any] | None = None) -> dict[str, Any]:
        body = None if message is None else json.dumps({"protocol": VERSION, **message})
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection(self.address, timeout=self.timeout_seconds)
            self.connection.request(method, PREFIX + verb, body, headers)
            response = self.connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as failure:
            self._hang_up()
            raise Away(str(failure)) from failure
        if response.status in (408, 409, 425, 429) or response.status >= 500:
            raise Away(f"{response.status}")
        if response.status >= 400:
            raise Refused(response.status, content[:500].decode(errors="replace"))
        try:
            answer: dict[str, Any] = json.loads(content or b"{}")
            return answer
        except ValueError as failure:
            self._hang_up()
            raise Away(f"not JSON: {failure}") from failure

    def _hang_up(self) -> None:
        if self.connection is not None:
            self.connection.close()
        self.connection = None
