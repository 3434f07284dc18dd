"""Python environments for guests: resolved once, locked, built once per content, shown read-only to whoever needs them."""

from __future__ import annotations

import argparse
import contextlib
import csv
import fcntl
import hashlib
import importlib.util
import os
import platform
import re
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import uv

from apps.foundation.errors import Unavailable
from apps.sandbox.requirements import DEFAULT, OURS, EnvironmentFailed, Requirements

_DEFAULT_LOCK = Path(__file__).with_name("default-environment.lock")
# Raised when the way of building changes, so that old builds are not taken for new ones.
_RECIPE = 2
_PASSED_ON = re.compile(r"^(UV_.*|SSL_.*|HOME|PATH|LANG|XDG_.*|[a-z]+_proxy|[A-Z]+_PROXY)$")
_VANISHED = "there is no version of"
_TRIES = 4
_NETWORK_WORDS = ("error sending request", "dns error", "failed to fetch", "connection refused", "timed out")
# Tests of packages are never imported and are a third of the files. The limit is for sources made to hurt.
_COMPILE = """
import compileall, re, resource, sys
resource.setrlimit(resource.RLIMIT_DATA, (2 << 30, 2 << 30))
compileall.compile_dir(sys.argv[1], quiet=2, workers=0, rx=re.compile("/tests?/"))
"""

# Called with each line of progress, and with "" about once a second; what it raises cancels the build.
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Environment:
    """A finished environment: a folder that guests see read-only at its own path."""

    digest: str
    folder: str
    python: str
    lock: str


class EnvironmentUnavailable(Unavailable):
    """The package index does not answer: not the user's fault, and worth another try."""

    code, title = "environment_unavailable", "The package index cannot be reached"


def build(
    home: Path,
    requirements: Requirements = DEFAULT,
    *,
    progress: Progress = lambda _line: None,
    within_seconds: float = 1200,
) -> Environment:
    """The environment that holds the requirements, built if there is none; raises EnvironmentFailed in the tool's words."""
    until = time.monotonic() + within_seconds
    folder = home / "environments"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept = _kept_lock(folder, requirements)
    options: tuple[str, ...] = ()
    for _ in range(_TRIES - 1):
        try:
            return _build(home, folder, requirements, progress, until, *options)
        except EnvironmentFailed as failure:
            # What the index offered when we resolved is not to be had (a withdrawn release, a mirror behind): choose anew.
            if _VANISHED not in failure.message or not kept.exists():
                raise
        progress("A package that was chosen is not to be had any more; choosing anew.")
        kept.unlink(missing_ok=True)
        options = ("--refresh",)
        time.sleep(2)
    return _build(home, folder, requirements, progress, until, *options)


def _build(
    home: Path, folder: Path, requirements: Requirements, progress: Progress, until: float, *options: str
) -> Environment:
    lock = _resolve(folder, requirements, progress, until, *options)
    found = find(home, lock)
    if found:
        progress(f"Environment {found.digest[:12]} is there already ({requirements.source}).")
        return found
    digest = _digest(lock)
    with _alone(folder / f"{digest}.building", progress, until):
        return find(home, lock) or _install(folder, digest, lock, progress, until, *options)


def main() -> None:
    """Build the default environment ahead of the first job: `python -m apps.sandbox.environments --home HOME`."""
    parser = argparse.ArgumentParser(prog="environments")
    parser.add_argument("--home", type=Path, required=True)
    build(parser.parse_args().home, progress=lambda line: print(line, flush=True) if line else None)


def find(home: Path, lock: str) -> Environment | None:
    """The environment built from this lock, or None."""
    digest = _digest(lock)
    folder = home / "environments" / digest
    if not (folder / "bin" / "python").exists():
        return None
    # When it was last wanted, for whoever clears old ones away.
    os.utime(folder)
    return Environment(digest, str(folder), str(folder / "bin" / "python"), lock)


def clear(home: Path, *, unused_seconds: float) -> int:
    """Remove environments that nobody asked for lately, and what killed builders left; how many went."""
    count = 0
    for folder in (home / "environments").glob("*"):
        # A build takes minutes, so a day-old draft is nobody's.
        oldest = time.time() - (86400 if folder.name.startswith(".draft-") else unused_seconds)
        if folder.is_dir() and folder.name != "resolved" and folder.stat().st_mtime < oldest:
            shutil.rmtree(folder)
            count += 1
    return count


def _digest(lock: str) -> str:
    content = f"{_RECIPE}\n{platform.python_version()}\n{interpreter()}\n{platform.machine()}\n{lock}"
    return hashlib.sha256(content.encode()).hexdigest()[:32]


def interpreter() -> str:
    """The Python that environments are made of: the one that runs us, outside of any virtual environment."""
    return os.path.realpath(getattr(sys, "_base_executable", sys.executable))


def _kept_lock(folder: Path, requirements: Requirements) -> Path:
    content = f"{_RECIPE} {platform.python_version()} {requirements.digest} {OURS}"
    return folder / "resolved" / f"{hashlib.sha256(content.encode()).hexdigest()[:32]}.lock"


