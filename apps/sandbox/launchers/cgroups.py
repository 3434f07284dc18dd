"""Memory and process limits by control groups, version 1 or 2, where this process may make them."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_MOUNT = Path("/sys/fs/cgroup")


def _own_paths() -> dict[str, str]:
    """Where this process is: controller -> path, with "" for the unified hierarchy."""
    paths = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            paths[controller] = path
    return paths


def _make(parents: list[Path], name: str, needs: str) -> Path | None:
    """A new group below the first parent that allows it and offers the file `needs`."""
    for parent in [*parents, *parents]:  # again, since the last guest's end may take the family away just now
        group = parent / name
        with contextlib.suppress(OSError):
            group.parent.mkdir(exist_ok=True)
            if needs in ("memory.max", "pids.max") and (parent / "cgroup.subtree_control").exists():
                for level in (parent, group.parent):
                    with contextlib.suppress(OSError):
                        (level / "cgroup.subtree_control").write_text("+memory +pids")
            group.mkdir(exist_ok=True)
            if (group / needs).exists() and os.access(group / needs, os.W_OK):
                return group
            group.rmdir()
    return None


def _read_count(path: Path, key: str) -> int:
    with contextlib.suppress(OSError):
        for line in path.read_text().splitlines():
            name, _, value = line.partition(" ")
            if name == key:
                return int(value)
    return 0


@dataclass
class Group:
    """The control groups of one guest; a missing one means that this machine cannot give that limit."""

    memory: Path | None
    pids: Path | None
    version: int

    @classmethod
    def create(cls, family: str, name: str, memory_bytes: int, processes: int) -> Group:
        """Make the groups of a guest and set their limits, as far as the machine allows."""
        own = _own_paths()
        version = 1 if "memory" in own else 2
        if version == 1:
            memory, pids = (
                _make([_MOUNT / kind / own.get(kind, "/").lstrip("/"), _MOUNT / kind], f"{family}/{name}", needs)
                for kind, needs in (("memory", "memory.limit_in_bytes"), ("pids", "pids.max"))
            )
        else:
            parents = [_MOUNT / own.get("", "/").lstrip("/"), _MOUNT]
            memory = _make(parents, f"{family}/{name}", "memory.max")
            pids = memory or _make(parents, f"{family}/{name}", "pids.max")
        group = cls(memory, pids, version)
        group._limit(memory_bytes, processes)
        return group

    def _limit(self, memory_bytes: int, processes: int) -> None:
        if self.memory and self.version == 1:
            (self.memory / "memory.limit_in_bytes").write_text(str(memory_bytes))
            # Without swap accounting the file is not there, and swap cannot be held back.
            with contextlib.suppress(FileNotFoundError):
                (self.memory / "memory.memsw.limit_in_bytes").write_text(str(memory_bytes))
        elif self.memory:
            (self.memory / "memory.max").write_text(str(memory_bytes))
            for file, value in (("memory.swap.max", "0"), ("memory.oom.group", "0")):
                with contextlib.suppress(FileNotFoundError):
                    (self.memory / file).write_text(value)
        if self.pids:
            # Our init inside the guest is one more.
            (self.pids / "pids.max").write_text(str(processes + 1))

    def _folders(self) -> list[Path]:
        return list(dict.fromkeys(folder for folder in (self.memory, self.pids) if folder))

    def enter(self) -> None:
        """Put this process, and so all it will start, into the groups."""
        for folder in self._folders():
            (folder / "cgroup.procs").write_text("0")

    def out_of_memory_count(self) -> int:
        """How many processes the kernel killed because the guest was at its memory limit."""
        if not self.memory:
            return 0
        file = "memory.oom_control" if self.version == 1 else "memory.events"
        return _read_count(self.memory / file, "oom_kill")

    def peak_memory_bytes(self) -> int | None:
        """The most memory that the guest ever held, where the kernel tells."""
        if self.memory:
            with contextlib.suppress(OSError, ValueError):
                file = "memory.max_usage_in_bytes" if self.version == 1 else "memory.peak"
                return int((self.memory / file).read_text())
        return None

    def kill(self) -> None:
        """Kill what is left in the groups and remove them."""
        for folder in self._folders():
            with contextlib.suppress(OSError):
                for pid in (folder / "cgroup.procs").read_text().split():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)
        self.remove()

    def remove(self) -> None:
        """Remove the groups of a guest that has ended."""
        for folder in self._folders():
            for _ in range(20):
                with contextlib.suppress(FileNotFoundError, PermissionError):
                    try:
                        folder.rmdir()
                    except OSError as failure:
                        if failure.errno == errno.EBUSY:
                            time.sleep(0.02)
                            continue
                        raise
                break
            # The family goes with its last member.
            with contextlib.suppress(OSError):
                folder.parent.rmdir()

    @classmethod
    def clear(cls, family: str, keep: set[str]) -> None:
        """Remove the empty groups of a family that are nobody's any more, and the family when it is empty."""
        for parent in {*_MOUNT.glob(f"**/{family}")} if _MOUNT.is_dir() else ():
            for group in parent.iterdir():
                if group.is_dir() and group.name not in keep:
                    with contextlib.suppress(OSError):
                        group.rmdir()
            with contextlib.suppress(OSError):
                parent.rmdir()

    def to_dict(self) -> dict[str, str | int | None]:
        """The group as plain JSON values."""
        return {
            "memory": str(self.memory) if self.memory else None,
            "pids": str(self.pids) if self.pids else None,
            "version": self.version,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Group:
        """The group that `to_dict` wrote."""
        memory, pids = (Path(values[kind]) if values.get(kind) else None for kind in ("memory", "pids"))
        return cls(memory, pids, values.get("version", 0))
