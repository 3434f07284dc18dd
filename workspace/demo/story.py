"""Prepares the demo (workspaces, people, a client environment of its own) and has the story told from outside."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import uv

from workspace.env import CHECKOUT, Env

HERE = Path(__file__).parent
ADMIN = "ada@example.com"
PEOPLE = ["priya@example.com", "tomasz@example.com", "ben@example.com"]
WORKSPACES = ["flight-ops", "crew-lab"]


def tell(env: Env) -> int:
    """Tell the whole story; 0 when every step did what it says."""
    began = time.monotonic()
    python = client_environment(env.home / "demo")
    tokens: dict[str, str] = {}
    for name in WORKSPACES:
        tokens[name] = _workspace(name)
    for email in PEOPLE:
        _manage("user", "add", WORKSPACES[0], email, may_exist=True)
        tokens[email] = _manage("token", "create", WORKSPACES[0], email, "--days", "30")["token"]
    told = subprocess.run(
        [str(python), str(HERE / "client" / "main.py")],
        env={
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(env.home / "demo"),
            "BOATHOUSE_URL": env.url,
            "BOATHOUSE_DEMO": json.dumps(
                {"tokens": tokens, "folder": str(env.home / "demo"), "admin": ADMIN, "people": PEOPLE}
            ),
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_LOGGING_LEVEL": "ERROR",
            "PYTHONPATH": str(HERE / "repository"),
            "PYTHONWARNINGS": "ignore",
        },
        cwd=env.home / "demo",
    )
    if told.returncode != 0:
        return told.returncode
    link = _manage("user", "link", WORKSPACES[0], ADMIN)
    print(f"\nDone in {time.monotonic() - began:.0f} s. Sign in (once, for 15 minutes): {link['url']}")
    return 0


def client_environment(folder: Path) -> Path:
    """The Python of the story's own environment, made when it is not there or its lock changed."""
    lock = HERE / "client" / "requirements.lock"
    client = CHECKOUT / "client"
    sources = [lock, *sorted(client.rglob("*.py")), client / "pyproject.toml"]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    place, mark = folder / "client-env", folder / "client-env" / "made-from"
    if mark.exists() and mark.read_text() == digest:
        return place / "bin" / "python"
    print("preparing the clients' environment", flush=True)
    shutil.rmtree(place, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    program = uv.find_uv_bin()
    python = place / "bin" / "python"
    for step in (
        ["venv", "--quiet", "--python", sys.executable, str(place)],
        ["pip", "sync", "--quiet", "--compile-bytecode", "--python", str(python), str(lock)],
        ["pip", "install", "--quiet", "--no-deps", "--python", str(python), str(client)],
    ):
        subprocess.run([program, *step], check=True)
    mark.write_text(digest)
    return python


def _workspace(name: str) -> str:
    """A token of the workspace's admin; the workspace is made when it is not there."""
    made = _manage("workspace", "create", name, "--admin", ADMIN, may_exist=True)
    return made.get("token") or _manage("token", "create", name, ADMIN, "--days", "30")["token"]


def _manage(*arguments: str, may_exist: bool = False) -> dict[str, Any]:
    """What a command of manage.py answers. Raises RuntimeError with its words."""
    done = subprocess.run(
        [sys.executable, str(CHECKOUT / "manage.py"), *arguments, "--json"], capture_output=True, text=True
    )
    answer: dict[str, Any] = json.loads(done.stdout or "{}")
    if done.returncode != 0 and not (may_exist and "already" in answer.get("error", "")):
        raise RuntimeError(f"manage.py {' '.join(arguments)}: {answer.get('error') or done.stderr}")
    return answer
