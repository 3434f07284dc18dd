"""The supervisor: starts the parts in order, starts again what dies, ends all in the reverse order."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import sys
import time
from dataclasses import dataclass

from workspace.env import env
from workspace.installation import keeper, logs, processes, records
from workspace.installation.home import InstallationError
from workspace.installation.leftovers import end_leftovers
from workspace.installation.listeners import Held
from workspace.installation.notify import Mailbox
from workspace.installation.parts import Part, parts_of
from workspace.installation.processes import Identity
from workspace.installation.records import InstallationRecord, ProcessRecord

logger = logging.getLogger("supervisor")

_TICK_SECONDS = 0.05  # while something starts; what a person waits for in `up`
_CALM_SECONDS = 2.0
_LONGEST_BACKOFF_SECONDS = 15.0


@dataclass
class Supervised:
    """One part and the process that plays it now."""

    part: Part
    child: processes.Child | None = None
    state: str = "waiting"  # waiting, starting, running, done, restarting, stopping, stopped
    since: float = 0.0
    restarts: int = 0
    failures: int = 0
    due_at: float = 0.0
    heard_at: float = 0.0
    said_ready: bool = False
    message: str = ""

    @property
    def is_settled(self) -> bool:
        return self.state in {"running", "done"}

    def start(self, now: float) -> None:
        """Launch it, or plan the next try when that fails."""
        try:
            self.child = processes.Child.launch(self.part.command(), self.part.log(env.place))
        except (InstallationError, OSError) as error:
            self.fail(now, str(error))
            return
        self.state, self.since, self.heard_at, self.said_ready = "starting", time.time(), now, False

    def fail(self, now: float, message: str) -> None:
        """Note why it is not there and when to try again: at once the first time, then ever later."""
        delay = 0.0 if self.failures == 0 else min(_LONGEST_BACKOFF_SECONDS, 0.5 * 2 ** (self.failures - 1))
        self.failures += 1
        self.restarts += 1
        self.state, self.message, self.due_at, self.child = "restarting", message, now + delay, None
        logger.error("%s: %s; starting it again in %.1f s", self.part.name, message, delay)

    def check(self, now: float) -> bool:
        """Move it on as far as it can be; whether anything changed."""
        before = self.state, self.restarts
        if self.child is not None:
            self._check_child(self.child, now)
        if self.state == "restarting" and now >= self.due_at:
            self.start(now)
        return (self.state, self.restarts) != before

    def _check_child(self, child: processes.Child, now: float) -> None:
        code = child.exit_code()
        if code is not None:
            if code == 0 and self.part.runs_once:
                self.state, self.child, self.message = "done", None, ""
            else:
                self.fail(now, f"ended with {_named(code)} after {time.time() - self.since:.1f} s")
        elif self.state == "starting":
            if self._is_ready():
                self.state, self.message = "running", ""
                logger.info("%s is ready (pid %s, %.1f s)", self.part.name, child.pid, time.time() - self.since)
            elif now - self.heard_at > self.part.start_seconds:
                self._replace(child, now, f"not ready after {self.part.start_seconds:.0f} s")
        elif self.state == "running":
            if now - self.heard_at > self.part.silence_seconds:
                self._replace(child, now, f"silent for {self.part.silence_seconds:.0f} s")
            elif time.time() - self.since > _LONGEST_BACKOFF_SECONDS:
                self.failures = 0

    def _is_ready(self) -> bool:
        if self.part.runs_once:
            return False
        if self.part.is_ready is None:
            return self.said_ready
        if not self.part.is_ready():
            return False
        if self.part.when_ready:
            self.part.when_ready()
        return True

    def _replace(self, child: processes.Child, now: float, reason: str) -> None:
        child.identity.send(signal.SIGKILL)
        child.identity.wait(5)
        child.exit_code()
        self.fail(now, reason)

    def record(self) -> ProcessRecord:
        child = self.child
        return ProcessRecord(
            name=self.part.name,
            state=self.state,
            pid=child.pid if child else 0,
            started=child.identity.started if child else "",
            since=self.since,
            restarts=self.restarts,
            stop_signal=int(child.stop_signal) if child else int(signal.SIGTERM),
            message=self.message,
        )


class Supervisor:
    """All parts of one installation."""

    def __init__(self, held: Held, keeper_pid: int) -> None:
        self.held = held
        self.keeper_pid = keeper_pid
        self.parts = [Supervised(part) for part in parts_of(env, held)]
        self.mailbox = Mailbox(env.place.runtime / "notify.sock")
        self.stopping = False
        self.began = time.time()

    def run(self) -> None:
        """Supervise until told to stop, then end everything in order."""
        wake, _ = self._catch_signals()
        self._save()
        next_rotation = time.monotonic()
        while not self.stopping:
            now = time.monotonic()
            self._hear(now)
            changes = [supervised.check(now) for supervised in self.parts]
            changes += [self._start_next_phase(now), self._keep_keeper()]
            if any(changes):
                self._save()
            if now >= next_rotation:
                logs.rotate(env.place.logs)
                next_rotation = now + 30
            calm = all(supervised.is_settled for supervised in self.parts)
            heard = [wake, self.mailbox.socket.fileno()]
            readable, _, _ = select.select(heard, [], [], _CALM_SECONDS if calm else _TICK_SECONDS)
            if wake in readable:
                os.read(wake, 4096)
        self._stop_all()

    def _catch_signals(self) -> tuple[int, int]:
        read_end, write_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: setattr(self, "stopping", True))
        return read_end, write_end

    def _hear(self, now: float) -> None:
        for pid, message in self.mailbox.messages():
            for supervised in self.parts:
                if supervised.child and supervised.child.pid == pid:
                    supervised.heard_at = now
                    supervised.said_ready |= message == "READY=1"

    def _start_next_phase(self, now: float) -> bool:
        unsettled = [supervised.part.phase for supervised in self.parts if not supervised.is_settled]
        due = [s for s in self.parts if s.state == "waiting" and s.part.phase == min(unsettled, default=-1)]
        for supervised in due:
            supervised.start(now)
        return bool(due)

    def _keep_keeper(self) -> bool:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.keeper_pid, os.WNOHANG)
        if Identity.of(self.keeper_pid) is not None:
            return False
        logger.error("the keeper (%s) is gone; starting another", self.keeper_pid)
        self.keeper_pid = keeper.start_keeper(self.held)
        return True

    def _save(self) -> None:
        own = Identity.of(os.getpid())
        assert own is not None
        settled = all(supervised.is_settled for supervised in self.parts)
        state = "stopping" if self.stopping else "running" if settled else "starting"
        itself = ProcessRecord("supervisor", "running", own.pid, own.started, self.began)
        parts = [supervised.record() for supervised in self.parts]
        records.write(env.place, InstallationRecord(state, env.url, env.host, env.port, [itself, *parts]))

    def _stop_all(self) -> None:
        logger.info("stopping")
        self._save()
        for phase in sorted({supervised.part.phase for supervised in self.parts}, reverse=True):
            ending = [s for s in self.parts if s.part.phase == phase and s.child is not None]
            for supervised in ending:
                assert supervised.child is not None
                supervised.child.identity.send(supervised.child.stop_signal)
            deadline = time.monotonic()
            for supervised in ending:
                self._see_end(supervised, deadline + supervised.part.stop_seconds)
        records.write(env.place, InstallationRecord("stopped"))
        logger.info("stopped")

    def _see_end(self, supervised: Supervised, deadline: float) -> None:
        child = supervised.child
        assert child is not None
        if not child.identity.wait(max(0.0, deadline - time.monotonic())):
            logger.error("%s did not end in %.0f s; killing it", supervised.part.name, supervised.part.stop_seconds)
            child.identity.send(signal.SIGKILL)
            child.identity.wait(5)
        child.exit_code()
        supervised.child, supervised.state = None, "stopped"


def _named(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"code {code}"


def main(argv: list[str]) -> int:
    """Supervise with what the keeper hands over."""
    keeper.set_up_logging()
    held, given = Held.from_arguments(argv)
    end_leftovers(env.place)
    Supervisor(held, given.watch).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
