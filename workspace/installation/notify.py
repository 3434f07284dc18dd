"""Telling the supervisor that this process is ready and alive, in systemd's words (sd_notify)."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from pathlib import Path

from workspace.env import env

_CREDENTIALS = struct.Struct("iII")


def tell(message: str) -> None:
    """Send `READY=1` or `WATCHDOG=1` to whoever started us; nothing happens when nobody listens."""
    if not env.notify_socket:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel, contextlib.suppress(OSError):
        channel.setblocking(False)
        channel.sendto(message.encode(), env.notify_socket)


class Mailbox:
    """The supervisor's end: messages with the number of the process that sent them, vouched for by the kernel."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.unlink(missing_ok=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind(os.fspath(path))
        path.chmod(0o600)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)

    def messages(self) -> list[tuple[int, str]]:
        """What has come since the last time: (pid, message)."""
        found: list[tuple[int, str]] = []
        while True:
            try:
                content, ancillary, _, _ = self.socket.recvmsg(256, socket.CMSG_SPACE(_CREDENTIALS.size))
            except BlockingIOError:
                return found
            for level, kind, credentials in ancillary:
                if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
                    found.append((_CREDENTIALS.unpack(credentials)[0], content.decode(errors="replace")))
