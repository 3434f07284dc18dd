"""Where an installation keeps its files, its secrets and its sockets."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path


class InstallationError(Exception):
    """Something about this machine or home stands in the way; the message says what to do."""


@dataclass(frozen=True)
class Home:
    """The folder of one installation, and the short folder for its sockets."""

    path: Path

    @property
    def postgres(self) -> Path:
        return self.path / "postgres"

    @property
    def redis(self) -> Path:
        return self.path / "redis"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def run(self) -> Path:
        """Process records and locks."""
        return self.path / "run"

    @property
    def secrets(self) -> Path:
        return self.path / "secrets"

    @property
    def runtime(self) -> Path:
        """The folder for sockets: short, since a socket's path cannot be longer than 107 bytes."""
        digest = hashlib.sha256(os.fsencode(os.path.realpath(self.path))).hexdigest()[:12]
        if os.geteuid() == 0 and os.path.isdir("/run"):
            return Path(f"/run/boathouse-{digest}")
        return Path(f"/tmp/boathouse-{os.geteuid()}-{digest}")

    @property
    def guest_socket(self) -> Path:
        """Where web answers guests: the one door of their network."""
        return self.runtime / "guest.sock"

    @property
    def sandbox_socket(self) -> Path:
        """Where sandboxd listens."""
        return self.runtime / "sandbox.sock"

    @property
    def redis_socket(self) -> Path:
        return self.runtime / "redis" / "redis.sock"

    @property
    def redis_url(self) -> str:
        return f"unix://{self.redis_socket}?db=0"

    def database_url(self, role: str, name: str = "boathouse") -> str:
        """The embedded database as `app`, `owner` or another of its roles."""
        return f"postgres://boathouse_{role}@/{name}?host={self.runtime / 'postgres'}&port=5432"

    def prepare(self) -> Home:
        """Make the folders, closed to everybody else; refuse a home that belongs to somebody else."""
        self.path.mkdir(parents=True, exist_ok=True)
        _require_own(self.path)
        # As root, the engines' account has to pass through to its own folders.
        through = 0o711 if os.geteuid() == 0 else 0o700
        self.path.chmod(through)
        for folder in (self.logs, self.run, self.secrets):
            folder.mkdir(mode=0o700, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            self.runtime.mkdir(mode=through)
        _require_own(self.runtime)
        self.runtime.chmod(through)
        return self

    def secret_key(self) -> str:
        """The key that signs and encrypts here, made when it is first asked for."""
        path = self.secrets / "secret_key"
        if not path.exists():
            self.secrets.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=self.secrets) as draft:
                draft.write(secrets.token_urlsafe(48))
                draft.flush()
                os.fsync(draft.fileno())
                with contextlib.suppress(FileExistsError):
                    os.link(draft.name, path)
        return path.read_text().strip()


def _require_own(folder: Path) -> None:
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise InstallationError(f"{folder} is not a folder; move it away, or set BOATHOUSE_HOME")
    if status.st_uid != os.geteuid():
        raise InstallationError(
            f"{folder} belongs to user {status.st_uid}, and you are user {os.geteuid()}; "
            "run this as that user, or set BOATHOUSE_HOME to another folder"
        )
