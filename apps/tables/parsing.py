"""Reading an uploaded file: a guest of ours without member code parses it, we take its Parquet and its report.

Done in short steps, each its own task, so that a killed worker's next step finds the same guest where it is.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import sysconfig
import tempfile
import uuid
import venv
from pathlib import Path
from typing import Any

from django.conf import settings

from apps.access.tasks import after_commit
from apps.foundation.clock import now
from apps.foundation.errors import Conflict
from apps.foundation.ids import new_id
from apps.sandbox.client import SandboxUnavailable, sandbox
from apps.sandbox.launchers import GIB, Bind, GuestSpec, GuestState, LaunchRefused, Limits
from apps.tables import staging
from apps.tables.arrow import pa
from apps.tables.models import StagedWrite

State = StagedWrite.State
STEP_SECONDS = 4.0
LIMITS = Limits(memory_bytes=2 * GIB, processes=64, disk_bytes=20 * GIB, file_bytes=10 * GIB, wall_seconds=1800)
_ENDED = {
    "out_of_memory": "The file needs more memory than its reader may use; split it.",
    "out_of_disk": "The file needs more disk than its reader may use; split it.",
    "timeout": "Reading the file took longer than half an hour; split it.",
}
_PACKAGES = ("pyarrow", "pyarrow.libs")


def start(write: StagedWrite, options: dict[str, Any]) -> None:
    """Queue the reading of a write's uploaded file. Raises Conflict when there is none, or it is being read."""
    staging.must_be_open(write)
    if not staging.upload_path(write).exists():
        raise Conflict("No file has been uploaded yet.")
    if write.table is not None and options.pop("types", "table") == "table" and not options.get("columns"):
        options["columns"] = write.table.columns
    changed = {"state": State.PARSING, "options": options, "report": {}, "guest_id": new_id()}
    StagedWrite.objects.filter(pk=write.pk).update(**changed)
    write.refresh_from_db()
    _again(write)


def step(write: StagedWrite) -> None:
    """One step: start the guest, wait a little for its end, take what it made. Queues the next step while it runs."""
    guests = sandbox()
    try:
        state = guests.wait(guests.launch(_spec(write)).id, STEP_SECONDS)
    except SandboxUnavailable:
        # The clock asks again soon; asking at once would only turn in circles.
        return
    except LaunchRefused as refused:
        _refuse(write, f"No guest can be started to read the file: {refused}")
        return
    if not state.is_final:
        _note_progress(write)
        _again(write)
        return
    if state.succeeded:
        _take(write)
    else:
        _refuse(write, _why(state))
    guests.remove(state.id)


def stop(guest_id: uuid.UUID) -> None:
    """End the reading of a write that was let go of."""
    guests = sandbox()
    guests.stop(guest_id, grace_seconds=0)
    guests.remove(guest_id)


def _note_progress(write: StagedWrite) -> None:
    """How far the guest says it is; text from a stranger, so two numbers are taken and nothing else."""
    with contextlib.suppress(FileNotFoundError, SandboxUnavailable, ValueError, KeyError, TypeError):
        with sandbox().open_file(_guest(write), "out/progress.json") as file:
            said = json.loads(file.read(1000))
        done, total = int(said["done"]), int(said["total"])
        if 0 <= done <= total and total > 0:
            StagedWrite.objects.filter(pk=write.pk).update(report={"progress": {"done": done, "total": total}})


def environment() -> tuple[str, str]:
    """A folder with a Python that has our own pyarrow and nothing else, for guests, and that Python. Made when missing."""
    version = f"{pa.__version__}-{sys.implementation.cache_tag}"
    folder = Path(settings.BOATHOUSE_HOME) / "environments" / f"upload-{version}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".draft-upload-", dir=folder.parent))
        try:
            venv.EnvBuilder(symlinks=True, with_pip=False).create(draft)
            packages = Path(sysconfig.get_path("platlib", vars={"platbase": str(draft), "base": str(draft)}))
            for name in _PACKAGES:
                source = Path(pa.__file__).parents[1] / name
                if source.exists():
                    skipped = shutil.ignore_patterns("tests", "include", "src")
                    shutil.copytree(source, packages / name, copy_function=_link_or_copy, ignore=skipped)
            draft.chmod(0o755)
            os.rename(draft, folder)
        except OSError:
            if not folder.exists():
                raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return str(folder), str(folder / "bin" / "python")


def _guest(write: StagedWrite) -> uuid.UUID:
    assert write.guest_id is not None, "a write that is being read has a guest"
    return write.guest_id


def _spec(write: StagedWrite) -> GuestSpec:
    assert write.guest_id is not None
    folder, python = environment()
    request = write.folder / "request.json"
    request.write_text(json.dumps({**write.options, "source": "/boathouse/upload"}))
    return GuestSpec(
        id=_guest(write),
        argv=(python, "-m", "guest.parse_upload", "/boathouse/request.json", "out"),
        environment=folder,
        binds=(
            Bind(str(write.folder / staging.UPLOADED), "/boathouse/upload"),
            Bind(str(request), "/boathouse/request.json"),
        ),
        limits=LIMITS,
        label=f"upload of {write}",
    )


def _take(write: StagedWrite) -> None:
    """Copy the report and the parts out of the guest's folder. The report is text from a stranger until it is checked."""
    assert write.guest_id is not None
    guests, folder = sandbox(), write.folder / staging.PARSED
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        with guests.open_file(_guest(write), "out/report.json") as file:
            report = staging.checked_report(file.read(staging.REPORT_BYTES))
        for part in report.get("parts", ()):
            with (
                guests.open_file(_guest(write), f"out/{part['name']}") as source,
                (folder / part["name"]).open("wb") as copy,
            ):
                shutil.copyfileobj(source, copy, 1 << 20)
                copy.flush()
                os.fsync(copy.fileno())
    except FileNotFoundError:
        report = {"refused": "The file could not be read: its reader left no report."}
    staging.note_report(write, report)


def _refuse(write: StagedWrite, why: str) -> None:
    staging.note_report(write, {"refused": why})


def _why(state: GuestState) -> str:
    return _ENDED.get(state.reason) or "The file could not be read: its reader stopped unexpectedly."


def _again(write: StagedWrite) -> None:
    from apps.tables.tasks import parse_upload

    StagedWrite.objects.filter(pk=write.pk).update(stepped_at=now())
    after_commit(parse_upload, write.workspace_id, write.pk)


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
