"""Two tracking servers on one PostgreSQL, for B1 and B2: Boathouse's web process, and `mlflow server` with basic-auth, tuned.

Tuned: one uvicorn worker (so that no answer waits for a delayed acknowledgement), credential cache on, connection pool on.
The peer lives in an environment of its own: `uv venv bench/peers/mlflow && uv pip install --python bench/peers/mlflow "mlflow[auth]==3.17.2"
"mlflow-skinny==3.17.2" "mlflow-tracing==3.17.2" psycopg2-binary`, or BOATHOUSE_PEER_MLFLOW names its python.
"""

from __future__ import annotations

import base64
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import orjson

CHECKOUT = Path(__file__).resolve().parents[1]
PEER = os.environ.get("BOATHOUSE_PEER_MLFLOW") or str(CHECKOUT / "bench/peers/mlflow/bin/python")
A = "/api/2.0/mlflow/"
TICK = os.sysconf("SC_CLK_TCK")


@dataclass
class Server:
    """One of the two: how to reach it, and which processes are its own."""

    name: str
    port: int
    authorization: str
    process: subprocess.Popen[bytes]
    role: str
    _spent: dict[int, float] = field(default_factory=dict)
    _connection: HTTPConnection | None = None
    _used: float = 0.0

    def __call__(self, method: str, path: str, body: Any = None) -> bytes:
        """The body of an answer, over one kept connection. Raises for any but 200."""
        if time.monotonic() - self._used > 3:  # Both servers close what lay idle for five seconds.
            self._connection = None
        self._used = time.monotonic()
        if self._connection is None:
            self._connection = HTTPConnection("127.0.0.1", self.port, timeout=600)
            self._connection.connect()
            self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        headers = {"Authorization": self.authorization, "Content-Type": "application/json"}
        self._connection.request(method, path, body if isinstance(body, bytes | None) else orjson.dumps(body), headers)
        response = self._connection.getresponse()
        content = response.read()
        if response.status != 200:
            raise RuntimeError(f"{self.name} {path}: {response.status} {content[:300]!r}")
        return content

    def another(self) -> Server:
        """The same server over a connection of its own."""
        return Server(self.name, self.port, self.authorization, self.process, self.role)

    def cpu(self) -> float:
        """CPU seconds that it used so far: its processes and its database's connections."""
        parents: dict[int, int] = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    stat = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
                    line = Path(f"/proc/{entry}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                except OSError:
                    continue
                parents[int(entry)] = int(stat[1])
                serves = f" {self.role} " in line and line.startswith("postgres:")
                if serves or self._is_mine(int(entry), parents, int(stat[1])):
                    self._spent[int(entry)] = (int(stat[11]) + int(stat[12])) / TICK
        return sum(self._spent.values())

    def _is_mine(self, pid: int, parents: dict[int, int], parent: int) -> bool:
        while pid > 1:
            if pid == self.process.pid:
                return True
            pid, parent = parent, parents.get(parent, 0)
        return False


@contextmanager
def both() -> Iterator[tuple[Server, Server]]:
    """(Boathouse, the peer), started and ready, with the same database server under both."""
    sys.path.insert(0, str(CHECKOUT))
    from workspace.installation.engines import temporary_engines

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that a bench that is ended ends what it started
    with ExitStack() as stack:
        engines = stack.enter_context(temporary_engines())
        os.environ["BOATHOUSE_HOME"] = str(engines.home.path)
        token = _prepare()
        web = _start(
            stack,
            [
                sys.executable,
                "-m",
                "uvicorn",
                "workspace.asgi:application",
                "--loop",
                "uvloop",
                "--http",
                "httptools",
                "--no-access-log",
            ],
            {"BOATHOUSE_HOME": str(engines.home.path)},
        )
        ours = Server("boathouse", web[1], f"Bearer {token}", web[0], _role())
        peer = _start_peer(stack)
        for server, path in ((ours, "/version"), (peer, "/version")):
            _await(server, path)
        _settle(peer)
        yield ours, peer


def _prepare() -> str:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "workspace.settings")
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connections

    call_command("migrate", database="owner", verbosity=0)
    with connections["owner"].cursor() as cursor:
        cursor.execute("create schema mlflow")
    from apps.access.scope import workspace_scope
    from apps.access.tokens import new_token
    from apps.access.workspaces import create_workspace, find_or_create_person

    person = find_or_create_person("bench@example.com")
    workspace = create_workspace("bench", admin=person)
    with workspace_scope(workspace):
        return new_token(person, name="bench")[1]


