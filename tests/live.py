"""A whole installation, started as a user starts it, and Pythons of their own for the unmodified clients."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import uv

from tests.builders import Api

CHECKOUT = Path(__file__).resolve().parents[1]
# Kept between runs, by content: a client environment is downloaded once per machine.
CLIENTS = Path(os.environ.get("BOATHOUSE_TEST_CACHE") or Path(tempfile.gettempdir()) / "boathouse-test-clients")


@dataclass(frozen=True)
class Installation:
    """A running installation in a home of its own."""

    home: Path
    port: int

    @property
    def url(self) -> str:
        """Where web listens."""
        return f"http://127.0.0.1:{self.port}"

    def manage(self, *arguments: str) -> dict[str, Any]:
        """What a command of manage.py answers with --json. Raises RuntimeError with its words."""
        done = self.run(*arguments, "--json")
        if done.returncode != 0:
            raise RuntimeError(f"manage.py {' '.join(arguments)}: {done.stdout} {done.stderr}")
        return json.loads(done.stdout)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command of manage.py, whatever it answers."""
        return subprocess.run(
            [sys.executable, str(CHECKOUT / "manage.py"), *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
        )

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which commands find this installation."""
        own = {
            "BOATHOUSE_HOME": str(self.home),
            "BOATHOUSE_PORT": str(self.port),
            "BOATHOUSE_DEVELOPMENT": "1",  # the component gallery is there
            "PATH": os.environ["PATH"],
            "HOME": os.environ["HOME"],
        }
        passed = {
            name: value for name, value in os.environ.items() if name.startswith(("UV_", "SSL_", "PIP_", "LANG", "LC_"))
        }
        return {**passed, **own}

    def workspace(self, name: str, admin: str = "ada@example.com") -> str:
        """A new workspace; the token of its admin."""
        return str(self.manage("workspace", "create", name, "--admin", admin)["token"])

    def member(self, workspace: str, email: str) -> str:
        """A new member of a workspace; a token of theirs."""
        return str(self.manage("user", "add", workspace, email)["token"])

    def sign_in_link(self, workspace: str, email: str = "ada@example.com") -> str:
        """A one-time link that signs a browser in."""
        return str(self.manage("user", "link", workspace, email)["url"])

    def mailed_link(self, email: str, seconds: float = 60) -> str:
        """The link in the newest mail to somebody: mail goes to files in the home."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for path in sorted((self.home / "mail").glob("*"), key=lambda path: path.stat().st_mtime, reverse=True):
                text = path.read_text()
                if f"To: {email}" in text and (link := re.search(r"https?://\S+/\S+", text)):
                    return link[0]
            time.sleep(0.2)
        raise AssertionError(f"no mail to {email} within {seconds} s")


def start() -> Installation:
    """A running installation on free ports. Raises RuntimeError with what `up` said."""
    installation = Installation(Path(tempfile.mkdtemp(prefix="boathouse-live-")), free_port())
    done = installation.run("up")
    if done.returncode != 0:
        raise RuntimeError(done.stdout + done.stderr)
    return installation


def end(installation: Installation) -> None:
    """Stop it and remove its home."""
    installation.run("down")
    shutil.rmtree(installation.home, ignore_errors=True)


def free_port() -> int:
    """A port that is free, with the one after it."""
    for _ in range(50):
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port
    raise RuntimeError("no two free ports side by side")


def client_python(*requirements: str, with_boathouse: bool = False) -> Path:
    """The Python of an environment that holds these requirements and nothing of the server; built once per content."""
    client = CHECKOUT / "client"
    content = hashlib.sha256("\n".join([sys.version, *sorted(requirements)]).encode())
    if with_boathouse:
        for path in [client / "pyproject.toml", *sorted((client / "boathouse").glob("*.py"))]:
            content.update(path.read_bytes())
    place = CLIENTS / content.hexdigest()[:24]
    python, mark = place / "bin" / "python", place / "complete"
    CLIENTS.mkdir(parents=True, exist_ok=True)
    with open(f"{place}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not mark.exists():
            shutil.rmtree(place, ignore_errors=True)
            program = uv.find_uv_bin()
            subprocess.run([program, "venv", "-q", "--python", sys.executable, str(place)], check=True)
            install = [program, "pip", "install", "-q", "--compile-bytecode", "--python", str(python)]
            wanted = ["certifi!=2026.10.19.post1", *requirements, *([str(client)] if with_boathouse else [])]
            # A mirror that is behind names a release that it does not have yet: asked once more, afresh.
            if subprocess.run([*install, *wanted]).returncode != 0:
                subprocess.run([*install, "--refresh", *wanted], check=True)
            mark.touch()
    return python


def run_client(python: Path, script: str, url: str, token: str, *arguments: str, seconds: int = 300) -> str:
    """What a script printed when run by a client's Python with only an address and a token. Raises AssertionError with its words."""
    with tempfile.TemporaryDirectory() as folder:
        env = {
            "PATH": os.environ["PATH"],
            "HOME": folder,
            "BOATHOUSE_URL": url,
            "BOATHOUSE_TOKEN": token,
            "MLFLOW_TRACKING_URI": url,
            "MLFLOW_TRACKING_TOKEN": token,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
            "GIT_PYTHON_REFRESH": "quiet",
            "GIT_TERMINAL_PROMPT": "0",
        }
        done = subprocess.run(
            [str(python), "-c", script, *arguments],
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            timeout=seconds,
        )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
    return done.stdout


class LiveApi(Api):
    """JSON over HTTP to a running installation, as somebody."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token, self.http = url, token, requests.Session()

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        sent = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return self.http.request(method, self.url + path, json=body, headers={**sent, **headers}, timeout=60)
