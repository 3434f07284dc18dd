"""What workers and web call to have guests started, watched and stopped: one request per connection to sandboxd."""

from __future__ import annotations

import contextlib
import os
import socket
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from apps.sandbox import wire
from apps.sandbox.launchers import GuestSpec, GuestState, LaunchRefused, Reason


class SandboxUnavailable(Exception):
    """The sandbox daemon does not answer; guests that run go on, so trying again later is right."""


def sandbox() -> SandboxClient:
    """The client of this installation's daemon."""
    from django.conf import settings

    return SandboxClient(settings.BOATHOUSE_SANDBOX_SOCKET)


@dataclass(frozen=True)
class SandboxClient:
    """A synchronous client of the daemon that listens on `socket_path`; cheap to make, safe in threads."""

    socket_path: Path | str
    timeout_seconds: float = 30

    def launch(self, spec: GuestSpec) -> GuestState:
        """Start a guest, or find the one that has this id; raises LaunchRefused."""
        return self._state(self._ask("launch", spec=spec.to_dict()))

    def check(self, guest_id: uuid.UUID) -> GuestState | None:
        """The truth about a guest, or None for an id that was never launched here."""
        answer = self._ask("check", id=str(guest_id))
        return self._state(answer) if answer else None

    def stop(self, guest_id: uuid.UUID, *, grace_seconds: float = 5, reason: Reason = "stopped") -> GuestState:
        """End a guest and everything it started; answers when that has happened."""
        return self._state(self._ask("stop", id=str(guest_id), grace_seconds=grace_seconds, reason=reason))

    def wait(self, guest_id: uuid.UUID, seconds: float) -> GuestState:
        """The guest's state when it is final, or as it is after `seconds`."""
        until = time.monotonic() + seconds
        while True:
            left = max(0.0, until - time.monotonic())
            answer = self._ask("wait", id=str(guest_id), seconds=min(left, self.timeout_seconds / 2))
            if answer is None:
                raise LaunchRefused(f"there is no guest {guest_id} here")
            state = self._state(answer)
            if state.is_final or not left:
                return state

    def list_guests(self) -> list[GuestState]:
        """All guests of this machine that are not forgotten yet."""
        return [self._state(values) for values in self._ask("list")]

    def read_output(self, guest_id: uuid.UUID, offset: int = 0, size: int = 1 << 20) -> bytes:
        """What the guest printed (both streams), from a byte offset on; also after its end."""
        return self._exchange("read_output", id=str(guest_id), offset=offset, size=size)[1]

    def open_file(self, guest_id: uuid.UUID, path: str) -> BinaryIO:
        """A regular file that the guest left below /work, open for reading; links are refused."""
        _, _, fds = self._exchange("open_file", id=str(guest_id), path=path)
        return os.fdopen(fds[0], "rb")

    def remove(self, guest_id: uuid.UUID) -> None:
        """Forget a guest that has ended, with its output and files."""
        self._ask("remove", id=str(guest_id))

    def report(self) -> dict[str, Any]:
        """What this machine can and cannot give guests: {"ok", "walls": {...}, "missing": [sentence, ...]}."""
        report: dict[str, Any] = self._ask("report")
        return report

    def _state(self, values: dict[str, Any]) -> GuestState:
        return GuestState.from_dict(values)

    def _ask(self, verb: str, **arguments: Any) -> Any:
        return self._exchange(verb, **arguments)[0]

    def _exchange(self, verb: str, **arguments: Any) -> tuple[Any, bytes, list[int]]:
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as peer:
            peer.settimeout(self.timeout_seconds + arguments.get("grace_seconds", 0))
            try:
                peer.connect(str(self.socket_path))
                wire.send(peer, {"verb": verb, **arguments})
                answer, payload, fds = wire.receive(peer)
            except OSError as failure:
                raise SandboxUnavailable(
                    f"the sandbox daemon at {self.socket_path} does not answer: {failure}"
                ) from failure
        kind = answer.get("error")
        if kind == "refused":
            raise LaunchRefused(answer["message"])
        if kind == "missing":
            raise FileNotFoundError(answer["message"])
        if kind:
            raise SandboxUnavailable(answer["message"])
        return answer["value"], payload, fds
