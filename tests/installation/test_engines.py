"""The embedded database and queue: closed to strangers, alive after kills, in homes that their account cannot reach."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from workspace.installation import external
from workspace.installation.engines import Engines, temporary_engines
from workspace.installation.external import connection_arguments
from workspace.installation.home import Home, InstallationError
from workspace.installation.postgres import EmbeddedPostgres
from workspace.installation.programs import postgres_programs

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="an account of its own is made by root only")


@pytest.fixture(scope="module")
def engines() -> Iterator[Engines]:
    with temporary_engines() as engines:
        yield engines


def connect(url: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(**connection_arguments(url), autocommit=True)


def test_the_program_uses_rows_and_owns_nothing(engines: Engines) -> None:
    with connect(engines.postgres.owner_url) as owner, connect(engines.postgres.app_url) as app:
        owner.execute("create table thing (id serial primary key, name text)")
        app.execute("insert into thing (name) values ('oar')")
        assert app.execute("select name from thing").fetchall() == [("oar",)]
        for forbidden in (
            "drop table thing",
            "create table other (id int)",
            "alter table thing disable row level security",
            "set role boathouse_owner",
            "create role intruder",
            "copy thing to '/tmp/thing'",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(forbidden)


@as_root
def test_another_user_is_refused_even_where_the_socket_can_be_reached(engines: Engines) -> None:
    folder = engines.postgres.socket_folder
    socket_path = folder / ".s.PGSQL.5432"
    stranger = {"user": 65534, "group": 65534, "extra_groups": []}
    command = [str(_open_psql()), "-h", str(folder), "-U", "boathouse_app", "-d", "boathouse", "-c", "select 1"]
    closed = subprocess.run(command, capture_output=True, text=True, **stranger)
    assert "Permission denied" in closed.stderr
    folder.chmod(0o755)
    socket_path.chmod(0o777)
    try:
        opened = subprocess.run(command, capture_output=True, text=True, **stranger)
        ours = subprocess.run(command, capture_output=True, text=True)
    finally:
        socket_path.chmod(0o700)
        folder.chmod(0o700)
    assert "Peer authentication failed" in opened.stderr
    assert ours.returncode == 0


@as_root
def test_the_queue_is_closed_to_another_user(engines: Engines) -> None:
    path = str(engines.home.redis_socket)
    child = os.fork()
    if child == 0:
        outcome = 1
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            outcome = 77 if socket.socket(socket.AF_UNIX).connect_ex(path) == errno.EACCES else 0
        finally:
            os._exit(outcome)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 77
    with redis.Redis.from_url(engines.redis.url) as ours:
        assert ours.ping()


def test_killed_in_the_middle_it_starts_again_with_what_was_committed(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    postgres = EmbeddedPostgres(home).start()
    try:
        with connect(postgres.owner_url) as owner:
            owner.execute("create table kept (n int)")
            owner.execute("insert into kept values (1)")
        pid = int((home.postgres / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)
        postgres.start()
        with connect(postgres.app_url) as app:
            assert app.execute("select n from kept").fetchall() == [(1,)]
    finally:
        postgres.stop()
        shutil.rmtree(home.runtime)


def test_a_lock_file_with_a_strangers_number_does_not_stop_it(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    EmbeddedPostgres(home, durable=False).start().stop()
    # After a reboot the number in a left lock file may be any program's: here, of one that runs for the engines' account.
    postgres = EmbeddedPostgres(home, durable=False)
    sleeper = subprocess.Popen(["sleep", "60"], user=home.postgres.stat().st_uid)
    try:
        status = home.postgres.stat()
        for lock in (home.postgres / "postmaster.pid", postgres.socket_folder / ".s.PGSQL.5432.lock"):
            lock.write_text(f"{sleeper.pid}\n/proc/self/cwd\n1\n5432\n{postgres.socket_folder}\n\n")
            os.chown(lock, status.st_uid, status.st_gid)
        postgres.start()
        assert postgres.is_ready()
    finally:
        postgres.stop()
        sleeper.kill()
        sleeper.wait()
        shutil.rmtree(home.runtime, ignore_errors=True)


def test_a_home_below_a_closed_folder_works(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    home = Home(closed / "home")
    postgres = EmbeddedPostgres(home, durable=False)
    try:
        postgres.start()
        with connect(postgres.app_url) as app:
            assert app.execute("select current_user").fetchone() == ("boathouse_app",)
    finally:
        postgres.stop()
        shutil.rmtree(home.runtime, ignore_errors=True)


@as_root
def test_a_home_of_somebody_else_is_refused(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65534)
    with pytest.raises(InstallationError, match="belongs to user 65534"):
        Home(tmp_path).prepare()


def test_an_external_database_is_taken_only_as_a_plain_role(engines: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    from workspace.env import env

    monkeypatch.setenv("DATABASE_URL", engines.home.database_url("app"))
    external.check(env)
    # Before the first migration the owner owns no table yet, and is refused all the same.
    engines.postgres.create_database("empty")
    monkeypatch.setenv("DATABASE_URL", engines.home.database_url("owner", "empty"))
    with pytest.raises(InstallationError, match="owns tables"):
        external.check(env)
    monkeypatch.setenv("DATABASE_URL", engines.home.database_url("owner"))
    with pytest.raises(InstallationError, match="owns tables"):
        external.check(env)
    superuser = engines.home.database_url("app").replace("boathouse_app", "postgres")
    monkeypatch.setenv("DATABASE_URL", superuser)
    with pytest.raises(InstallationError, match="superuser"):
        external.check(env)
    monkeypatch.setenv("DATABASE_URL", "postgres://boathouse_app@/boathouse?host=/nowhere")
    with pytest.raises(InstallationError, match="cannot be reached"):
        external.check(env)


def _open_psql() -> Path:
    from workspace.installation.accounts import engine_account

    return postgres_programs(engine_account()) / "psql"
