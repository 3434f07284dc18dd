"""Environments are resolved once, built once per content, fail in the tool's words, and are whole or not there."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import threading
import time
import uuid
import zipfile
from pathlib import Path

import pytest

from apps.sandbox import environments
from apps.sandbox.environments import Environment, build, clear, find
from apps.sandbox.launchers import GuestSpec
from apps.sandbox.requirements import EnvironmentFailed, Requirements
from tests.sandbox.conftest import SMALL, Installation


def wheel(folder: Path, name: str, version: str, needs: str = "", code: str = "", start: str = "") -> None:
    """A small wheel of one module; `start` is code that Python runs at its start wherever the package is installed."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"VERSION = {version!r}\n{code}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        + (f"Requires-Dist: {needs}\n" if needs else ""),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if start:
        files[f"{name}.pth"] = f"import os; {start}\n"
    record = "".join(
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip('=')},{len(text)}\n"
        for path, text in files.items()
    )
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in {**files, f"{info}/RECORD": record + f"{info}/RECORD,,\n"}.items():
            archive.writestr(path, text)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels instead of the package index."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    wheel(folder, "bhguest", "1.0")
    wheel(folder, "bhsmall", "1.0", needs="bhguest")
    wheel(folder, "bhsmall", "2.0", needs="bhguest")
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("SECRET_OF_OURS", "x")
    monkeypatch.setattr(environments, "OURS", ("bhguest",))
    return folder


