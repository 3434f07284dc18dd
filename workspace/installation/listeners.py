"""The listening sockets, held by keeper and supervisor, so that no waiting connection is lost with a web process."""

from __future__ import annotations

import argparse
import fcntl
import os
import socket
from dataclasses import dataclass, fields

from workspace.env import Env
from workspace.installation.home import InstallationError

_BACKLOG = 2048


@dataclass(frozen=True)
class Held:
    """What keeper and supervisor hand each other: open file descriptors of the three sockets and of the lock."""

    web: int
    content: int
    guest: int
    lock: int

    def fds(self) -> tuple[int, ...]:
        return tuple(getattr(self, field.name) for field in fields(self))

    def arguments(self) -> list[str]:
        return [f"--{field.name}={getattr(self, field.name)}" for field in fields(self)]

    @classmethod
    def from_arguments(cls, argv: list[str]) -> tuple[Held, argparse.Namespace]:
        """Read them, and `--watch PID`, from a command line."""
        parser = argparse.ArgumentParser()
        for field in fields(cls):
            parser.add_argument(f"--{field.name}", type=int, required=True)
        parser.add_argument("--watch", type=int, required=True)
        given = parser.parse_args(argv)
        return cls(given.web, given.content, given.guest, given.lock), given

    @classmethod
    def take(cls, env: Env) -> Held:
        """Lock the home and bind its sockets."""
        lock = os.open(env.place.run / "supervisor.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InstallationError(f"another supervisor runs in {env.home}; see `manage.py status`") from None
        web = _bind(env.host, env.port, "BOATHOUSE_PORT")
        content = _bind(env.host, env.content_port, "BOATHOUSE_CONTENT_PORT")
        return cls(web.detach(), content.detach(), _bind_guest_door(env).detach(), lock)


def _bind(host: str, port: int, variable: str) -> socket.socket:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
            0
        ]
    except OSError as error:
        raise InstallationError(f"BOATHOUSE_HOST {host!r} is no address of this machine: {error.strerror}") from None
    # asyncio switches Nagle's delay off only when the socket names its protocol; with it an answer waits 40 ms.
    listener = socket.socket(family, kind, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        raise InstallationError(
            f"cannot listen on {host}:{port} ({error.strerror}); end what is there, or set {variable}"
        ) from None
    return listener


def _bind_guest_door(env: Env) -> socket.socket:
    path = env.place.guest_socket
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(os.fspath(path))
    # A guest has a uid of its own and sees just this socket; what it may do is decided by its run key.
    path.chmod(0o666)
    listener.listen(_BACKLOG)
    return listener
