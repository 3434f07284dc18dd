"""What a guest must not reach: each escape is seen to succeed without the walls, then to fail behind them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from apps.sandbox.launchers import Bind
from apps.sandbox.launchers.capabilities import capabilities_report
from apps.sandbox.launchers.local import LocalLauncher
from tests.sandbox.conftest import NOBODY, SECRET, Installation

ESCAPED = "ESCAPED"


@dataclass
class Outside:
    """Things of this machine that belong to somebody else."""

    env: dict[str, str]
    victim: subprocess.Popen[bytes]


@pytest.fixture(scope="module")
def outside(installation: Installation) -> Iterator[Outside]:
    """A secret of the home, another guest's file, listening sockets, and a process with a secret in its environment."""
    other = installation.launch(f"open('mine.txt', 'w').write({SECRET!r}); import time; time.sleep(60)")
    installation.wait_running(other)
    secret = installation.home / "secrets" / "key"
    secret.parent.mkdir(mode=0o700)
    secret.write_text(SECRET)
    shared = Path("/dev/shm") / f"bh-{uuid.uuid4().hex}"
    shared.write_text(SECRET)
    for path in (secret.parent, secret, shared):
        if installation.user is not None:
            os.chown(path, installation.user, installation.user)
    victim = subprocess.Popen(
        [installation.python, "-c", "import time; time.sleep(60)"],
        env={"SECRET": SECRET},
        user=installation.user,
        group=installation.user,
    )
    with contextlib.ExitStack() as stack:
        database = installation.folder / "db.sock"
        abstract = f"bh-{uuid.uuid4().hex}"
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        for address in (str(database), f"\0{abstract}"):
            listener = stack.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(address)
            listener.listen(8)
            _greet(listener)
        _greet(tcp)
        database.chmod(0o777)
        yield Outside(
            {
                "SECRET_FILE": str(secret),
                "OTHER_GUEST_FILE": str(installation.home / "guests" / str(other) / "work" / "mine.txt"),
                "OTHER_GUEST_SPEC": str(installation.home / "guests" / str(other) / "spec.json"),
                "SHARED_FILE": str(shared),
                "SOCKET": str(database),
                "ABSTRACT": abstract,
                "PORT": str(tcp.getsockname()[1]),
                "VICTIM": str(victim.pid),
                "DAEMON": str(installation.client.socket_path),
            },
            victim,
        )
    victim.kill()
    victim.wait()
    shared.unlink()
    installation.client.stop(other, grace_seconds=0)


def _greet(listener: socket.socket) -> None:
    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = listener.accept()
                peer.sendall(SECRET.encode())
                peer.close()

    threading.Thread(target=serve, daemon=True).start()


READ = "from os import environ as e; print(open({path}).read())"
CONNECT = (
    "import socket; from os import environ as e; s = socket.socket({kind}); s.connect({address}); print(s.recv(99))"
)
ESCAPES = {
    "a secret of the home": READ.format(path="e['SECRET_FILE']"),
    "another guest's file": READ.format(path="e['OTHER_GUEST_FILE']"),
    "another guest's spec": READ.format(path="e['OTHER_GUEST_SPEC']") + f"; print({ESCAPED!r})",
    "a file in shared memory": READ.format(path="e['SHARED_FILE']"),
    "the password file": READ.format(path="'/etc/passwd'")
    + f"; print({ESCAPED!r} * ('root:' in open('/etc/passwd').read()))",
    "a link out of its folder": "import os; os.symlink(os.environ['SECRET_FILE'], 'link'); print(open('link').read())",
    "the root of another process": READ.format(path='f\'/proc/{e["VICTIM"]}/root{e["SECRET_FILE"]}\''),
    "the environment of another process": READ.format(path="f'/proc/{e[\"VICTIM\"]}/environ'"),
    "the environment of the daemon": "import os; print(os.environ.get('SECRET'))",
    "the environment of its parents": (
        "import os, glob\nfor p in glob.glob('/proc/*/environ'):\n"
        " try: print('the-secret' in open(p).read() and open(p).read())\n except OSError: pass"
    ),
    "a database socket": CONNECT.format(kind="socket.AF_UNIX", address="e['SOCKET']"),
    "the daemon's socket": CONNECT.format(kind="socket.AF_UNIX", address="e['DAEMON']").replace(
        "s.recv(99)", repr(ESCAPED)
    ),
    "an abstract socket": CONNECT.format(kind="socket.AF_UNIX", address="'\\0' + e['ABSTRACT']"),
    "a loopback port": CONNECT.format(kind="socket.AF_INET", address="('127.0.0.1', int(e['PORT']))"),
    "a signal to another process": f"import os; os.kill(int(os.environ['VICTIM']), 0); print({ESCAPED!r})",
    "a signal to every process": (
        "import os; from os import environ as e\n"
        f"print({ESCAPED!r} * any(p == e['VICTIM'] for p in os.listdir('/proc')))"
    ),
    "a user namespace": f"import ctypes; print({ESCAPED!r} * (ctypes.CDLL(None).unshare(0x10000000) == 0))",
    "tracing": f"import ctypes; print({ESCAPED!r} * (ctypes.CDLL(None).ptrace(0, 0, 0, 0) == 0))",
    "another kind of socket": f"import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 15); print({ESCAPED!r})",
    "writing to the system": (
        "import os, sys\nplace = os.environ.get('BH_PLACE', os.path.dirname(os.__file__)) + '/bh-test'\n"
        f"open(place, 'w').close(); os.unlink(place); print({ESCAPED!r})"
    ),
}


