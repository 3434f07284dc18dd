"""The kernel calls that guests are refused: those that make namespaces, mounts, keys, modules, or look into others."""

from __future__ import annotations

import errno
import platform
import struct

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

_X86_64 = {
    "ptrace": 101, "syslog": 103, "pivot_root": 155, "adjtimex": 159, "chroot": 161, "acct": 163, "settimeofday": 164,
    "mount": 165, "umount2": 166, "swapon": 167, "swapoff": 168, "reboot": 169, "sethostname": 170,
    "setdomainname": 171, "iopl": 172, "ioperm": 173, "init_module": 175, "delete_module": 176, "quotactl": 179,
    "clock_settime": 227, "kexec_load": 246, "add_key": 248, "request_key": 249, "keyctl": 250, "unshare": 272,
    "perf_event_open": 298, "fanotify_init": 300, "name_to_handle_at": 303, "open_by_handle_at": 304,
    "clock_adjtime": 305, "setns": 308, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312,
    "finit_module": 313, "kexec_file_load": 320, "bpf": 321, "userfaultfd": 323,
}  # fmt: skip
_AARCH64 = {
    "umount2": 39, "mount": 40, "pivot_root": 41, "chroot": 51, "quotactl": 60, "acct": 89, "unshare": 97,
    "kexec_load": 104, "init_module": 105, "delete_module": 106, "clock_settime": 112, "syslog": 116, "ptrace": 117,
    "reboot": 142, "sethostname": 161, "setdomainname": 162, "settimeofday": 170, "adjtimex": 171, "add_key": 217,
    "request_key": 218, "keyctl": 219, "swapon": 224, "swapoff": 225, "perf_event_open": 241, "fanotify_init": 262,
    "name_to_handle_at": 264, "open_by_handle_at": 265, "clock_adjtime": 266, "setns": 268, "process_vm_readv": 270,
    "process_vm_writev": 271, "kcmp": 272, "finit_module": 273, "bpf": 280, "userfaultfd": 282,
    "kexec_file_load": 294,
}  # fmt: skip
_COMMON = {
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428, "move_mount": 429,
    "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "pidfd_getfd": 438, "mount_setattr": 442,
    "quotactl_fd": 443, "open_tree_attr": 467,
}  # fmt: skip
_CLONE = {"x86_64": 56, "aarch64": 220}
_SOCKET = {"x86_64": 41, "aarch64": 198}
_CLONE3 = 435
_NEW_NAMESPACES = 0x7E020000
_UNIX, _INET, _INET6, _NETLINK, _NETLINK_ROUTE = 1, 2, 10, 16, 0

_LOAD, _JEQ, _JGE, _JSET, _RET = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCH, _ARG0, _ARG2 = 0, 4, 16, 32
_ALLOW, _KILL = 0x7FFF0000, 0x80000000


def _refuse(number: int) -> int:
    return 0x00050000 | number


def guest_filter() -> bytes | None:
    """The BPF program for this machine, or None on an architecture that we have no table for."""
    machine = platform.machine()
    if machine not in _AUDIT_ARCH:
        return None
    steps: list[tuple[int, int, int, int]] = []

    def add(code: int, value: int, yes: int = 0, no: int = 0) -> None:
        steps.append((code, yes, no, value))

    add(_LOAD, _ARCH)
    add(_JEQ, _AUDIT_ARCH[machine], 1, 0)
    add(_RET, _KILL)
    add(_LOAD, _NUMBER)
    if machine == "x86_64":
        # The x32 numbers are a second way to every call.
        add(_JGE, 0x40000000, 0, 1)
        add(_RET, _refuse(errno.ENOSYS))
    for number in sorted([*(_X86_64 if machine == "x86_64" else _AARCH64).values(), *_COMMON.values()]):
        add(_JEQ, number, 0, 1)
        add(_RET, _refuse(errno.EPERM))
    # The C library falls back to clone, whose flags can be looked at.
    add(_JEQ, _CLONE3, 0, 1)
    add(_RET, _refuse(errno.ENOSYS))
    add(_JEQ, _CLONE[machine], 0, 4)
    add(_LOAD, _ARG0)
    add(_JSET, _NEW_NAMESPACES, 0, 1)
    add(_RET, _refuse(errno.EPERM))
    add(_RET, _ALLOW)
    add(_JEQ, _SOCKET[machine], 0, 8)
    add(_LOAD, _ARG0)
    add(_JEQ, _UNIX, 6, 0)
    add(_JEQ, _INET, 5, 0)
    add(_JEQ, _INET6, 4, 0)
    add(_JEQ, _NETLINK, 0, 2)
    add(_LOAD, _ARG2)
    add(_JEQ, _NETLINK_ROUTE, 1, 0)
    add(_RET, _refuse(errno.EAFNOSUPPORT))
    add(_RET, _ALLOW)
    return b"".join(struct.pack("HBBI", *step) for step in steps)