def says(environment: Environment, code: str) -> str:
    return subprocess.run([environment.python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


VERSION = "import bhsmall, bhguest; print(bhsmall.VERSION)"


def test_built_once_and_kept(index: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    wanted = Requirements(("bhsmall",), "requirements.txt")
    first = build(tmp_path, wanted, progress=lines.append)
    assert says(first, VERSION) == "2.0" and any("bhsmall==2.0" in line for line in lines)
    assert "--hash=sha256:" in first.lock and list(Path(first.folder).rglob("bhsmall*.pyc"))
    wheel(index, "bhsmall", "3.0", needs="bhguest")
    began = time.monotonic()
    again = build(tmp_path, wanted)
    assert again == first and time.monotonic() - began < 0.2
    other = build(tmp_path, Requirements(("bhsmall<2",), "requirements.txt"))
    assert other.digest != first.digest and says(other, VERSION) == "1.0"
    assert not list((tmp_path / "environments").glob(".draft-*"))


def test_a_release_that_vanished_is_chosen_anew(index: Path, tmp_path: Path) -> None:
    wanted = Requirements(("bhsmall",), "requirements.txt")
    first = build(tmp_path, wanted)
    kept = environments._kept_lock(tmp_path / "environments", wanted)
    kept.write_text(first.lock.replace("bhsmall==2.0", "bhsmall==2.0.post1"))
    lines: list[str] = []
    assert build(tmp_path, wanted, progress=lines.append) == first
    assert any("choosing anew" in line for line in lines) and kept.read_text() == first.lock


def test_what_cannot_be_resolved_is_the_user_s_error(index: Path, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailed, match="bhsmall") as failed:
        build(tmp_path, Requirements(("bhsmall==9",), "requirements.txt"))
    assert failed.value.status == 422 and "No solution found" in failed.value.message
    (index / "bhsource-1.0.tar.gz").write_bytes(b"not a wheel")
    with pytest.raises(EnvironmentFailed, match="bhsource"):
        build(tmp_path, Requirements(("bhsource",), "requirements.txt"))
    assert not list((tmp_path / "environments").glob("*/bin"))


def test_a_changed_wheel_is_refused(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = Requirements(("bhsmall",), "requirements.txt")
    lock = environments._resolve(_folder(tmp_path), wanted, lambda _: None, time.monotonic() + 60)
    wheel(index, "bhsmall", "2.0", needs="bhguest", code="print('poisoned')")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "another-machine"))
    with pytest.raises(EnvironmentFailed, match="(?i)hash"):
        build(tmp_path, wanted)
    assert find(tmp_path, lock) is None


def _folder(home: Path) -> Path:
    (home / "environments").mkdir()
    return home / "environments"


def test_a_build_can_be_given_up(index: Path, tmp_path: Path) -> None:
    class Cancelled(Exception):
        pass

    def progress(line: str) -> None:
        if "Installing" in line:
            raise Cancelled

    wanted = Requirements(("bhsmall",), "requirements.txt")
    with pytest.raises(Cancelled):
        build(tmp_path, wanted, progress=progress)
    assert not list((tmp_path / "environments").glob(".draft-*"))
    assert says(build(tmp_path, wanted), VERSION) == "2.0"


def test_side_by_side_it_is_built_once(index: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    wanted = Requirements(("bhsmall",), "requirements.txt")
    builders = [
        threading.Thread(target=build, args=(tmp_path, wanted), kwargs={"progress": lines.append}) for _ in range(3)
    ]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join()
    assert sum(line.startswith("Installing packages") for line in lines) == 1


def test_the_builder_takes_no_secret_along(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = tmp_path / "seen"
    environments._run(["/bin/sh", "-c", f"env > {seen}"], lambda _: None, time.monotonic() + 10)
    assert "UV_NO_INDEX" in seen.read_text() and "SECRET_OF_OURS" not in seen.read_text()


def test_a_package_s_code_does_not_run_outside_a_guest(index: Path, tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    wheel(index, "bhevil", "1.0", start=f"open({str(trace)!r}, 'w').close()", code=f"open({str(trace)!r}, 'w').close()")
    environment = build(tmp_path, Requirements(("bhevil",), "requirements.txt"))
    build(tmp_path, Requirements(("bhevil", "bhsmall"), "requirements.txt"))
    assert not trace.exists()
    says(environment, "print(1)")
    assert trace.exists(), "the package would not have run at all"


def test_bytecode_comes_from_the_default_environment_alone(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel(index, "bhextra", "1.0")
    lock = tmp_path / "default.lock"
    lock.write_text(build(tmp_path, Requirements(("bhsmall<2",), "requirements.txt")).lock)
    monkeypatch.setattr(environments, "_DEFAULT_LOCK", lock)
    default = build(tmp_path)
    second = build(tmp_path, Requirements(("bhsmall",), "requirements.txt"))
    third = build(tmp_path, Requirements(("bhsmall", "bhextra"), "requirements.txt"))

    def inode(environment: Environment, module: str) -> int:
        (compiled,) = Path(environment.folder).rglob(f"{module}.cpython-*.pyc")
        return compiled.stat().st_ino

    assert inode(default, "bhguest") == inode(second, "bhguest") == inode(third, "bhguest")
    assert len({inode(environment, "bhsmall") for environment in (default, second, third)}) == 3
    assert [says(environment, VERSION) for environment in (default, second, third)] == ["1.0", "2.0", "2.0"]


def test_unused_ones_are_cleared(index: Path, tmp_path: Path) -> None:
    environment = build(tmp_path, Requirements(("bhsmall",), "requirements.txt"))
    assert clear(tmp_path, unused_seconds=60) == 0
    assert clear(tmp_path, unused_seconds=-1) == 1 and find(tmp_path, environment.lock) is None
    assert says(build(tmp_path, Requirements(("bhsmall",), "requirements.txt")), VERSION) == "2.0"


def test_a_guest_runs_in_it_and_cannot_change_it(index: Path, own_installation: Installation) -> None:
    environment = build(own_installation.home, Requirements(("bhsmall",), "requirements.txt"))
    code = f"{VERSION}; open(bhsmall.__file__, 'a')"
    guest_id = uuid.uuid4()
    argv = (environment.python, "-c", code)
    own_installation.client.launch(GuestSpec(guest_id, argv, environment=environment.folder, limits=SMALL))
    state = own_installation.client.wait(guest_id, 20)
    output = own_installation.client.read_output(guest_id).decode()
    assert state.code == 1 and output.startswith("2.0") and "Read-only file system" in output
