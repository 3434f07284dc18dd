"""What runs now: states, pids, memory, uptime; and whether web answers."""

from __future__ import annotations

import http.client
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from workspace.env import Env
from workspace.installation import records


@dataclass(frozen=True)
class ProcessStatus:
    """One process as people and machines see it."""

    name: str
    state: str
    pid: int | None
    rss_bytes: int
    uptime_seconds: float
    restarts: int

    @property
    def is_healthy(self) -> bool:
        return self.state == "running"


@dataclass(frozen=True)
class InstallationStatus:
    """All processes of an installation, and where it answers."""

    url: str
    processes: list[ProcessStatus]
    answers: bool

    @property
    def is_healthy(self) -> bool:
        return self.answers and bool(self.processes) and all(process.is_healthy for process in self.processes)

    def as_json(self) -> dict[str, object]:
        return {"url": self.url, "processes": [asdict(process) for process in self.processes]}


def read(env: Env) -> InstallationStatus:
    """The state of this home's installation now, checked against the machine's own list of processes."""
    record = records.read(env.place)
    keeper = records.read_keeper(env.place)
    found = [] if keeper is None else [_status("keeper", "running", keeper.pid, 0.0, 0)]
    for entry in record.processes:
        if entry.state == "done":
            continue
        state = entry.state if entry.is_running or entry.state != "running" else "dead"
        pid = entry.pid if entry.is_running else None
        found.append(_status(entry.name, state, pid, entry.since, entry.restarts))
    if found and keeper is None:
        found.insert(0, _status("keeper", "dead", None, 0.0, 0))
    return InstallationStatus(record.url or env.url, found, bool(found) and web_is_ready(record))


def pids(env: Env) -> dict[str, int]:
    """The number of every running process by name."""
    return {process.name: process.pid for process in read(env).processes if process.pid}


def web_is_ready(record: records.InstallationRecord, timeout_seconds: float = 5) -> bool:
    """Whether web, asked as a load balancer would, says that it and what it stands on is ready."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(record.host, record.host)
    connection = http.client.HTTPConnection(host, record.port, timeout=timeout_seconds)
    try:
        connection.request("GET", "/readyz", headers={"Host": "localhost"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _status(name: str, state: str, pid: int | None, since: float, restarts: int) -> ProcessStatus:
    rss = 0
    if pid:
        try:
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            rss = pages * os.sysconf("SC_PAGE_SIZE")
            since = since or Path(f"/proc/{pid}").stat().st_mtime
        except FileNotFoundError:
            state, pid = "dead", None
    return ProcessStatus(name, state, pid, rss, round(time.time() - since, 1) if pid else 0.0, restarts)
