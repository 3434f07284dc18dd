"""What a guest holds now, for the limits that the kernel does not hold by itself."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
# Files without content fill a disk as well.
_MOST_ENTRIES = 500_000


def disk_bytes(folder: Path, limit: int) -> int:
    """How much the files below a folder take, followed through no link; stops counting above `limit`."""
    total = entries = 0
    pending = [os.open(folder, os.O_RDONLY | os.O_DIRECTORY)]
    try:
        while pending and total <= limit and entries <= _MOST_ENTRIES:
            with contextlib.suppress(OSError):
                pending_fd = pending.pop()
                try:
                    for entry in os.scandir(pending_fd):
                        entries += 1
                        found = entry.stat(follow_symlinks=False)
                        total += found.st_blocks * 512
                        # Each pending folder holds a descriptor, so very wide trees are counted as over the limit.
                        if stat.S_ISDIR(found.st_mode):
                            if len(pending) > 500:
                                return limit + 1
                            pending.append(
                                os.open(entry.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=pending_fd)
                            )
                finally:
                    os.close(pending_fd)
    finally:
        for fd in pending:
            os.close(fd)
    return limit + 1 if entries > _MOST_ENTRIES else total


def unlinked_bytes(pid: int, device: int) -> int:
    """How much disk the files take that these processes hold open after removing them."""
    found = {}
    for process in processes_below(pid):
        with contextlib.suppress(OSError):
            for fd in os.listdir(f"/proc/{process}/fd"):
                with contextlib.suppress(OSError):
                    held = os.stat(f"/proc/{process}/fd/{fd}")
                    if stat.S_ISREG(held.st_mode) and held.st_nlink == 0 and held.st_dev == device:
                        found[held.st_ino] = held.st_blocks * 512
    return sum(found.values())


def processes_below(pid: int) -> list[int]:
    """The process and all that descend from it."""
    found, pending = [], [pid]
    while pending:
        current = pending.pop()
        found.append(current)
        with contextlib.suppress(OSError, ValueError):
            for thread in os.listdir(f"/proc/{current}/task"):
                with open(f"/proc/{current}/task/{thread}/children") as children:
                    pending.extend(int(child) for child in children.read().split())
    return found


def memory_bytes(pid: int) -> int:
    """The memory that a process and its descendants hold, shared pages of each counted once per process."""
    total = 0
    for process in processes_below(pid):
        with contextlib.suppress(OSError, ValueError, IndexError):
            with open(f"/proc/{process}/statm") as statm:
                _, resident, shared, *_ = statm.read().split()
            total += (int(resident) - int(shared)) * _PAGE_BYTES
    return total
