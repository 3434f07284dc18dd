"""What this machine can give guests, found out by starting one that looks around."""

from __future__ import annotations

import json
import os
import sys
import time
import uuid
from typing import Any

from apps.sandbox.launchers import GuestSpec, Limits, seccomp
from apps.sandbox.launchers.cgroups import Group
from apps.sandbox.launchers.local import LocalLauncher

_LOOK_AROUND = """
import json, os, socket
status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
print(json.dumps({
    "uid": os.getuid(),
    "capabilities": int(status["CapBnd"], 16) | int(status["CapEff"], 16),
    "no_new_privileges": status["NoNewPrivs"].strip() == "1",
    "filter": status["Seccomp"].strip() == "2",
    "processes": sum(name.isdigit() for name in os.listdir("/proc")),
    "interfaces": [name for _, name in socket.if_nameindex()],
    "root": sorted(os.listdir("/")),
    "home": os.path.exists(os.environ["HOME_OF_THE_INSTALLATION"]),
}))
"""
_SECONDS = 20.0


def capabilities_report(launcher: LocalLauncher) -> dict[str, Any]:
    """{"ok": guests may start, "walls": what was found, "missing": sentences on what this machine does not give}."""
    walls, missing = _try_guest(launcher)
    ok = not missing
    group = Group.create(launcher.family, f"try-{os.getpid()}", 64 << 20, 16)
    walls["memory_limit"] = f"control group v{group.version}" if group.memory else "per process, and watched"
    walls["process_limit"] = f"control group v{group.version}" if group.pids else "per user"
    group.remove()
    walls["own_user"] = os.geteuid() == 0
    if not group.memory:
        missing.append(
            "Memory of guests is limited per process and watched once a second, not held by the kernel: "
            "control groups cannot be made here."
        )
    if not walls["own_user"]:
        missing.append("Guests run under this user's own id, behind namespaces: run as root to give each its own.")
    if seccomp.guest_filter() is None:
        missing.append("There is no table of kernel calls for this processor, so none are refused to guests.")
    return {"ok": ok, "walls": walls, "missing": missing}


def _try_guest(launcher: LocalLauncher) -> tuple[dict[str, Any], list[str]]:
    guest_id = uuid.uuid4()
    python = os.path.realpath(sys.executable)
    limits = Limits(memory_bytes=256 << 20, processes=8, scratch_bytes=1 << 20, wall_seconds=_SECONDS)
    argv = (python, "-I", "-S", "-c", _LOOK_AROUND)
    env = {"HOME_OF_THE_INSTALLATION": str(launcher.folder.parent)}
    launcher.launch(GuestSpec(guest_id, argv, env=env, limits=limits, label="self-test"))
    until = time.monotonic() + _SECONDS
    while True:
        state = launcher.check(guest_id)
        assert state is not None
        if state.is_final or time.monotonic() > until:
            break
        time.sleep(0.01)
    output = launcher.read_output(guest_id).decode(errors="replace")
    state = launcher.stop(guest_id, grace_seconds=0)
    launcher.remove(guest_id)
    if not state.succeeded:
        reason = (state.message or output or state.reason or state.state).strip().splitlines()
        return {}, [
            "The walls around guests cannot be raised here, so jobs and endpoints do not start: "
            + (reason[-1] if reason else "no reason given")
            + ". User, mount, pid and network namespaces must be allowed (as root, or for ordinary users by "
            "kernel.unprivileged_userns_clone=1, user.max_user_namespaces>0 and, on Ubuntu, "
            "kernel.apparmor_restrict_unprivileged_userns=0)."
        ]
    seen = json.loads(output)
    holes = {
        "it held capabilities": seen["capabilities"] != 0,
        "it could gain privileges": not seen["no_new_privileges"],
        "it saw other processes": seen["processes"] > 2,
        "it had a network": seen["interfaces"] not in (["lo"], []),
        "it was root": seen["uid"] == 0,
        "it saw the home, which lies inside a folder that guests need; set BOATHOUSE_HOME elsewhere": seen["home"],
    }
    return seen, [f"The walls around guests leak here: {hole}." for hole, open_ in holes.items() if open_]
