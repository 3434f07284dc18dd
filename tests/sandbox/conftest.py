"""A real sandbox daemon of a temporary home: under this user, and, when this user is root, under an ordinary one too."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from apps.sandbox.client import SandboxClient, SandboxUnavailable
from apps.sandbox.launchers import GuestSpec, GuestState, Limits

ROOT = Path(__file__).parents[2]
NOBODY = 65534
SECRET = "the-secret-of-somebody-else"
SMALL = Limits(memory_bytes=192 << 20, processes=32, wall_seconds=30, scratch_bytes=16 << 20)


@dataclass
class Installation:
    """A home with a daemon, and what is needed to run something beside the walls as the same user."""

    folder: Path
    python: str
    user: int | None
    code: Path
    daemon: subprocess.Popen[bytes] | None = None
    started: list[uuid.UUID] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def client(self) -> SandboxClient:
        return SandboxClient(self.folder / "sandbox.sock", timeout_seconds=20)

    def start_daemon(self) -> None:
        """Start the daemon and wait until it answers."""
        program = sys.executable if self.user is None else self.python
        self.daemon = subprocess.Popen(
            [program, "-m", "apps.sandbox.daemon", "--home", self.home, "--socket", self.client.socket_path]
            + ["--allow", self.folder / "allowed"],
            cwd=self.code,
            env={"PATH": "/usr/bin:/bin", "SECRET": SECRET},
            user=self.user,
            group=self.user,
            extra_groups=None if self.user is None else [],
            stderr=subprocess.DEVNULL,
        )
        for _ in range(500):
            with contextlib.suppress(SandboxUnavailable):
                assert self.client.report()["ok"], self.client.report()
                return
            assert self.daemon.poll() is None, "the daemon ended at its start"
            time.sleep(0.02)
        raise AssertionError("the daemon does not answer")

    def kill_daemon(self) -> None:
        """Kill the daemon without a word."""
        assert self.daemon is not None
        self.daemon.kill()
        self.daemon.wait()

    def end_daemon(self) -> None:
        """End the daemon politely."""
        if self.daemon and self.daemon.poll() is None:
            self.daemon.send_signal(signal.SIGTERM)
            self.daemon.wait(20)

    def launch(self, code: str, *, limits: Limits = SMALL, **spec: object) -> uuid.UUID:
        """Start a guest that runs this Python code."""
        guest_id = uuid.uuid4()
        self.started.append(guest_id)
        argv = (self.python, "-c", code)
        self.client.launch(GuestSpec(guest_id, argv, limits=limits, **spec))  # type: ignore[arg-type]
        return guest_id

    def run(self, code: str, *, limits: Limits = SMALL, seconds: float = 40, **spec: object) -> tuple[GuestState, str]:
        """Run Python code in a guest to its end; the state and what it printed."""
        guest_id = self.launch(code, limits=limits, **spec)
        state = self.client.wait(guest_id, seconds)
        return state, self.client.read_output(guest_id).decode(errors="replace")

    def run_beside(self, code: str, env: dict[str, str]) -> str:
        """Run the same code as the same user with no wall around it; what it printed."""
        user = self.user
        folder = tempfile.mkdtemp(dir=self.folder / "scratch")
        if user is not None:
            os.chown(folder, user, user)
        done = subprocess.run(
            [self.python, "-c", code],
            env={"PATH": "/usr/bin:/bin", "SECRET": SECRET, **env},
            cwd=folder,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            capture_output=True,
            text=True,
            timeout=30,
        )
        return done.stdout + done.stderr

    def wait_running(self, guest_id: uuid.UUID) -> GuestState:
        """The guest's state once it runs, or has ended."""
        for _ in range(1000):
            state = self.client.check(guest_id)
            assert state is not None
            if state.state != "starting":
                return state
            time.sleep(0.01)
        raise AssertionError("the guest does not start")


def _open_python() -> str | None:
    """A Python new enough that every user of this machine may run."""
    for name in ("/usr/bin/python3", "/usr/local/bin/python3"):
        if Path(name).exists():
            path = os.path.realpath(name)
            check = "import sys; sys.exit(sys.version_info < (3, 11))"
            with contextlib.suppress(OSError):
                if subprocess.run([path, "-c", check], user=NOBODY, group=NOBODY, cwd="/").returncode == 0:
                    return path
    return None


def _install(user: int | None) -> Iterator[Installation]:
    folder = Path(tempfile.mkdtemp(prefix="bh-"))
    python = os.path.realpath(sys.executable) if user is None else _open_python()
    if python is None:
        pytest.skip("no Python 3.11 that an ordinary user may run")
    code = ROOT
    if user is not None:
        # The checkout may lie below a folder that is closed to others.
        code = folder / "code"
        shutil.copytree(
            ROOT / "apps" / "sandbox", code / "apps" / "sandbox", ignore=shutil.ignore_patterns("__pycache__")
        )
        (code / "apps" / "__init__.py").touch()
    for name in ("home", "allowed", "scratch"):
        (folder / name).mkdir(mode=0o700)
        if user is not None:
            os.chown(folder / name, user, user)
    if user is not None:
        folder.chmod(0o777)
        for path in code.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
    (folder / "scratch").chmod(0o777)
    installation = Installation(folder, python, user, code)
    installation.start_daemon()
    try:
        yield installation
    finally:
        installation.end_daemon()
        shutil.rmtree(folder)


@pytest.fixture(scope="module", params=["own", "ordinary"])
def installation(request: pytest.FixtureRequest) -> Iterator[Installation]:
    """A daemon under this user, and one under an ordinary user where this user is root."""
    if request.param == "ordinary" and os.getuid() != 0:
        pytest.skip("this user is an ordinary one already")
    yield from _install(NOBODY if request.param == "ordinary" else None)


@pytest.fixture(scope="module")
def own_installation() -> Iterator[Installation]:
    """A daemon under this user."""
    yield from _install(None)
