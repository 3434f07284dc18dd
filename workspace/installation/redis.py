"""The embedded Redis: a real server from a wheel, on a Unix socket, every change appended to its log."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path

from workspace.installation import processes
from workspace.installation.accounts import engine_account
from workspace.installation.home import Home, InstallationError
from workspace.installation.processes import Command
from workspace.installation.programs import redis_server

_SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "daemonize": "no",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": "",
    # A queue that silently drops messages when full would be worse than one that refuses.
    "maxmemory-policy": "noeviction",
    "loglevel": "notice",
}


class EmbeddedRedis:
    """One server over one home. `start()` brings it up ready to use; `stop()` ends it."""

    def __init__(self, home: Home | Path) -> None:
        self.home = home if isinstance(home, Home) else Home(home)
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self.home.redis_url

    def start(self) -> EmbeddedRedis:
        """Bring the server up and wait until it answers."""
        command = self.prepare()
        log = self.home.logs / "redis.log"
        self._child = processes.launch(command, log)
        deadline = time.monotonic() + 30
        while not self.is_ready():
            if self._child.poll() is not None or time.monotonic() > deadline:
                end = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
                raise InstallationError(f"Redis does not start; the end of its log:\n{end}")
            time.sleep(0.02)
        return self

    def stop(self) -> None:
        """End the server; it writes what it holds first."""
        if self._child is None:
            return
        self._child.terminate()
        try:
            self._child.wait(10)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child = None

    def prepare(self) -> Command:
        """Make its folders; return the command that serves them."""
        self.home.prepare()
        account = engine_account()
        for folder in (self.home.redis, self.home.redis_socket.parent):
            folder.mkdir(mode=0o700, exist_ok=True)
            if account:
                os.chown(folder, account.uid, account.gid)
        argv = [str(redis_server(account)), "--unixsocket", str(self.home.redis_socket), "--dir", "."]
        for name, value in _SETTINGS.items():
            argv += [f"--{name}", value]
        return Command(argv, self.home.redis, {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}, account)

    def is_ready(self) -> bool:
        """Whether it answers and has read its log back in."""
        return answers(self.home.redis_socket)


def answers(path: Path, timeout_seconds: float = 2) -> bool:
    """Whether the server behind a socket answers a ping."""
    try:
        with socket.socket(socket.AF_UNIX) as channel:
            channel.settimeout(timeout_seconds)
            channel.connect(str(path))
            channel.sendall(b"*1\r\n$4\r\nPING\r\n")
            return channel.recv(64).startswith(b"+PONG")
    except OSError:
        return False
