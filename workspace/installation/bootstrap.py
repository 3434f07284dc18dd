"""Before anything is installed: the environment beside manage.py, exactly as the lock says. Standard library only."""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
ENVIRONMENT = CHECKOUT / ".venv"
LOCK = CHECKOUT / "requirements.lock"
PYTHONS = ((3, 11), (3, 12), (3, 13))


def enter_environment():
    """Make or update the environment when the lock has changed, then go on inside it with the same arguments."""
    # The certificates that the machine trusts, a company's own among them, as pip and git take them.
    os.environ.setdefault("UV_SYSTEM_CERTS", "1")
    python = ENVIRONMENT / "bin" / "python"
    make_environment()
    if Path(sys.prefix).resolve() != ENVIRONMENT.resolve():
        os.execv(python, [str(python), *sys.argv])


def make_environment():
    """The environment as the lock says; one process makes it, others wait. Nothing to do when it is there."""
    # An environment that is only linked here is somebody else's: used as it is.
    if ENVIRONMENT.is_symlink() or _is_current():
        return
    with locked(LOCK):
        if not _is_current():
            _install()


@contextlib.contextmanager
def locked(path):
    """Hold this file's lock, so that two runs do not do the same work at once."""
    with open(path) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def say(text):
    """One line of progress, out of the way of JSON on standard output."""
    print(text, file=sys.stderr, flush=True)


def run(argv, **options):
    """Run a program; when it fails, show what it said and end."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode != 0:
        say(done.stdout[-4000:])
        sys.exit(f"{' '.join(map(str, argv[:4]))} failed (see above)")


def _wanted():
    return hashlib.sha256(LOCK.read_bytes()).hexdigest()


def _is_current():
    stamp = ENVIRONMENT / "boathouse-lock"
    return stamp.exists() and stamp.read_text() == _wanted() and (ENVIRONMENT / "bin" / "python").exists()


def _install():
    python = ENVIRONMENT / "bin" / "python"
    uv = ENVIRONMENT / "bin" / "uv"
    if not _works([python, "--version"]):
        base = _find_python()
        say(f"making the environment {ENVIRONMENT} with {base}")
        run([base, "-m", "venv", "--clear", ENVIRONMENT], env=_plain())
    if not _works([uv, "--version"]):
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirement:
            requirement.write(_entry("uv"))
            requirement.flush()
            options = ["-q", "--disable-pip-version-check", "--require-hashes", "-r", requirement.name]
            run([python, "-m", "pip", "install", *options])
    say("installing what requirements.lock names")
    # Installed, not synchronised: what a developer has added to the environment stays.
    run([uv, "pip", "install", "-q", "--require-hashes", "--python", python, "-r", LOCK])
    (ENVIRONMENT / "boathouse-lock").write_text(_wanted())


def _entry(name):
    found = re.search(rf"^{name}==(?:.*\\\n)*.*", LOCK.read_text(), re.MULTILINE)
    if found is None:
        sys.exit(f"{LOCK} does not name {name}; it has been damaged")
    return found.group() + "\n"


def _find_python():
    for major, minor in (sys.version_info[:2], *PYTHONS):
        base = (
            Path(getattr(sys, "_base_executable", sys.executable)) if (major, minor) == sys.version_info[:2] else None
        )
        candidate = base or shutil.which(f"python{major}.{minor}")
        if (major, minor) in PYTHONS and candidate and _works([candidate, "-c", "import venv, ensurepip"]):
            return candidate
    names = " or ".join(f"{major}.{minor}" for major, minor in PYTHONS)
    sys.exit(
        f"Boathouse needs Python {names} with its venv module (this is {sys.version.split()[0]}). Install one, "
        "for instance the packages python3 and python3-venv of your system, and run this again."
    )


def _works(argv):
    try:
        return subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=_plain()).returncode == 0
    except OSError:
        return False


def _plain():
    return {name: value for name, value in os.environ.items() if name not in {"PYTHONHOME", "VIRTUAL_ENV"}}
