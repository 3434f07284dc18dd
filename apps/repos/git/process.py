"""How a git process is started here, and what it may cost: one environment, one set of limits, fixed arguments."""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import IO, Any

from apps.foundation.errors import Unavailable

CPU_SECONDS = 600
ADDRESS_SPACE_BYTES = 4 << 30  # git maps its packs; the windows below keep it far under this
FILE_BYTES = 8 << 30
PUSH_BYTES = 2 << 30
FETCH_REQUEST_BYTES = 32 << 20
OUTPUT_BYTES = 8 << 20
SECONDS = 20.0

# A planted hook, alias or credential helper never runs: only this list and the repository's own config, which is ours, count.
_CONFIG = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.logAllRefUpdates": "always",  # what a push did can be read back after a crash
    "core.packedGitWindowSize": "32m",
    "core.packedGitLimit": "512m",
    "core.deltaBaseCacheLimit": "64m",
    "core.bigFileThreshold": "64m",
    "core.quotePath": "false",
    "diff.renameLimit": "400",
    "gc.auto": "0",
    "gc.autoDetach": "false",
    "http.receivepack": "true",
    "http.maxRequestBuffer": str(FETCH_REQUEST_BYTES),
    "i18n.logOutputEncoding": "UTF-8",
    "log.showSignature": "false",
    "pack.threads": "1",
    "pack.windowMemory": "128m",
    "protocol.allow": "never",
    "receive.advertisePushOptions": "false",
    "receive.autogc": "false",
    "receive.fsckObjects": "true",
    "receive.fsck.badTimezone": "ignore",  # old public histories have these two, and they harm nobody
    "receive.fsck.zeroPaddedFilemode": "ignore",
    "receive.shallowUpdate": "false",
    "transfer.fsckObjects": "true",
    "transfer.hideRefs": "refs/boathouse",
    "transfer.unpackLimit": "200",
    "uploadpack.allowFilter": "true",
}


class OutputTooLarge(Exception):
    """git said more than the caller will take."""


class GitFailed(Exception):
    """git ended with an error; `said` is for logs, never for people outside."""

    def __init__(self, code: int, said: str, output: bytes = b"") -> None:
        super().__init__(f"git ended with {code}: {said[:500]}")
        self.code, self.said, self.output = code, said, output


@cache
def _binary(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise Unavailable(f"The program {name} is not installed on the server; install it and try again.")
    return found


def environment(repository: Path, **extra: str) -> dict[str, str]:
    """The whole environment of a git process for one repository; nothing of ours leaks into it."""
    config = {
        **_CONFIG,
        "safe.directory": str(repository),
        "receive.maxInputSize": str(PUSH_BYTES),
    }
    settings = {"GIT_CONFIG_COUNT": str(len(config))}
    for number, (key, value) in enumerate(config.items()):
        settings[f"GIT_CONFIG_KEY_{number}"] = key
        settings[f"GIT_CONFIG_VALUE_{number}"] = value
    return {
        "PATH": os.defpath,
        "HOME": "/nonexistent",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        **settings,
        **extra,
    }


def arguments(*argv: str) -> list[str]:
    """The command line of a git process inside its limits."""
    limits = [
        f"--cpu={CPU_SECONDS}",
        f"--as={ADDRESS_SPACE_BYTES}",
        f"--fsize={FILE_BYTES}",
        "--core=0",
        "--nofile=512",
    ]
    return [_binary("prlimit"), *limits, _binary("git"), *argv]


def start(
    repository: Path,
    argv: Sequence[str],
    *,
    stdin: Any = subprocess.DEVNULL,
    **extra: str,
) -> subprocess.Popen[bytes]:
    """A running git process in a group of its own, output piped."""
    return subprocess.Popen(
        arguments(f"--git-dir={repository}", *argv),
        env=environment(repository, **extra),
        cwd="/",
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def stop(pid: int) -> None:
    """Kill the process group of a git process."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def run(
    repository: Path,
    *argv: str,
    given: bytes = b"",
    cap: int = OUTPUT_BYTES,
    cut: bool = False,
    seconds: float = SECONDS,
    extra: Mapping[str, str] | None = None,
    source: IO[bytes] | None = None,
) -> bytes:
    """What git prints, up to `cap` bytes: past that OutputTooLarge, or with `cut` the beginning."""
    output = bytearray()
    try:
        with closing(stream(repository, *argv, given=given, seconds=seconds, extra=extra, source=source)) as pieces:
            for piece in pieces:
                output += piece
                if len(output) > cap:
                    if cut:
                        return bytes(output[:cap])
                    raise OutputTooLarge
    except GitFailed as error:
        raise GitFailed(error.code, error.said, bytes(output)) from error
    return bytes(output)


def stream(
    repository: Path,
    *argv: str,
    given: bytes = b"",
    seconds: float = SECONDS,
    extra: Mapping[str, str] | None = None,
    source: IO[bytes] | None = None,
) -> Generator[bytes, None, None]:
    """What git prints, piece by piece; the process dies with the iterator. `given` or an open file is its input."""
    with tempfile.TemporaryFile() as question:  # a pipe would have to be fed while git already answers
        question.write(given)
        question.seek(0)
        process = start(repository, argv, stdin=source or question, **(extra or {}))
    deadline = time.monotonic() + seconds
    said = bytearray()
    try:
        with selectors.DefaultSelector() as waiting:
            for pipe in filter(None, (process.stdout, process.stderr)):
                waiting.register(pipe, selectors.EVENT_READ)
            while waiting.get_map():
                ready = waiting.select(max(0.0, deadline - time.monotonic()))
                if not ready:
                    raise _too_slow()
                for key, _ in ready:
                    chunk = os.read(key.fd, 1 << 16)
                    if not chunk:
                        waiting.unregister(key.fileobj)
                    elif key.fileobj is process.stdout:
                        yield chunk
                    elif len(said) < 4096:
                        said += chunk
        code = process.wait(timeout=max(0.1, deadline - time.monotonic()))
        if code:
            raise GitFailed(code, said.decode(errors="replace"))
    except subprocess.TimeoutExpired as error:
        raise _too_slow() from error
    finally:
        close(process)


def _too_slow() -> Unavailable:
    return Unavailable("Reading the repository took too long; ask for less at once.")


def close(process: subprocess.Popen[bytes]) -> None:
    """Make sure that a git process and its pipes are gone."""
    if process.poll() is None:
        stop(process.pid)
        process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
