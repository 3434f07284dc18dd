"""The small process beside each guest: starts it, carries its door and output, holds its limits, and writes how it ended.

It has a session of its own and survives the daemon; its death ends the guest. Run as `keeper.py FOLDER`.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import resource
import selectors
import signal
import socket
import sys
import threading
import time
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from apps.sandbox.launchers import CLIENT_CODE, DOOR_URL, GUEST_WORK, LISTEN_FD, GuestSpec, Reason, linux, usage, walls
from apps.sandbox.launchers.cgroups import Group
from apps.sandbox.launchers.door import Door

_WATCH_SECONDS = 1.0
_MESSAGE_BYTES = 64 * 1024


def write_atomically(path: Path, values: dict[str, Any]) -> None:
    """Write JSON so that a reader, or a crash, finds all of it or nothing."""
    new = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.new")
    with open(new, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        json.dump(values, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)


class Keeper:
    """One guest, from before its start to after its end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        stored = json.loads((folder / "spec.json").read_text())
        self.privileged = os.geteuid() == 0
        self.ground = walls.Ground(
            folder, stored["guest_code"], tuple(stored["system"]), stored["uid"], stored["gid"], self.privileged
        )
        self.spec = GuestSpec.from_dict(stored["spec"])
        secrets = folder / "env.json"
        self.env: dict[str, str] = json.loads(secrets.read_text())
        secrets.unlink()
        self.selector = selectors.DefaultSelector()
        self.reason: Reason = ""
        self.message = ""
        self.kill_at: float | None = None
        self.status: int | None = None
        self.started_at: float | None = None
        self.output_bytes = 0
        self.init_pid = 0
        self.stop_asked = False
        self.wall_at: float | None = None
        self.look_at_disk_at = 0.0
        self.peak_memory_bytes = 0
        self.usage = resource.getrusage(resource.RUSAGE_CHILDREN)

    # Before the start

    def run(self) -> None:
        """Start the guest, stay with it, and leave exit.json behind."""
        signal.signal(signal.SIGTERM, self.on_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        write_atomically(self.folder / "keeper.json", {"pid": os.getpid(), "birth": linux.birth_of(os.getpid())})
        self.group = Group.from_dict(json.loads((self.folder / "group.json").read_text()))
        listener = self.listen()
        try:
            self.start(listener)
            self.attend()
        finally:
            if self.spec.listen_socket:
                Path(self.spec.listen_socket).unlink(missing_ok=True)
        self.finish()

    def listen(self) -> socket.socket | None:
        """The socket that the host reaches the guest by; made here, so that a guest cannot put a link in its place."""
        if not self.spec.listen_socket:
            return None
        path = Path(self.spec.listen_socket)
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        previous = os.umask(0o177)
        listener.bind(str(path))
        os.umask(previous)
        owner = path.parent.stat()
        if self.privileged and owner.st_uid:
            os.chown(path, owner.st_uid, owner.st_gid)
        listener.listen(512)
        return listener

    def start(self, listener: socket.socket | None) -> None:
        """Fork the first process of a new pid namespace; it raises the walls and starts the guest."""
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        output, output_end = os.pipe()
        wakeup, wakeup_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wakeup_end, warn_on_full_buffer=False)
        if not self.privileged:
            walls.enter_user_namespace()
        linux.unshare(linux.CLONE_NEWPID)
        self.init_pid = os.fork()
        if self.init_pid == 0:
            self.control.close()
            Init(self, theirs, output_end, listener).run()
        theirs.close()
        os.close(output_end)
        if listener:
            listener.close()
        self.output = output
        self.log = os.open(self.folder / "output.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.selector.register(wakeup, selectors.EVENT_READ, lambda _: os.read(wakeup, 4096))
        self.selector.register(self.control, selectors.EVENT_READ, lambda _: self.hear())
        self.selector.register(output, selectors.EVENT_READ, lambda _: self.keep_output())

    # While it runs

    def attend(self) -> None:
        """Serve the guest until its first process has ended, and with it everything in its pid namespace."""
        watch_at = time.monotonic() + _WATCH_SECONDS
        while True:
            for key, events in self.selector.select(self.pause(watch_at)):
                key.data(events)
            if self.stop_asked:
                self.stop_asked = False
                self.ask_to_stop()
            now = time.monotonic()
            if self.kill_at is not None and now >= self.kill_at:
                self.kill_at = None
                self.kill()
            if now >= watch_at:
                watch_at = now + _WATCH_SECONDS
                self.watch()
            ended, _, self.usage = os.wait4(self.init_pid, os.WNOHANG)
            if ended:
                return

    def pause(self, watch_at: float) -> float:
        """How long to wait for something to happen."""
        until = min(watch_at, self.kill_at) if self.kill_at is not None else watch_at
        return max(0.0, until - time.monotonic())

    def hear(self) -> None:
        """Take one message of our init inside the guest."""
        try:
            text, fds, _, _ = socket.recv_fds(self.control, _MESSAGE_BYTES, 1)
        except ConnectionError:
            text, fds = b"", []
        if not text:
            self.selector.unregister(self.control)
            return
        message = json.loads(text)
        if fds:
            Door(self.selector, socket.socket(fileno=fds[0]), self.spec.api_socket)
        if "failed" in message:
            self.reason, self.message = message["failed"], message["message"]
        if "started" in message:
            self.started_at = time.time()
            write_atomically(self.folder / "started.json", {"started_at": self.started_at})
            if self.spec.limits.wall_seconds is not None:
                self.wall_at = time.monotonic() + self.spec.limits.wall_seconds
        if "status" in message:
            self.status = message["status"]

    def keep_output(self) -> bool:
        """Move what the guest printed to its log, up to the limit; False at the end."""
        chunk = os.read(self.output, 65536)
        if not chunk:
            self.selector.unregister(self.output)
            return False
        most = self.spec.limits.output_bytes
        if self.output_bytes < most:
            kept = chunk[: most - self.output_bytes]
            os.write(self.log, kept)
            self.output_bytes += len(kept)
            if self.output_bytes == most:
                os.write(self.log, f"\n[boathouse: output after {most} bytes is not kept]\n".encode())
        return True

    def watch(self) -> None:
        """Hold the limits that the kernel does not hold for us."""
        limits = self.spec.limits
        if self.wall_at is not None and time.monotonic() >= self.wall_at:
            self.wall_at = None
            self.end("timeout", f"ran for more than {limits.wall_seconds:g} seconds", grace_seconds=2)
        began = time.monotonic()
        if began >= self.look_at_disk_at:
            work = self.folder / "work"
            held = usage.disk_bytes(work, limits.disk_bytes)
            held += usage.unlinked_bytes(self.init_pid, work.stat().st_dev)
            if held > limits.disk_bytes:
                self.end("out_of_disk", f"wrote more than {limits.disk_bytes} bytes to {GUEST_WORK}", grace_seconds=0)
            # Counting a wide tree may take one twentieth of this process's time.
            self.look_at_disk_at = time.monotonic() + 20 * (time.monotonic() - began)
        if not self.group.memory:
            held = usage.memory_bytes(self.init_pid)
            self.peak_memory_bytes = max(self.peak_memory_bytes, held)
            if held > limits.memory_bytes:
                self.end("out_of_memory", f"held more than {limits.memory_bytes} bytes of memory", grace_seconds=0)

    def on_stop(self, _number: int, _frame: FrameType | None) -> None:
        """SIGTERM: somebody wants the guest to end; stop.json says who and how soon."""
        self.stop_asked = True

    def ask_to_stop(self) -> None:
        """End the guest as stop.json says."""
        wish: dict[str, Any] = {"reason": "stopped", "grace_seconds": 2}
        with contextlib.suppress(FileNotFoundError):
            wish = json.loads((self.folder / "stop.json").read_text())
        self.end(wish["reason"], "", grace_seconds=wish["grace_seconds"])

    def end(self, reason: Reason, message: str, *, grace_seconds: float) -> None:
        """Ask the guest to end, and kill it after the grace; the first reason given is the one that is told."""
        if not self.reason:
            self.reason, self.message = reason, message
        if grace_seconds > 0:
            with contextlib.suppress(OSError):
                self.control.send(b"{}")
        at = time.monotonic() + grace_seconds
        self.kill_at = at if self.kill_at is None else min(at, self.kill_at)

    def kill(self) -> None:
        """Kill the first process of the pid namespace, and so all of them."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.init_pid, signal.SIGKILL)

    # After the end

    def finish(self) -> None:
        """Read what is left to read and write how the guest ended."""
        for left, act in ((self.control, self.hear), (self.output, self.keep_output)):
            while left in self.selector.get_map():
                act()
        code = number = None
        if self.status is not None and os.WIFEXITED(self.status):
            code = os.WEXITSTATUS(self.status)
        else:
            number = os.WTERMSIG(self.status) if self.status is not None else signal.SIGKILL
        if not self.reason and code != 0 and self.group.out_of_memory_count():
            self.reason = "out_of_memory"
            self.message = f"needed more than {self.spec.limits.memory_bytes} bytes of memory"
        if not self.reason and number is not None:
            self.reason = "timeout" if number == signal.SIGXCPU else "killed"
            self.message = f"ended by {signal.Signals(number).name}"
        if self.reason in ("setup_failed", "exec_failed"):
            code = number = None
        peak = self.group.peak_memory_bytes() or max(self.peak_memory_bytes, self.usage.ru_maxrss * 1024)
        self.group.remove()
        write_exit(
            self.folder,
            code=code,
            signal=int(number) if number is not None else None,
            reason=self.reason,
            message=self.message,
            started_at=self.started_at,
            peak_memory_bytes=peak,
            cpu_seconds=round(self.usage.ru_utime + self.usage.ru_stime, 3),
        )


def write_exit(folder: Path, *, state: str = "exited", **facts: Any) -> None:
    """Leave the final word about a guest in its folder."""
    write_atomically(folder / "exit.json", {"state": state, "ended_at": time.time(), **facts})


class Init:
    """The first process of the guest's pid namespace: walls, then the guest, then reaping until the guest ends."""

    def __init__(self, keeper: Keeper, control: socket.socket, output: int, listener: socket.socket | None) -> None:
        self.keeper, self.control, self.output, self.listener = keeper, control, output, listener
        self.main_pid = 0

    def run(self) -> None:
        """Never returns: the end of this process is the end of the guest."""
        try:
            self.work()
        except BaseException:
            self.tell(failed="setup_failed", message=traceback.format_exc(limit=-3))
        finally:
            os._exit(0)

    def tell(self, **message: Any) -> None:
        """Send one message to the keeper."""
        self.control.send(json.dumps(message).encode()[:_MESSAGE_BYTES])

    def work(self) -> None:
        """Raise the walls, start the guest, and stay until it ends."""
        keeper, spec = self.keeper, self.keeper.spec
        # The guest cannot signal its init but for what has a handler, and Python has one for SIGINT.
        for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
        keeper.group.enter()
        walls.raise_walls(spec, keeper.ground)
        if spec.api_socket:
            with walls.open_door() as door:
                socket.send_fds(self.control, [b"{}"], [door.fileno()])
        walls.become_guest(keeper.ground)
        reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        self.main_pid = os.fork()
        if self.main_pid == 0:
            self.become_main()
        os.close(self.output)
        if self.listener:
            self.listener.close()
        self.tell(started=True)
        self.reap(reader)

    def become_main(self) -> None:
        """Turn into the guest's own program; on failure tell why, as the caller's mistake."""
        spec = self.keeper.spec
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ):
                signal.signal(number, signal.SIG_DFL)
            linux.prctl(linux.PR_SET_PDEATHSIG, 0)
            os.setsid()
            os.nice(spec.limits.nice)
            output = above(self.output)
            listener = above(self.listener.detach()) if self.listener else -1
            self.control = socket.socket(fileno=above(self.control.detach()))
            os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
            os.dup2(output, 1)
            os.dup2(output, 2)
            if listener >= 0:
                os.dup2(listener, LISTEN_FD)
            walls.set_limits(spec.limits, counts_memory=self.keeper.group.memory is not None)
            os.execve(spec.argv[0], list(spec.argv), guest_env(spec, self.keeper.env))
        except BaseException as failure:
            self.tell(failed="exec_failed", message=f"{spec.argv[0]} could not be started: {failure}")
        finally:
            os._exit(127)

    def reap(self, wakeup: int) -> None:
        """Wait for every process that ends in here; return when the guest's own has, or the keeper is gone."""
        selector = selectors.DefaultSelector()
        selector.register(wakeup, selectors.EVENT_READ)
        selector.register(self.control, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is self.control:
                    if not self.control.recv(_MESSAGE_BYTES):
                        return
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(-1, signal.SIGTERM)
                else:
                    os.read(wakeup, 4096)
            while True:
                try:
                    pid, status = os.waitpid(-1, os.WNOHANG)
                except ChildProcessError:
                    return
                if pid == self.main_pid:
                    self.tell(status=status)
                    return
                if not pid:
                    break


def above(fd: int) -> int:
    """A copy of a file descriptor with a number that no dup2 of ours lands on."""
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10)


