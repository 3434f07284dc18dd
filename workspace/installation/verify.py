"""What CI runs, in its order; the test runner's summary comes last."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from workspace.env import CHECKOUT, Env
from workspace.installation import bootstrap, frontend

_BIN = bootstrap.ENVIRONMENT / "bin"


def run(env: Env, pytest_arguments: Sequence[str] = ()) -> int:
    """All checks, or pytest alone when it is given arguments; the first exit code that is not 0."""
    frontend.build()
    install_browser()
    if pytest_arguments:
        return _pytest(env, pytest_arguments)
    steps: list[tuple[str, list[str], Path]] = [
        ("format", ["ruff", "format", "--check", "."], CHECKOUT),
        ("lint", ["ruff", "check", "."], CHECKOUT),
        ("floors", ["lint-imports"], CHECKOUT),
    ]
    failed = [
        name for name, command, folder in steps if not _step(env, name, [str(_BIN / command[0]), *command[1:]], folder)
    ]
    if (frontend.SOURCES / "package.json").exists():
        failed += [f"front end: {name}" for name in ("check", "test") if not _npm(name)]
    code = _pytest(env, [])
    if failed:
        print(f"failed before the tests: {', '.join(failed)} (see above)", file=sys.stderr)
    return code or bool(failed)


def install_browser() -> None:
    """Debian's Chromium for the browser tests, where it is missing and we may install it."""
    if shutil.which("chromium") or os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    bootstrap.say("installing chromium for the browser tests")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(["apt-get", "update", "-q"], **quiet)
    subprocess.run(["apt-get", "install", "-y", "-q", "--no-install-recommends", "chromium"], **quiet)


def _step(env: Env, name: str, command: list[str], folder: Path) -> bool:
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=folder, env=env.for_process(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    good = done.returncode == 0
    print(f"{'ok' if good else 'FAILED':<7}{name} ({time.monotonic() - began:.1f} s)", flush=True)
    if not good:
        print(done.stdout[-8000:], flush=True)
    return good


def _npm(script: str) -> bool:
    began = time.monotonic()
    try:
        frontend.npm("run", script)
    except Exception as error:
        print(f"FAILED front end: {script}\n{error}", flush=True)
        return False
    print(f"ok     front end: {script} ({time.monotonic() - began:.1f} s)", flush=True)
    return True


def _pytest(env: Env, arguments: Sequence[str]) -> int:
    return subprocess.run([sys.executable, "-m", "pytest", *arguments], cwd=CHECKOUT, env=env.for_process()).returncode