def _resolve(folder: Path, requirements: Requirements, progress: Progress, until: float, *options: str) -> str:
    """The lock for these requirements: kept from the first time on, so that the same commit gets the same packages."""
    if not requirements.lines:
        return _DEFAULT_LOCK.read_text()
    kept = _kept_lock(folder, requirements)
    if kept.exists():
        return kept.read_text()
    kept.parent.mkdir(mode=0o700, exist_ok=True)
    progress(f"Resolving {len(requirements.lines)} requirements of {requirements.source}.")
    with tempfile.TemporaryDirectory(prefix=".draft-", dir=folder) as draft:
        wanted, lock = Path(draft) / "requirements.in", Path(draft) / "lock"
        wanted.write_text("\n".join([*requirements.lines, *OURS]) + "\n")
        _uv(
            ["pip", "compile", "--quiet", "--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url"]
            + ["--only-binary", ":all:", "--python", interpreter(), "--output-file", str(lock), *options, str(wanted)],
            progress,
            until,
        )
        os.replace(lock, kept)
    return kept.read_text()


def _install(folder: Path, digest: str, lock: str, progress: Progress, until: float, *options: str) -> Environment:
    draft = Path(tempfile.mkdtemp(prefix=f".draft-{digest}-", dir=folder))
    target = folder / digest
    try:
        progress(f"Installing packages into environment {digest[:12]}.")
        wanted = draft / "requirements.lock"
        wanted.write_text(lock)
        python = str(draft / "bin" / "python")
        _uv(
            ["venv", "--quiet", "--allow-existing", "--relocatable", "--python", interpreter(), str(draft)],
            progress,
            until,
        )
        _uv(
            ["pip", "sync", "--require-hashes", "--only-binary", ":all:", "--python", python, *options, str(wanted)],
            progress,
            until,
        )
        progress("Compiling bytecode, so that imports are quick.")
        _borrow_bytecode(draft, folder / _digest(_DEFAULT_LOCK.read_text()))
        # Without `site`, since a package's .pth file is code, and this runs outside of any guest.
        _run([interpreter(), "-I", "-S", "-c", _COMPILE, str(draft / "lib")], progress, until, accept_failure=True)
        for path in (draft, draft / "bin"):
            path.chmod(0o755)
        try:
            os.rename(draft, target)
        except OSError:
            if not target.exists():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    progress(f"Environment {digest[:12]} is ready.")
    return Environment(digest, str(target), str(target / "bin" / "python"), lock)


def _borrow_bytecode(draft: Path, default: Path) -> None:
    """Link what is compiled already, from the default environment only: any other may hold bytecode made to hurt.

    Python and the compiler take it for a source of the same time and size, and compile anew otherwise.
    """
    for site in default.glob("lib/python*/site-packages"):
        new = draft / site.relative_to(default)
        for info in site.glob("*.dist-info"):
            if not (new / info.name).is_dir():
                continue
            for row in csv.reader((info / "RECORD").read_text().splitlines()):
                compiled = Path(importlib.util.cache_from_source(row[0])) if row[0].endswith(".py") else None
                if compiled and (site / compiled).exists() and (new / row[0]).exists():
                    (new / compiled).parent.mkdir(exist_ok=True)
                    with contextlib.suppress(FileExistsError):
                        os.link(site / compiled, new / compiled)


@contextlib.contextmanager
def _alone(path: Path, progress: Progress, until: float) -> Iterator[None]:
    """Hold a lock file among processes, so that one environment is built once."""
    held = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        waited = False
        while True:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise EnvironmentFailed("another process is still building the same environment") from None
                progress("" if waited else "Waiting for the same environment, which is being built already.")
                waited = True
                time.sleep(0.5)
        yield
    finally:
        os.close(held)


def _uv(arguments: Sequence[str], progress: Progress, until: float) -> None:
    _run([uv.find_uv_bin(), "--no-progress", "--color", "never", *arguments], progress, until)


def _run(argv: Sequence[str], progress: Progress, until: float, *, accept_failure: bool = False) -> None:
    """Run a tool in its own session, hand on its lines, and end it when time is up or progress raises."""
    env = {name: value for name, value in os.environ.items() if _PASSED_ON.match(name)}
    said: list[str] = []
    with subprocess.Popen(
        argv, env=env, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True, umask=0o022,
    ) as tool:  # fmt: skip
        assert tool.stdout is not None
        try:
            for line in _lines(tool.stdout.fileno(), until):
                # A path of this machine, of no use to who waits.
                if line.startswith("Using Python "):
                    continue
                if line:
                    said.append(line)
                progress(line)
        except BaseException:
            os.killpg(tool.pid, signal.SIGKILL)
            raise
    if tool.returncode and not accept_failure:
        text = "\n".join(said[-60:])
        if any(word in text.lower() for word in _NETWORK_WORDS):
            raise EnvironmentUnavailable(f"The package index cannot be reached now: {text[-1000:]}")
        raise EnvironmentFailed(text or f"{argv[0]} ended with {tool.returncode}")


def _lines(output: int, until: float) -> Iterator[str]:
    """The tool's lines as they come, and "" when a second passes without any."""
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        while True:
            if time.monotonic() > until:
                raise EnvironmentFailed("building the environment took too long and was stopped")
            if not selector.select(1.0):
                yield ""
                continue
            chunk = os.read(output, 65536)
            if not chunk:
                break
            *whole, rest = (rest + chunk).split(b"\n")
            yield from (line.decode(errors="replace").rstrip() for line in whole)
    if rest:
        yield rest.decode(errors="replace")


if __name__ == "__main__":
    main()
