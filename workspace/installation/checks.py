"""What `doctor` looks at in an installation, and what to do about what it finds."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from workspace.env import Env
from workspace.installation import status
from workspace.installation.external import check as check_external
from workspace.installation.external import connection_arguments


@dataclass(frozen=True)
class Check:
    """One thing looked at: fine or not, and a sentence."""

    name: str
    ok: bool
    message: str


def all_checks(env: Env) -> list[Check]:
    """Every check, each on its own: one that breaks says so and the others go on."""
    checks: list[Callable[[Env], str]] = [
        _settings,
        _home,
        _disk,
        _processes,
        _web,
        _database,
        _clock,
        _queue,
        _storage,
    ]
    return [_run(check, env) for check in checks]


class _Bad(Exception):
    pass


def _run(check: Callable[[Env], str], env: Env) -> Check:
    name = check.__name__.strip("_")
    try:
        return Check(name, True, check(env))
    except Exception as error:  # whatever goes wrong while looking is what the doctor has to say
        return Check(name, False, str(error).strip() or type(error).__name__)


def _settings(env: Env) -> str:
    for variable in env.variables():
        variable.__get__(env, type(env))
    check_external(env)
    if env.host not in {"127.0.0.1", "::1", "localhost"} and not env.https:
        raise _Bad(
            f"listens on {env.host} without https: put a proxy in front and set BOATHOUSE_PUBLIC_URL=https://..."
        )
    return "every variable can be read"


def _home(env: Env) -> str:
    mode = env.home.stat().st_mode & 0o777
    if mode & 0o066:
        raise _Bad(f"{env.home} is open to others (mode {mode:o}): chmod 700 {env.home}")
    key = env.home / "secrets" / "secret_key"
    if key.exists() and key.stat().st_mode & 0o077:
        raise _Bad(f"{key} can be read by others: chmod 600 {key}")
    return f"{env.home}, mode {mode:o}"


def _disk(env: Env) -> str:
    usage = shutil.disk_usage(env.home)
    free = f"{usage.free / 1e9:.1f} GB free of {usage.total / 1e9:.0f}"
    if usage.free < 2e9 or usage.free < 0.03 * usage.total:
        raise _Bad(f"{free} in {env.home}: the database stops when it is full")
    return free


def _processes(env: Env) -> str:
    found = status.read(env).processes
    bad = [f"{process.name} is {process.state}" for process in found if not process.is_healthy]
    if bad or not found:
        raise _Bad(", ".join(bad) or "nothing runs: manage.py up")
    restarts = sum(process.restarts for process in found)
    return f"{len(found)} run, {restarts} restarts, {_memory([p.pid for p in found if p.pid]) / 1e6:.0f} MB in all"


def _memory(pids: list[int]) -> int:
    """The memory of processes and all their children, what is shared counted once."""
    parents = {int(p.name): _parent(p) for p in Path("/proc").iterdir() if p.name.isdecimal()}
    family = set(pids)
    for _ in range(8):
        family |= {pid for pid, parent in parents.items() if parent in family}
    total = 0
    for pid in family:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


def _parent(process: Path) -> int:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _web(env: Env) -> str:
    found = status.read(env)
    if not found.answers:
        raise _Bad(f"{found.url}/readyz does not answer with 200: look at manage.py logs web")
    return f"{found.url} is ready"


def _database(env: Env) -> str:
    import psycopg

    with psycopg.connect(**connection_arguments(env.database_url), connect_timeout=5) as connection:
        row = connection.execute(
            "select current_setting('server_version'), current_user, pg_database_size(current_database()), "
            "r.rolsuper or r.rolbypassrls from pg_roles r where r.rolname = current_user"
        ).fetchone()
        assert row is not None
        version, role, size, is_strong = row
        if is_strong:
            raise _Bad(f"the program's role {role} passes row-level security")
        open_tables = connection.execute(
            "select string_agg(c.relname, ', ') from pg_attribute a join pg_class c on c.oid = a.attrelid "
            "join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'public' and c.relkind = 'r' "
            "and a.attname = 'workspace_id' and not a.attisdropped and not c.relrowsecurity "
            # Looked up by the hash of its secret before any workspace is known.
            "and c.relname <> 'access_signinlink'"
        ).fetchone()
        if open_tables and open_tables[0]:
            raise _Bad(f"tables without their wall: {open_tables[0]}")
    return f"PostgreSQL {version} as {role}, {size / 1e6:.0f} MB, every table walled"


def _clock(env: Env) -> str:
    import psycopg

    with psycopg.connect(**connection_arguments(env.database_url), connect_timeout=5) as connection:
        row = connection.execute("select extract(epoch from clock_timestamp())").fetchone()
    assert row is not None
    apart = abs(float(row[0]) - time.time())
    if apart > 2:
        raise _Bad(f"this machine and the database are {apart:.1f} s apart: leases go wrong; set the clocks")
    return f"{apart * 1000:.0f} ms apart from the database"


def _queue(env: Env) -> str:
    import redis

    with redis.Redis.from_url(env.redis_url, socket_timeout=5) as client:
        facts = client.info()
        waiting = {name: client.llen(name) for name in ("control", "git", "sql", "score", "train")}
        if client.config_get("maxmemory-policy").get("maxmemory-policy") != "noeviction":
            raise _Bad("Redis drops keys when it is full: set maxmemory-policy noeviction")
    long = {name: count for name, count in waiting.items() if count > 1000}
    if long:
        raise _Bad(f"tasks pile up: {long}; look at manage.py logs worker")
    return f"Redis {facts['redis_version']}, {sum(waiting.values())} tasks waiting"


def _storage(env: Env) -> str:
    storage = env.storage
    if isinstance(storage, str):
        return f"{storage} (not looked into)"
    if not storage.exists():
        return f"{storage} will be made with the first file"
    if not os.access(storage, os.W_OK):
        raise _Bad(f"{storage} cannot be written")
    return str(storage)
