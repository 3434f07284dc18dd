"""The account that database and queue run under when the installation is started by root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from workspace.installation.home import InstallationError

NAME = "boathouse"


@dataclass(frozen=True)
class Account:
    """A system user by name and numbers."""

    name: str
    uid: int
    gid: int

    def reaches(self, path: Path) -> bool:
        """Whether this user may pass through every folder down to the path and read it."""
        path = Path(os.path.realpath(path))
        return all(self._may(folder, 0o1) for folder in path.parents) and self._may(path, 0o4)

    def _may(self, path: Path, bit: int) -> bool:
        status = path.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & (bit << 6))
        if status.st_gid == self.gid:
            return bool(status.st_mode & (bit << 3))
        return bool(status.st_mode & bit)


def own_name() -> str:
    """The name of the user who runs us."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise InstallationError(
            f"user {os.geteuid()} has no entry in the password file, which PostgreSQL needs; "
            "add one, run as another user, or set DATABASE_URL and REDIS_URL"
        ) from None


def engine_account() -> Account | None:
    """The account for the engines: a system user of its own as root (made when missing), else None, ourselves."""
    if os.geteuid() != 0:
        return None
    for attempt in range(5):
        try:
            entry = pwd.getpwnam(NAME)
        except KeyError:
            _add_user(last=attempt == 4)
        else:
            return Account(NAME, entry.pw_uid, entry.pw_gid)
    raise InstallationError(f"the system user {NAME} was made but is not found; look at /etc/passwd")


def _add_user(last: bool) -> None:
    program = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if program is None:
        raise InstallationError(
            f"PostgreSQL does not run as root and there is no useradd; add a system user named {NAME}, "
            "or run this as an ordinary user"
        )
    made = subprocess.run(
        [program, "--system", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", NAME],
        capture_output=True,
        text=True,
        check=False,
    )
    # Another installation may add it at this moment: the password file is locked, or it is there.
    if made.returncode not in (0, 9) and last:
        raise InstallationError(f"could not add the system user {NAME}: {made.stderr.strip()}")
    if made.returncode != 0:
        time.sleep(0.3)
