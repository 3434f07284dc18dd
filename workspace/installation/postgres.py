"""The embedded PostgreSQL: a real server from a wheel, on a Unix socket, for the users of this installation only."""

from __future__ import annotations

import os
import re
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path

from workspace.env import database_entry
from workspace.installation import processes
from workspace.installation.accounts import engine_account, own_name
from workspace.installation.home import Home, InstallationError
from workspace.installation.processes import Command
from workspace.installation.programs import postgres_programs

SUPERUSER = "postgres"
OWNER = "boathouse_owner"
APP = "boathouse_app"
DATABASE = "boathouse"

_ROLES = f"""
create role {OWNER} login nosuperuser nobypassrls nocreaterole nocreatedb;
create role {APP} login nosuperuser nobypassrls nocreaterole nocreatedb;
"""

_PRIVILEGES = f"""
revoke all on schema public from public;
alter schema public owner to {OWNER};
grant usage on schema public to {APP};
alter default privileges for role {OWNER} grant execute on functions to {APP};
alter default privileges for role {OWNER} in schema public grant select, insert, update, delete on tables to {APP};
alter default privileges for role {OWNER} in schema public grant usage, select on sequences to {APP};
alter default privileges for role {OWNER} revoke execute on functions from public;
"""

_SERVER_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
    "random_page_cost": "1.1",
    "log_checkpoints": "off",
    "max_wal_size": "2GB",
}


