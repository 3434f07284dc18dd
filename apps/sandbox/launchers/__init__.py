"""What a guest is, what can be known of it, and the three methods that every launcher has."""

from __future__ import annotations

import dataclasses
import uuid
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

MIB = 1024 * 1024
GIB = 1024 * MIB

GUEST_CODE = "/boathouse/guest"
CLIENT_CODE = "/boathouse/client"
GUEST_WORK = "/work"
DOOR_PORT = 8000
DOOR_URL = f"http://127.0.0.1:{DOOR_PORT}"
LISTEN_FD = 3


class LaunchRefused(Exception):
    """The guest was not started, and the message says why and what to do."""


@dataclass(frozen=True)
class Limits:
    """What a guest may use; every one is enforced by the kernel or by the guest's keeper."""

    memory_bytes: int = 2 * GIB
    processes: int = 256
    open_files: int = 1024
    file_bytes: int = 10 * GIB
    disk_bytes: int = 10 * GIB
    scratch_bytes: int = GIB
    output_bytes: int = 64 * MIB
    cpu_seconds: int | None = None
    wall_seconds: float | None = None
    nice: int = 0


@dataclass(frozen=True)
class Bind:
    """A file or folder of the host that the guest sees read-only, at its own path or at `target`."""

    source: str
    target: str = ""


@dataclass(frozen=True)
class GuestSpec:
    """Everything a launcher needs to start one guest; launching one id twice starts it once.

    The guest sees: `binds` and `environment` read-only, our guest package in /boathouse/guest and our client in
    /boathouse/client (both on PYTHONPATH, so `-m guest.runner` and `import boathouse` work), an empty /work of its own
    (where it starts), private /tmp and /dev/shm.
    `api_socket` is web's Unix socket; inside it answers at DOOR_URL, which is also put into BOATHOUSE_URL and
    MLFLOW_TRACKING_URI. `listen_socket` is a path where the host connects to the guest: the launcher makes the listening
    socket there (mode 0600, before the guest starts) and the guest accepts on file descriptor BOATHOUSE_LISTEN_FD.
    """

    id: uuid.UUID
    argv: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)
    environment: str = ""
    binds: tuple[Bind, ...] = ()
    limits: Limits = Limits()
    api_socket: str = ""
    listen_socket: str = ""
    label: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The spec as plain JSON values."""
        return {**dataclasses.asdict(self), "id": str(self.id)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> GuestSpec:
        """The spec that `to_dict` wrote."""
        return cls(
            **{
                **values,
                "id": uuid.UUID(values["id"]),
                "argv": tuple(values["argv"]),
                "binds": tuple(Bind(**bind) for bind in values["binds"]),
                "limits": Limits(**values["limits"]),
            }
        )


State = Literal["starting", "running", "exited", "lost"]
# "" is an exit of its own accord; setup_failed is ours, all others are the guest's doing or somebody's wish.
Reason = Literal[
    "", "out_of_memory", "out_of_disk", "timeout", "stopped", "shutdown", "killed", "exec_failed", "setup_failed"
]


@dataclass(frozen=True)
class GuestState:
    """What is known of a guest now; `exited` and `lost` are final."""

    id: uuid.UUID
    state: State
    code: int | None = None
    signal: int | None = None
    reason: Reason = ""
    message: str = ""
    label: str = ""
    started_at: float | None = None
    ended_at: float | None = None
    output_bytes: int = 0
    peak_memory_bytes: int | None = None
    cpu_seconds: float | None = None

    @property
    def is_final(self) -> bool:
        """True when nothing of the guest runs any more."""
        return self.state in ("exited", "lost")

    @property
    def succeeded(self) -> bool:
        """True for an exit of its own accord with code 0."""
        return self.state == "exited" and self.code == 0 and not self.reason

    def to_dict(self) -> dict[str, Any]:
        """The state as plain JSON values."""
        return {**dataclasses.asdict(self), "id": str(self.id)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> GuestState:
        """The state that `to_dict` wrote."""
        return cls(**{**values, "id": uuid.UUID(values["id"])})


class Launcher(Protocol):
    """Starts guests somewhere: on this machine, or on a cluster."""

    def launch(self, spec: GuestSpec) -> GuestState:
        """Start the guest, or find the one that has this id; raises LaunchRefused."""
        ...

    def stop(self, guest_id: uuid.UUID, *, grace_seconds: float = 5, reason: Reason = "stopped") -> GuestState:
        """End the guest and everything it started: politely, and after the grace by force."""
        ...

    def check(self, guest_id: uuid.UUID) -> GuestState | None:
        """The truth about the guest, or None for an id that this launcher never had."""
        ...