def guest_env(spec: GuestSpec, given: dict[str, str]) -> dict[str, str]:
    """The whole environment of a guest: ours, then what its launcher's caller gave."""
    path = "/usr/bin:/bin"
    env = {"HOME": "/tmp", "USER": "guest", "LOGNAME": "guest", "LANG": "C.UTF-8", "TZ": "UTC", "TMPDIR": "/tmp"}
    # There is no network for it, and nobody here agreed to it.
    env |= {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    env |= {"PYTHONPATH": f"/boathouse:{CLIENT_CODE}", "PYTHONUNBUFFERED": "1", "PYTHONSAFEPATH": "1"}
    if spec.environment:
        path = f"{spec.environment}/bin:{path}"
        env["VIRTUAL_ENV"] = spec.environment
    if spec.api_socket:
        env |= {"BOATHOUSE_URL": DOOR_URL, "MLFLOW_TRACKING_URI": DOOR_URL}
    if spec.listen_socket:
        env["BOATHOUSE_LISTEN_FD"] = str(LISTEN_FD)
    return {**env, "PATH": path, **given}


def main() -> None:
    """Keep the guest of the folder named on the command line."""
    folder = Path(sys.argv[1])
    try:
        Keeper(folder).run()
    except BaseException:
        failure = traceback.format_exc()
        write_exit(folder, code=None, signal=None, reason="setup_failed", message=failure[-4000:])
        raise


if __name__ == "__main__":
    main()
