"""What runs here, on disk: written by the supervisor at every change, read by every command."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

from workspace.installation.home import Home
from workspace.installation.processes import Identity


@dataclass
class ProcessRecord:
    """One process: where it stands, and exactly which one it is."""

    name: str
    state: str
    pid: int = 0
    started: str = ""
    since: float = 0.0
    restarts: int = 0
    stop_signal: int = 15
    message: str = ""

    @property
    def identity(self) -> Identity:
        return Identity(self.pid, self.started)

    @property
    def is_running(self) -> bool:
        return bool(self.pid) and self.identity.is_running()


@dataclass
class InstallationRecord:
    """The whole installation: `state` is starting, running, stopping or stopped; where it listens, what people type."""

    state: str = "stopped"
    url: str = ""
    host: str = ""
    port: int = 0
    processes: list[ProcessRecord] = field(default_factory=list)

    def find(self, name: str) -> ProcessRecord | None:
        return next((record for record in self.processes if record.name == name), None)


def read(home: Home) -> InstallationRecord:
    """The last record; an empty one when nothing ever ran."""
    try:
        found = json.loads((home.run / "processes.json").read_text())
    except FileNotFoundError:
        return InstallationRecord()
    found["processes"] = [ProcessRecord(**record) for record in found["processes"]]
    return InstallationRecord(**found)


def write(home: Home, record: InstallationRecord) -> None:
    """Replace the record in one step."""
    _replace(home.run / "processes.json", json.dumps(asdict(record), indent=1))


def read_keeper(home: Home) -> Identity | None:
    """The keeper, when it runs."""
    try:
        found = Identity(**json.loads((home.run / "keeper.json").read_text()))
    except FileNotFoundError:
        return None
    return found if found.is_running() else None


def write_keeper(home: Home) -> None:
    """Record this process as the keeper."""
    identity = Identity.of(os.getpid())
    assert identity is not None
    _replace(home.run / "keeper.json", json.dumps(asdict(identity)))


def _replace(path: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}-", delete=False) as draft:
        draft.write(text)
    Path(draft.name).replace(path)