class EmbeddedPostgres:
    """One server over one home. `start()` brings it up ready to use; `stop()` ends it; roles connect by peer."""

    def __init__(self, home: Home | Path, *, durable: bool = True) -> None:
        self.home = home if isinstance(home, Home) else Home(home)
        self.durable = durable
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def folder(self) -> Path:
        return self.home.postgres

    @property
    def socket_folder(self) -> Path:
        return self.home.runtime / "postgres"

    @property
    def app_url(self) -> str:
        return self.home.database_url("app")

    @property
    def owner_url(self) -> str:
        return self.home.database_url("owner")

    def database(self, role: str = "app", name: str = DATABASE) -> dict[str, object]:
        """Django's DATABASES entry for one of the roles, `app` or `owner`."""
        return database_entry(self.home.database_url(role, name))

    def start(self) -> EmbeddedPostgres:
        """Bring the server up and wait until it answers; the first time, make cluster, roles and database."""
        command = self.prepare()
        deadline = time.monotonic() + 30
        while not self.is_ready():
            if self._child is None or self._child.poll() is not None:
                # A dead server's processes may hold its lock file for a moment longer.
                if time.monotonic() > deadline:
                    raise InstallationError(f"PostgreSQL does not start; the end of its log:\n{self._log_end()}")
                time.sleep(0.2 if self._child else 0)
                self._child = processes.launch(command, self.home.logs / "postgres.log")
            time.sleep(0.02)
        self.set_up()
        return self

    def stop(self) -> None:
        """End the server in order: open transactions are rolled back, nothing acknowledged is lost."""
        if self._child is None:
            return
        self._child.send_signal(signal.SIGINT)
        try:
            self._child.wait(20)
        except subprocess.TimeoutExpired:
            self._child.send_signal(signal.SIGQUIT)
            self._child.wait(10)
        self._child = None

    def prepare(self) -> Command:
        """Make the cluster when there is none; return the command that serves it."""
        self.home.prepare()
        account = engine_account()
        for folder in (self.folder, self.socket_folder):
            folder.mkdir(mode=0o700, exist_ok=True)
            if account:
                os.chown(folder, account.uid, account.gid)
        programs = postgres_programs(account)
        if not (self.folder / "PG_VERSION").exists():
            self._make_cluster(programs)
        self._write_access_rules()
        self._forget_strangers_locks()
        settings = dict(_SERVER_SETTINGS, unix_socket_directories=str(self.socket_folder))
        if not self.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        argv = [str(programs / "postgres"), "-D", _HERE]
        for name, value in settings.items():
            argv += ["-c", f"{name}={value}"]
        return self._command(argv, stop_signal=signal.SIGINT)

    def set_up(self) -> None:
        """Make the roles and the program's database where they are missing."""
        if self._ask(f"select 1 from pg_roles where rolname = '{APP}'", "postgres") != "1":
            self._tell(_ROLES, "postgres")
        if self._ask(f"select 1 from pg_database where datname = '{DATABASE}'", "postgres") != "1":
            self.create_database(DATABASE)

    def create_database(self, name: str) -> None:
        """Make a database that owner and app can use, empty, with the privileges of the program's own."""
        _require_identifier(name)
        self._tell(f"create database {name} owner {OWNER};", "postgres")
        self._tell(f"revoke all on database {name} from public; grant connect on database {name} to {APP};", "postgres")
        self._tell(_PRIVILEGES, name)

    def drop_database(self, name: str) -> None:
        """Remove a database with whatever is connected to it."""
        _require_identifier(name)
        self._tell(f"drop database if exists {name} with (force);", "postgres")

    def is_ready(self) -> bool:
        """Whether a session as `app` can be opened now."""
        return answers(self.socket_folder / ".s.PGSQL.5432", SUPERUSER, "postgres")

    def _make_cluster(self, programs: Path) -> None:
        leftover = list(self.folder.iterdir())
        if leftover:
            raise InstallationError(
                f"{self.folder} holds files but no complete database (an interrupted first start?); "
                "move it away and try again"
            )
        made = processes.run(
            self._command(
                [str(programs / "initdb"), "-D", _HERE, "-U", SUPERUSER]
                + ["--auth-local=peer", "--auth-host=reject", "-E", "UTF8", "--no-instructions", "--data-checksums"]
                + ["--locale-provider=builtin", "--locale=C.UTF-8", *([] if self.durable else ["--no-sync"])]
            )
        )
        if made.returncode != 0:
            raise InstallationError(f"PostgreSQL could not make its cluster:\n{made.stderr.strip()}")

    def _write_access_rules(self) -> None:
        account = engine_account()
        users = {own_name(), account.name} if account else {own_name()}
        rules = "local all all peer map=own\nlocal replication all peer map=own\n"
        roles = (SUPERUSER, OWNER, APP)
        # Only the users of this installation may be a role, whoever else sees the socket.
        pairs = "".join(f'own "{user}" {role}\n' for user in sorted(users) for role in roles)
        for name, text in (("pg_hba.conf", rules), ("pg_ident.conf", pairs)):
            path = self.folder / name
            path.write_text(text)
            path.chmod(0o600)
            if account:
                os.chown(path, account.uid, account.gid)

    def _forget_strangers_locks(self) -> None:
        """Remove lock files whose number now belongs to some other program, when no server of ours is left."""
        if any(_works_in(entry, self.folder) for entry in os.listdir("/proc") if entry.isdecimal()):
            return
        for lock in (self.folder / "postmaster.pid", self.socket_folder / ".s.PGSQL.5432.lock"):
            if lock.exists() and Path("/proc", lock.read_text().split("\n", 1)[0].strip()).exists():
                lock.unlink()

    def _command(self, argv: list[str], stop_signal: signal.Signals = signal.SIGTERM) -> Command:
        environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "PGTZ": "UTC"}
        return Command(argv, self.folder, environment, engine_account(), stop_signal)

    def _psql(self, sql: str, database: str, *options: str) -> str:
        account = engine_account()
        program = postgres_programs(account) / "psql"
        argv = [str(program), "-X", "-q", "-v", "ON_ERROR_STOP=1", *options]
        argv += ["-h", str(self.socket_folder), "-U", SUPERUSER, "-d", database]
        told = processes.run(self._command(argv), input=sql)
        if told.returncode != 0:
            raise InstallationError(f"PostgreSQL refused to be set up: {told.stderr.strip()}")
        return told.stdout.strip()

    def _tell(self, sql: str, database: str) -> None:
        self._psql(sql, database)

    def _ask(self, sql: str, database: str) -> str:
        return self._psql(sql, database, "-A", "-t")

    def _log_end(self, lines: int = 15) -> str:
        return "\n".join((self.home.logs / "postgres.log").read_text(errors="replace").splitlines()[-lines:])


# The server starts in its folder and names it so: it need not pass the folders above, which may be closed to it.
_HERE = "/proc/self/cwd"


def answers(path: Path, user: str, database: str, timeout_seconds: float = 2) -> bool:
    """Whether the server behind a socket opens a session for the user: the start of the protocol, spoken by hand."""
    parameters = f"user\0{user}\0database\0{database}\0\0".encode()
    try:
        with socket.socket(socket.AF_UNIX) as channel:
            channel.settimeout(timeout_seconds)
            channel.connect(str(path))
            channel.sendall(struct.pack("!ii", 8 + len(parameters), 196608) + parameters)
            received = b""
            while not re.search(rb"Z\0\0\0\x05I$", received):
                chunk = channel.recv(4096)
                if not chunk:
                    return False
                received += chunk
            channel.sendall(b"X\0\0\0\x04")
            return True
    except OSError:
        return False


def _works_in(pid: str, folder: Path) -> bool:
    try:
        return os.readlink(f"/proc/{pid}/cwd") == os.path.realpath(folder)
    except OSError:
        return False


def _require_identifier(name: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name):
        raise ValueError(f"{name!r} is not a plain database name")