@pytest.mark.parametrize("escape", ESCAPES)
def test_escape(installation: Installation, outside: Outside, escape: str) -> None:
    code = ESCAPES[escape]
    beside = {**outside.env, "BH_PLACE": str(installation.folder / "scratch")}
    without = installation.run_beside(code, beside)
    assert SECRET in without or ESCAPED in without, f"no escape even without walls: {without}"
    state, inside = installation.run(code, env=outside.env)
    assert SECRET not in inside and ESCAPED not in inside
    assert state.state == "exited", state
    assert outside.victim.poll() is None


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a program that changes its user")
def test_a_program_that_changes_its_user(own_installation: Installation) -> None:
    folder = own_installation.folder / "allowed" / "programs"
    folder.mkdir(mode=0o755)
    own_installation.folder.chmod(0o755)
    folder.parent.chmod(0o755)
    shutil.copy("/usr/bin/id", folder / "id")
    (folder / "id").chmod(0o4755)
    without = subprocess.run([folder / "id", "-u"], user=NOBODY, capture_output=True, text=True)
    assert without.stdout.strip() == "0"
    code = f"import subprocess; print(subprocess.run(['{folder}/id', '-u'], capture_output=True, text=True).stdout)"
    state, inside = own_installation.run(code, binds=(Bind(str(folder)),))
    assert state.succeeded and inside.strip() not in ("", "0")


def test_what_it_holds(installation: Installation) -> None:
    """No descriptor, capability, group or environment variable came in with it."""
    code = """
import os
status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
assert {status[name].strip() for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
assert os.getuid() == os.geteuid() != 0 and not set(os.getgroups()) - {os.getgid(), 65534}
held = [fd for fd in range(3, 1024) if os.path.exists(f"/proc/self/fd/{fd}")]
assert not held, held
known = {"HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR", "PYTHONPATH", "PYTHONUNBUFFERED", "PYTHONSAFEPATH", "PATH", "LC_CTYPE"}
known |= {"DO_NOT_TRACK", "MLFLOW_DISABLE_TELEMETRY"}
assert not set(os.environ) - known, set(os.environ) - known
for writable in ("/work", "/tmp", "/dev/shm"):
    open(f"{writable}/x", "w").write("x")
for top in [*(f"/{name}" for name in os.listdir("/")), "/proc/sys/vm/overcommit_memory", "/dev"]:
    assert top in ("/work", "/tmp", "/proc") or not os.access(top, os.W_OK), top
"""
    state, inside = installation.run(code)
    assert state.succeeded, inside


def test_it_cannot_end_its_init_and_blame_us(installation: Installation) -> None:
    code = """
import os, signal, time
for number in range(1, 65):
    try: os.kill(1, number)
    except OSError: pass
time.sleep(0.2)
print("still here")
for path in ("/proc/1/environ", "/proc/1/mem", "/proc/1/fd/0"):
    try: open(path, "rb"); print("opened", path)
    except OSError: pass
os.kill(os.getpid(), signal.SIGKILL)
"""
    state, inside = installation.run(code)
    assert inside == "still here\n" and (state.reason, state.signal) == ("killed", signal.SIGKILL)


def test_a_spec_cannot_ask_for_what_is_not_ours(installation: Installation) -> None:
    from apps.sandbox.launchers import LaunchRefused

    (installation.folder / "allowed" / "out").symlink_to("/etc")
    asked = [
        "/etc/passwd",
        str(installation.home),
        str(installation.folder / "allowed" / "out"),
        "/nowhere",
        "relative",
    ]
    for source in asked:
        with pytest.raises(LaunchRefused, match="outside|nothing to show"):
            installation.run("print(1)", binds=(Bind(source),))


def test_what_only_its_owner_may_read_can_be_lent(installation: Installation) -> None:
    folder = installation.folder / "allowed" / "model"
    folder.mkdir(mode=0o700)
    (folder / "weights").write_text("lent")
    for path in (folder, folder / "weights"):
        path.chmod(0o700 if path == folder else 0o600)
        if installation.user is not None:
            os.chown(path, installation.user, installation.user)
    code = "print(open('/model/weights').read()); open('/model/weights', 'a')"
    state, inside = installation.run(code, binds=(Bind(str(folder), "/model"),))
    assert "lent" in inside and "Read-only file system" in inside and state.code == 1
    assert (folder / "weights").read_text() == "lent"


def test_a_link_left_behind_is_not_followed(installation: Installation) -> None:
    code = (
        "import os; os.symlink('/etc/passwd', 'out'); os.mkfifo('pipe'); os.mkdir('d'); open('d/f', 'w').write('fine')"
    )
    guest_id = installation.launch(code)
    assert installation.client.wait(guest_id, 20).succeeded
    assert installation.client.open_file(guest_id, "d/f").read() == b"fine"
    for path in ("out", "pipe", "d", "../spec.json", "/etc/passwd", "d/../../spec.json", "nothing"):
        with pytest.raises(FileNotFoundError):
            installation.client.open_file(guest_id, path)


def test_a_home_that_guests_would_see_is_refused(tmp_path: Path) -> None:
    """As when the interpreter's own folder holds the installation."""
    launcher = LocalLauncher(tmp_path / "prefix" / "home")
    assert capabilities_report(launcher)["ok"]
    launcher.system.append(str(tmp_path / "prefix"))
    report = capabilities_report(launcher)
    assert not report["ok"] and "it saw the home" in report["missing"][0]
