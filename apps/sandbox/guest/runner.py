"""Runs a job's script inside its guest: `python -m guest.runner --source SOURCE.tar SCRIPT -- ARGUMENTS`.

Unpacks the commit into the work folder, starts the script in this Python, prints and hands over its output, beats, and ends
with the script's exit code. Boathouse may be away meanwhile: the script goes on and what is owed is handed over later.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeVar

from . import protocol

_CLIENT_FOLDER = "/boathouse/client"
_LOG_SECONDS = 0.5
_GRACE_SECONDS = 5.0
_OWED_SECONDS = 90.0
_ERROR_BYTES = 4000
_CANNOT_START = 2
T = TypeVar("T")


class Run:
    """The script's process, its output so far, and what Boathouse was told."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url, token
        self.spool: BinaryIO = tempfile.TemporaryFile(dir=os.getcwd())
        self.size = 0
        self.sent = 0
        self.more = threading.Condition()
        self.output_ended = False
        self.script: subprocess.Popen[bytes] | None = None
        self.stopping = threading.Event()
        self.ended = threading.Event()

    def keep(self, chunk: bytes) -> None:
        """Print a piece of output and put it by for the log."""
        view = memoryview(chunk)
        while view:
            view = view[os.write(1, view) :]
        os.pwrite(self.spool.fileno(), chunk, self.size)
        with self.more:
            self.size += len(chunk)
            self.more.notify_all()

    def start(self, script: str, arguments: list[str]) -> int:
        """Run the script to its end; its exit code, with 128 and the number for a signal."""
        env = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
        env["PYTHONPATH"] = _CLIENT_FOLDER
        self.script = subprocess.Popen(
            [sys.executable, script, *arguments],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        reader = threading.Thread(target=self.read, daemon=True)
        reader.start()
        code = self.script.wait()
        # What the script left running in the background may hold its output open for ever.
        reader.join(1.0)
        return code if code >= 0 else 128 - code

    def read(self) -> None:
        """Keep the script's output as it comes."""
        assert self.script is not None and self.script.stdout is not None
        output = self.script.stdout.fileno()
        while chunk := os.read(output, 65536):
            self.keep(chunk)

    def stop(self, reason: str) -> None:
        """Ask the script to end, and end it after the grace."""
        if self.stopping.is_set() or self.script is None or self.script.poll() is not None:
            return
        self.stopping.set()
        self.keep(f"[boathouse: {reason}]\n".encode())
        self.script.terminate()
        threading.Timer(_GRACE_SECONDS, self.script.kill).start()

    # What Boathouse hears

    def beat(self) -> None:
        """Say that the run is alive, until it is not; stop it when Boathouse says so or takes the key no more."""
        line = protocol.Line(self.url, self.token)
        pause = protocol.HEARTBEAT_SECONDS
        while True:
            try:
                answer = line.heartbeat(usage())
                pause = float(answer.get("heartbeat_seconds", pause))
                if answer.get("stop"):
                    self.stop("asked to stop")
            except protocol.Refused as refusal:
                self.stop(f"the run is over for Boathouse ({refusal.status}), so it ends here")
                return
            except protocol.Away:
                pause = min(pause, 2.0)
            if self.ended.wait(pause):
                return

    def ship(self) -> None:
        """Hand over the output, in order, from where the server is; ends when all is handed over after the end."""
        line = protocol.Line(self.url, self.token)
        failures = 0
        while True:
            with self.more:
                while self.sent >= self.size and not self.output_ended:
                    self.more.wait()
                if self.sent >= self.size:
                    return
                size = self.size
            chunk = os.pread(self.spool.fileno(), min(size - self.sent, protocol.LOG_BYTES), self.sent)
            try:
                self.sent = min(line.send_log(self.sent, chunk), self.size)
                failures = 0
            except protocol.Refused:
                return
            except protocol.Away:
                failures = min(failures + 1, 6)
            if failures:
                time.sleep(0.05 * 2**failures)
            elif not self.output_ended:
                time.sleep(_LOG_SECONDS)

    def finish(self, code: int) -> None:
        """Say how it ended; when nobody can be told, the guest's own end says it."""
        tail_from = max(0, self.size - _ERROR_BYTES)
        tail = os.pread(self.spool.fileno(), _ERROR_BYTES, tail_from).decode(errors="replace") if code else ""
        line = protocol.Line(self.url, self.token)
        until = time.monotonic() + _OWED_SECONDS
        while time.monotonic() < until:
            try:
                line.finish(code, self.size, tail)
                return
            except protocol.Refused:
                return
            except protocol.Away:
                time.sleep(1.0)


def usage() -> dict[str, float]:
    """What the run used so far, as far as its ended processes tell."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"cpu_seconds": children.ru_utime + children.ru_stime, "peak_memory_bytes": children.ru_maxrss * 1024.0}


def unpack(source: str) -> bool:
    """Put the commit's files into the work folder; True when there."""
    with tarfile.open(source) as archive:
        # Early Pythons of the 3.11 line have no filters; what a path could reach is this guest's own.
        if hasattr(tarfile, "data_filter"):
            archive.extraction_filter = tarfile.data_filter
        archive.extractall(".")
    return True


def find_script(script: str) -> str:
    """The script's path in the work folder; raises FileNotFoundError when the commit has no such file."""
    path = Path(script).resolve()
    if not path.is_relative_to(Path.cwd()) or not path.is_file():
        raise FileNotFoundError(f"the commit has no file {script}")
    return str(path)


def attempt(work: Callable[[], T], what: str, run: Run) -> T | None:
    """The result, or None after saying what did not work."""
    try:
        return work()
    except (OSError, tarfile.TarError, ValueError) as failure:
        run.keep(f"[boathouse: {what}: {failure}]\n".encode())
        return None


def main() -> int:
    """Run the script of the command line and tell Boathouse; the exit code is the script's."""
    parser = argparse.ArgumentParser(prog="guest.runner")
    parser.add_argument("--source", help="a tar file with the commit's files")
    parser.add_argument("script")
    parser.add_argument("arguments", nargs="*")
    wish = parser.parse_args()
    run = Run(os.environ["BOATHOUSE_URL"], os.environ["BOATHOUSE_TOKEN"])

    # A stop from outside reaches the script as well, which may clean up; the keeper counts the grace.
    signal.signal(signal.SIGTERM, lambda *_: run.stopping.set())
    shipper = threading.Thread(target=run.ship, daemon=True)
    for thread in (shipper, threading.Thread(target=run.beat, daemon=True)):
        thread.start()

    code = _CANNOT_START
    if not wish.source or attempt(lambda: unpack(wish.source), "the commit could not be unpacked", run):
        script = attempt(lambda: find_script(wish.script), "the script cannot be run", run)
        if script is not None:
            code = run.start(script, wish.arguments)
    with run.more:
        run.output_ended = True
        run.more.notify_all()
    shipper.join(_OWED_SECONDS)
    run.ended.set()
    run.finish(code)
    return code


if __name__ == "__main__":
    os._exit(main())
