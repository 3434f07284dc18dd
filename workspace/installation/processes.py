"""Starting a process of ours, knowing it again by pid and start time, and ending it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from workspace.installation.accounts import Account

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Command:
    """What to start: arguments, folder, account, the signal that asks it to end, and the one it gets when we die."""

    argv: Sequence[str]
    cwd: Path
    environment: Mapping[str, str]
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals | None = None  # the stop signal, unless it must be another
    inherited_fds: Sequence[int] = field(default=())


def die_with_parent(number: signal.Signals = signal.SIGKILL) -> None:
    """Have the kernel send us this signal when our parent ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, int(number))


def launch(command: Command, log: Path) -> subprocess.Popen[bytes]:
    """Start a child in its own session, its output appended to the log; it is told when we die."""
    parent = os.getpid()
    death_signal = command.death_signal or command.stop_signal

    def in_child() -> None:
        die_with_parent(death_signal)
        if os.getppid() != parent:
            os._exit(1)

    account = command.account
    with open(log, "ab") as output:
        return subprocess.Popen(
            list(command.argv),
            cwd=command.cwd,
            env=dict(command.environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            pass_fds=command.inherited_fds,
            preexec_fn=in_child,
        )


def run(command: Command, *, input: str = "", timeout_seconds: float = 60) -> subprocess.CompletedProcess[str]:
    """Run a short command to its end and return what it printed."""
    account = command.account
    return subprocess.run(
        list(command.argv),
        cwd=command.cwd,
        env=dict(command.environment),
        input=input,
        text=True,
        capture_output=True,
        timeout=timeout_seconds,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        check=False,
    )


@dataclass(frozen=True)
class Identity:
    """A process that cannot be mistaken for a later one with the same number."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int, *, or_dead: bool = False) -> Identity | None:
        """The identity of a running process, None when there is none (a dead one not reaped yet is none)."""
        try:
            text = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return None
        state, *rest = text.rpartition(")")[2].split()
        if state in "ZX" and not or_dead:
            return None
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return cls(pid, f"{boot}/{rest[18]}")

    def is_running(self) -> bool:
        return Identity.of(self.pid) == self

    def send(self, number: signal.Signals) -> None:
        """Send a signal to exactly this process, never to a successor of its number."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            if self.is_running():
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)

    def end(self, ask: signal.Signals = signal.SIGTERM, patience_seconds: float = 10) -> None:
        """Ask the process to end, wait, and kill it when it does not."""
        self.send(ask)
        if not self.wait(patience_seconds):
            self.send(signal.SIGKILL)
            self.wait(5)

    def wait(self, seconds: float) -> bool:
        """Whether the process was gone before the time was over."""
        deadline = time.monotonic() + seconds
        while self.is_running():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True


@dataclass
class Child:
    """A child that we started and must reap."""

    process: subprocess.Popen[bytes]
    identity: Identity
    stop_signal: signal.Signals

    @classmethod
    def launch(cls, command: Command, log: Path) -> Child:
        """Start it. Until it is reaped its number cannot be another's, so the identity is surely its own."""
        process = launch(command, log)
        identity = Identity.of(process.pid, or_dead=True)
        assert identity is not None
        return cls(process, identity, command.stop_signal)

    @property
    def pid(self) -> int:
        return self.process.pid

    def exit_code(self) -> int | None:
        """How it ended, negative for a signal; None while it runs."""
        return self.process.poll()
