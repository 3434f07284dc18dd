"""What the first process of a guest does before it lets anything of the guest run: namespaces, root, user, limits."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from apps.sandbox.launchers import CLIENT_CODE, DOOR_PORT, GUEST_CODE, GUEST_WORK, GuestSpec, Limits, linux, seccomp

SYSTEM_FOLDERS = ("/usr/bin", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/share/zoneinfo")
_ROOT_LINKS = ("/bin", "/lib", "/lib32", "/lib64")
_DEVICES = ("null", "zero", "full", "random", "urandom")
_MASKED_FILES = ("kcore", "keys", "key-users", "kmsg", "timer_list", "sched_debug", "sysrq-trigger", "kallsyms")
_MASKED_FOLDERS = ("acpi", "scsi", "bus", "fs", "irq", "sys", "tty", "driver")


class Root:
    """A small root file system below an empty folder, of which nothing can be written but what `writable` made so."""

    def __init__(self, folder: Path, uid: int, gid: int, *, privileged: bool) -> None:
        self.folder, self.uid, self.gid, self.privileged = folder, uid, gid, privileged
        self.owners: dict[tuple[int, int], int] = {}

    def at(self, path: str) -> str:
        """Where `path` of the guest lies while the root is being built."""
        return f"{self.folder}{path}"

    def make(self, path: str, *, is_folder: bool) -> str:
        """An empty folder or file to mount on."""
        target = Path(self.at(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        if is_folder:
            target.mkdir(exist_ok=True)
        elif not target.exists():
            target.touch()
        return str(target)

    def tmpfs(self, path: str, size: int, mode: int, flags: int = 0) -> None:
        """An empty file system in memory, of at most `size` bytes."""
        options = f"mode={mode:o},size={size},nr_inodes=64k"
        linux.mount(
            "tmpfs", self.make(path, is_folder=True), "tmpfs", linux.MS_NOSUID | linux.MS_NODEV | flags, options
        )

    def bind(self, source: str, path: str = "", *, writable: bool = False, device: bool = False) -> None:
        """Show a file or folder of the host to the guest, as it is."""
        target = self.make(path or source, is_folder=os.path.isdir(source))
        linux.mount(source, target, None, linux.MS_BIND | linux.MS_REC)
        if not device:
            closed = 0 if writable else linux.MOUNT_ATTR_RDONLY
            linux.mount_setattr(-100, target, closed | linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV)

    def lend(self, source: str, path: str = "") -> None:
        """Show something of ours read-only, readable for the guest even if only its owner may read it."""
        if not self.privileged:
            self.bind(source, path)
            return
        owner = os.stat(source)
        if (owner.st_uid, owner.st_gid) not in self.owners:
            self.owners[owner.st_uid, owner.st_gid] = self.map_owner(owner.st_uid, owner.st_gid)
        tree = linux.clone_tree(source)
        attributes = linux.MOUNT_ATTR_RDONLY | linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV
        namespace = self.owners[owner.st_uid, owner.st_gid]
        try:
            linux.mount_setattr(tree, "", attributes | linux.MOUNT_ATTR_IDMAP, userns_fd=namespace)
        except OSError:
            # This file system cannot map owners: then what others may read is what the guest can read.
            linux.mount_setattr(tree, "", attributes)
        linux.attach_tree(tree, self.make(path or source, is_folder=os.path.isdir(source)))
        os.close(tree)

    def map_owner(self, uid: int, gid: int) -> int:
        """A user namespace, as a file descriptor, in which what this owner has belongs to the guest."""
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):
                linux.unshare(linux.CLONE_NEWUSER)
                os.write(writer, b"1")
                signal.pause()
            os._exit(1)
        os.close(writer)
        try:
            if not os.read(reader, 1):
                raise OSError("no user namespace for the map of owners")
            # This process has a pid of its own namespace, so only the new /proc knows the child by its number.
            proc = Path(self.at(f"/proc/{child}"))
            (proc / "uid_map").write_text(f"{uid} {self.uid} 1")
            (proc / "gid_map").write_text(f"{gid} {self.gid} 1")
            return os.open(proc / "ns/user", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            os.close(reader)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)

    def write(self, path: str, text: str) -> None:
        """A small file of our own."""
        Path(self.make(path, is_folder=False)).write_text(text)

    def enter(self) -> None:
        """Become the root, closed for writing."""
        linux.mount_setattr(-100, str(self.folder), linux.MOUNT_ATTR_RDONLY, recursive=False)
        linux.pivot_root(str(self.folder))


def enter_user_namespace() -> None:
    """As an ordinary user: a user namespace in which this user stays itself but may make the other namespaces."""
    uid, gid = os.getuid(), os.getgid()
    linux.unshare(linux.CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")


@dataclass(frozen=True)
class Ground:
    """What a guest stands on: its folder here, our code for it, what of the system it sees, and who it is."""

    folder: Path
    guest_code: str
    system: tuple[str, ...]
    uid: int
    gid: int
    privileged: bool


def raise_walls(spec: GuestSpec, ground: Ground) -> None:
    """Put this process, the first of its pid namespace, into a world that holds only what the spec names."""
    os.umask(0o022)
    linux.unshare(
        linux.CLONE_NEWNS | linux.CLONE_NEWNET | linux.CLONE_NEWIPC | linux.CLONE_NEWUTS | linux.CLONE_NEWCGROUP
    )
    socket.sethostname("guest")
    linux.raise_loopback()
    linux.mount(None, "/", None, linux.MS_REC | linux.MS_PRIVATE)

    root = Root(ground.folder / "root", ground.uid, ground.gid, privileged=ground.privileged)
    root.tmpfs("", 4 * 1024 * 1024, 0o755)
    mount_proc(root)
    # Before what is bound, some of which may lie below it.
    root.tmpfs("/tmp", spec.limits.scratch_bytes, 0o1777)
    for link in _ROOT_LINKS:
        if os.path.islink(link):
            os.symlink(os.readlink(link), root.at(link))
        elif os.path.isdir(link):
            root.bind(link)
    for path in dict.fromkeys(ground.system):
        if os.path.isdir(path):
            root.bind(path)
    if os.path.exists("/etc/ld.so.cache"):
        root.bind("/etc/ld.so.cache")
    root.write("/etc/passwd", f"guest:x:{ground.uid}:{ground.gid}:guest:/tmp:/bin/sh\n")
    root.write("/etc/group", f"guest:x:{ground.gid}:\n")
    root.write("/etc/hosts", "127.0.0.1 localhost guest\n")
    root.write("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n")

    root.tmpfs("/dev", 64 * 1024, 0o755)
    for device in _DEVICES:
        root.bind(f"/dev/{device}", device=True)
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        os.symlink(target, root.at(f"/dev/{name}"))
    root.tmpfs("/dev/shm", spec.limits.scratch_bytes, 0o1777)
    linux.mount_setattr(-100, root.at("/dev"), linux.MOUNT_ATTR_RDONLY, recursive=False)

    if spec.environment:
        root.lend(spec.environment)
    for target in (GUEST_CODE, CLIENT_CODE):
        root.lend(f"{ground.guest_code}/{Path(target).name}", target)
    for bind in sorted(spec.binds, key=lambda bind: bind.target or bind.source):
        root.lend(bind.source, bind.target)
    root.bind(str(ground.folder / "work"), GUEST_WORK, writable=True)
    root.enter()
    os.chdir(GUEST_WORK)


def mount_proc(root: Root) -> None:
    """A /proc that shows the guest's own processes, with what tells of the machine's insides covered."""
    flags = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC
    linux.mount("proc", root.make("/proc", is_folder=True), "proc", flags)
    for name in _MASKED_FILES:
        if os.path.exists(root.at(f"/proc/{name}")):
            linux.mount("/dev/null", root.at(f"/proc/{name}"), None, linux.MS_BIND)
    for name in _MASKED_FOLDERS:
        path = root.at(f"/proc/{name}")
        # numpy, joblib and the C library read a few settings here, so /proc/sys stays readable.
        if name == "sys" and os.path.isdir(path):
            linux.mount(path, path, None, linux.MS_BIND | linux.MS_REC)
            linux.mount_setattr(-100, path, linux.MOUNT_ATTR_RDONLY)
        elif os.path.isdir(path):
            linux.mount("tmpfs", path, "tmpfs", flags | linux.MS_RDONLY, "size=4k,mode=755")


def interpreter_folders() -> list[str]:
    """What a guest must see at its own path for the Python that runs us."""
    prefix = os.path.realpath(sys.base_prefix)
    if prefix == "/usr":
        return []
    if prefix == "/usr/local":
        return ["/usr/local/bin", "/usr/local/lib"]
    return list(dict.fromkeys([prefix, os.path.abspath(sys.base_prefix)]))


def become_guest(ground: Ground) -> None:
    """Give up every privilege for good, for this process and all that it will start."""
    linux.drop_bounding_set()
    if ground.privileged:
        os.setgroups([])
        os.setresgid(ground.gid, ground.gid, ground.gid)
        os.setresuid(ground.uid, ground.uid, ground.uid)
    linux.clear_capabilities()
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
    # A change of user clears both, so they come last.
    linux.prctl(linux.PR_SET_DUMPABLE, 0)
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    program = seccomp.guest_filter()
    if program is not None:
        linux.set_filter(program)


def set_limits(limits: Limits, *, counts_memory: bool) -> None:
    """Set the resource limits of the process that becomes the guest's own."""
    linux.limit(resource.RLIMIT_CORE, 0)
    linux.limit(resource.RLIMIT_NPROC, limits.processes + 1)
    linux.limit(resource.RLIMIT_NOFILE, limits.open_files)
    linux.limit(resource.RLIMIT_FSIZE, limits.file_bytes)
    linux.limit(resource.RLIMIT_MEMLOCK, 64 * 1024)
    linux.limit(resource.RLIMIT_MSGQUEUE, 64 * 1024)
    linux.limit(resource.RLIMIT_SIGPENDING, 1024)
    if limits.cpu_seconds is not None:
        # The soft limit says SIGXCPU, which tells a time-out from a kill.
        resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_seconds, limits.cpu_seconds + 2))
    if not counts_memory:
        linux.limit(resource.RLIMIT_DATA, limits.memory_bytes)


def open_door() -> socket.socket:
    """A listening socket at the guest's local address, for the keeper to answer."""
    door = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    door.bind(("127.0.0.1", DOOR_PORT))
    door.listen(128)
    return door
