"""The kernel calls that Python 3.11 has no name for, raising OSError with the name of what failed."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import resource
import socket
import struct

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
_libc.syscall.restype = ctypes.c_long
_libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x2000000, 0x4000000, 0x8000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP = 1, 4, 22, 24
PR_SET_NO_NEW_PRIVS, PR_SET_NAME = 38, 15

# From syscall 424 on, numbers are the same on every architecture.
SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
SYS_CAPSET = {"x86_64": 126, "aarch64": 91}
SYS_OPEN_TREE, SYS_MOVE_MOUNT, SYS_OPENAT2, SYS_MOUNT_SETATTR = 428, 429, 437, 442
OPEN_TREE_CLONE, AT_RECURSIVE, AT_EMPTY_PATH, MOVE_MOUNT_F_EMPTY_PATH = 1, 0x8000, 0x1000, 4
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV, MOUNT_ATTR_IDMAP = 1, 2, 4, 0x100000
RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_BENEATH = 2, 4, 8


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def _syscall(number: int, *arguments: object, what: str) -> int:
    return _check(_libc.syscall(ctypes.c_long(number), *arguments), what)


def unshare(flags: int) -> None:
    """Leave the given namespaces for new ones."""
    _check(_libc.unshare(ctypes.c_int(flags)), f"unshare({flags:#x})")


def mount(source: str | None, target: str, kind: str | None, flags: int = 0, options: str = "") -> None:
    """Mount `source` on `target`."""
    encoded = [part.encode() if part else None for part in (source, target, kind)]
    _check(_libc.mount(*encoded, flags, options.encode() or None), f"mount {target}")


def unmount(target: str) -> None:
    """Detach what is mounted on `target`."""
    _check(_libc.umount2(target.encode(), MNT_DETACH), f"unmount {target}")


def pivot_root(folder: str) -> None:
    """Make `folder` the root of this mount namespace and let the old root go."""
    os.chdir(folder)
    _syscall(SYS_PIVOT_ROOT[platform.machine()], b".", b".", what="pivot_root")
    unmount(".")
    os.chdir("/")


def mount_setattr(fd: int, path: str, set_flags: int, *, userns_fd: int = 0, recursive: bool = True) -> None:
    """Add mount attributes (read-only, no setuid, an id map) to a mount and all below it."""
    attributes = struct.pack("QQQQ", set_flags, 0, 0, userns_fd)
    flags = (AT_RECURSIVE if recursive else 0) | (0 if path else AT_EMPTY_PATH)
    _syscall(
        SYS_MOUNT_SETATTR, ctypes.c_int(fd), path.encode(), ctypes.c_uint(flags), attributes, ctypes.c_size_t(32),
        what=f"mount_setattr {path}",
    )  # fmt: skip


def clone_tree(path: str) -> int:
    """A file descriptor of a detached copy of the mounts at `path`."""
    flags = OPEN_TREE_CLONE | AT_RECURSIVE | os.O_CLOEXEC
    return _syscall(SYS_OPEN_TREE, ctypes.c_int(-100), path.encode(), ctypes.c_uint(flags), what=f"open_tree {path}")


def attach_tree(fd: int, target: str) -> None:
    """Mount a detached tree on `target`."""
    _syscall(
        SYS_MOVE_MOUNT, ctypes.c_int(fd), b"", ctypes.c_int(-100), target.encode(),
        ctypes.c_uint(MOVE_MOUNT_F_EMPTY_PATH), what=f"move_mount {target}",
    )  # fmt: skip


def open_beneath(folder_fd: int, path: str, flags: int = os.O_RDONLY) -> int:
    """Open `path` below a folder, refusing every way out of it and every symbolic link."""
    how = struct.pack("QQQ", flags | os.O_CLOEXEC, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)
    return _syscall(
        SYS_OPENAT2, ctypes.c_int(folder_fd), path.encode(), how, ctypes.c_size_t(len(how)), what=f"open {path}"
    )


def prctl(option: int, *arguments: int) -> None:
    """Change an attribute of this process."""
    _check(_libc.prctl(option, *(list(arguments) + [0] * (4 - len(arguments)))), f"prctl({option})")


def drop_bounding_set() -> None:
    """Make sure that no program started later can gain a capability."""
    for capability in range(64):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError as failure:
            # The kernel knows fewer than 64; this is where they end.
            if failure.errno == errno.EINVAL:
                return
            raise


def clear_capabilities() -> None:
    """Empty the inheritable, permitted and effective sets."""
    header, empty = struct.pack("II", 0x20080522, 0), bytes(24)
    _syscall(SYS_CAPSET[platform.machine()], header, empty, what="capset")


def set_filter(program: bytes) -> None:
    """Install a seccomp program on this process and its children."""
    buffer = ctypes.create_string_buffer(program, len(program))
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer)))
    prctl(PR_SET_SECCOMP, 2, ctypes.addressof(header))


def raise_loopback() -> None:
    """Bring up `lo` in the network namespace of this process."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = fcntl.ioctl(control, 0x8913, struct.pack("16sH22x", b"lo", 0))
        (flags,) = struct.unpack_from("H", request, 16)
        fcntl.ioctl(control, 0x8914, struct.pack("16sH22x", b"lo", flags | 1))


def limit(kind: int, value: int) -> None:
    """Set both sides of a resource limit, never above what this process was given."""
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(kind, (value, value))


def birth_of(pid: int) -> str | None:
    """A mark that tells this process from a later one with the same pid; None when it is gone or only waits to be reaped."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            fields = stat.read().rpartition(b")")[2].split()
        with open("/proc/sys/kernel/random/boot_id") as boot:
            boot_id = boot.read().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in (b"Z", b"X") else f"{boot_id}:{int(fields[19])}"