def _role() -> str:
    from django.conf import settings

    return settings.DATABASES["default"]["USER"]


def _start_peer(stack: ExitStack) -> Server:
    from django.conf import settings

    owner = settings.DATABASES["owner"]
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    port = f"&port={owner['PORT']}" if owner["PORT"] else ""
    uri = f"postgresql+psycopg2://{owner['USER']}@/{owner['NAME']}?host={owner['HOST']}{port}&options=-csearch_path%3Dmlflow"
    (folder / "auth.ini").write_text(
        "[mlflow]\ndefault_permission = READ\nadmin_username = admin\nadmin_password = benchmark-password-1\n"
        f"database_uri = sqlite:///{folder}/auth.db\nauth_cache_ttl_seconds = 3600\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    process, listening = _start(
        stack,
        [
            PEER,
            "-m",
            "mlflow",
            "server",
            "--backend-store-uri",
            uri,
            "--artifacts-destination",
            str(folder / "files"),
            "--workers",
            "1",
            "--app-name",
            "basic-auth",
        ],
        {
            "MLFLOW_AUTH_CONFIG_PATH": str(folder / "auth.ini"),
            "MLFLOW_FLASK_SERVER_SECRET_KEY": "benchmark",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": "8",
            "PATH": f"{Path(PEER).parent}:{os.environ['PATH']}",
        },
    )
    secret = base64.b64encode(b"admin:benchmark-password-1").decode()
    return Server("mlflow", listening, f"Basic {secret}", process, owner["USER"])


def _start(stack: ExitStack, command: list[str], variables: dict[str, str]) -> tuple[subprocess.Popen[bytes], int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tempfile.NamedTemporaryFile(prefix="bench-", suffix=".log", delete=False)
    process = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port)],
        env={**os.environ, **variables},
        cwd=CHECKOUT,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    stack.callback(_stop, process)
    print(f"# {command[2]} on {port}, log {log.name}", file=sys.stderr)
    return process, port


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def _await(server: Server, path: str) -> None:
    for _ in range(900):
        try:
            connection = HTTPConnection("127.0.0.1", server.port, timeout=5)
            connection.request("GET", path, headers={"Authorization": server.authorization})
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        if server.process.poll() is not None:
            raise RuntimeError(f"{server.name} ended while it started")
        time.sleep(0.5)
    raise RuntimeError(f"{server.name} does not answer")


def _settle(server: Server, seconds: float = 300) -> None:
    """Wait until a server rests: the peer's job runners go on starting for long after it answers, and would be counted."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        before = server.cpu()
        time.sleep(3)
        if server.cpu() - before < 0.3:
            return
    print(f"# {server.name} does not rest", file=sys.stderr)


def measure(server: Server, work: Callable[[Server], None], times: int) -> tuple[float, float]:
    """(median milliseconds, CPU milliseconds) of one call of `work`."""
    taken = []
    before = server.cpu()
    for _ in range(times):
        begun = time.perf_counter()
        work(server)
        taken.append((time.perf_counter() - begun) * 1000)
    return statistics.median(taken), (server.cpu() - before) * 1000 / times


def compare(
    title: str, ours: Server, peer: Server, work: Callable[[Server], None], times: int, rounds: int = 5
) -> tuple[float, float]:
    """Measures both in turns and prints one line; the ratios of the medians of wall time and CPU."""
    seen: dict[str, list[tuple[float, float]]] = {ours.name: [], peer.name: []}
    for server in (ours, peer):
        work(server)
    for _ in range(rounds):
        for server in (peer, ours):
            seen[server.name].append(measure(server, work, times))
    (ours_ms, ours_cpu), (peer_ms, peer_cpu) = (
        tuple(statistics.median(part) for part in zip(*seen[server.name], strict=True)) for server in (ours, peer)
    )
    wall, cpu = peer_ms / ours_ms, peer_cpu / max(ours_cpu, 0.01)
    print(
        f"| {title} | {ours_ms:.1f} | {ours_cpu:.1f} | {peer_ms:.1f} | {peer_cpu:.1f} | **{wall:.1f}x** | {cpu:.1f}x |",
        flush=True,
    )
    return wall, cpu


HEADER = "| | ours p50 ms | ours CPU-ms | mlflow p50 ms | mlflow CPU-ms | ratio p50 | ratio CPU |\n|---|---:|---:|---:|---:|---:|---:|"
