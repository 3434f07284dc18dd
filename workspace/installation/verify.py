"""What CI runs, in its order; the test runner's summary comes last."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence

from workspace.env import CHECKOUT, Env
from workspace.installation import bootstrap, frontend
from workspace.installation.home import InstallationError

_CHECKS = {
    "format": ["ruff", "format", "--check", "."],
    "lint": ["ruff", "check", "."],
    "types": ["mypy", "workspace", "apps"],
    "floors": ["lint-imports"],
}
_SNAPSHOTS = ["tests/architecture", "tests/isolation"]


def run(env: Env, pytest_arguments: Sequence[str] = ()) -> int:
    """All checks, or pytest alone when it is given arguments; 0 when all are good."""
    frontend.build()
    install_browser()
    if pytest_arguments:
        return _pytest(env, pytest_arguments)
    failed = [name for name, command in _CHECKS.items() if not _check(env, name, command)]
    package = frontend.SOURCES / "package.json"
    scripts = json.loads(package.read_text()).get("scripts", {}) if package.exists() else {}
    failed += [script for script in ("check", "test") if script in scripts and not _check_front_end(script)]
    if failed:
        print(f"these failed, see above: {', '.join(failed)}; the tests run all the same", flush=True)
    return _pytest(env, []) or int(bool(failed))


def update(env: Env) -> int:
    """Write the snapshots and the reference pages anew, from the code as it is; `git diff` is the review."""
    code = _pytest(env, _SNAPSHOTS, BOATHOUSE_UPDATE_SNAPSHOTS="1")
    argv = [sys.executable, "-c", "import django; django.setup(); from workspace import reference; reference.write()"]
    # The pages need the code only, so the program is loaded without a home's database.
    written = subprocess.run(argv, cwd=CHECKOUT, env=env.for_process(DJANGO_SETTINGS_MODULE="workspace.settings"))
    return code or written.returncode


def install_browser() -> None:
    """Debian's Chromium for the browser tests, where it is missing and we may install it."""
    if shutil.which("chromium") or os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    bootstrap.say("installing chromium for the browser tests")
    for arguments in (["update", "-q"], ["install", "-y", "-q", "--no-install-recommends", "chromium"]):
        done = subprocess.run(["apt-get", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            bootstrap.say(
                f"apt-get {arguments[0]} failed; the browser tests will say what they miss\n{done.stdout[-1000:]}"
            )


def _check(env: Env, name: str, command: list[str]) -> bool:
    began = time.monotonic()
    argv = [str(bootstrap.ENVIRONMENT / "bin" / command[0]), *command[1:]]
    done = subprocess.run(
        argv, cwd=CHECKOUT, env=env.for_process(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return _tell(name, began, "" if done.returncode == 0 else done.stdout or f"ended with {done.returncode}")


def _check_front_end(script: str) -> bool:
    began = time.monotonic()
    try:
        frontend.npm("run", script)
    except InstallationError as error:
        return _tell(script, began, str(error))
    return _tell(script, began, "")


def _tell(name: str, began: float, complaint: str) -> bool:
    print(f"{'FAILED' if complaint else 'ok':<7}{name} ({time.monotonic() - began:.1f} s)", flush=True)
    if complaint:
        print(complaint[-8000:], flush=True)
    return not complaint


def _pytest(env: Env, arguments: Sequence[str], **changes: str) -> int:
    argv = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.run(argv, cwd=CHECKOUT, env=env.for_process(**changes)).returncode
