"""Getting a version ready to be served: its files in a folder of their own, its environment built. Minutes, so a task of its own."""

from __future__ import annotations

import dataclasses
import logging
import shutil
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from django.conf import settings

from apps.access.models import Workspace
from apps.access.scope import workspace_scope
from apps.deployments import traffic, versions
from apps.deployments.models import ServedState, ServedVersion
from apps.foundation.clock import now
from apps.foundation.errors import BoathouseError, Unavailable, UserCodeFailed
from apps.sandbox import environments, requirements

logger = logging.getLogger(__name__)

TRIES = 5
SECONDS = 1500
RETRY_AFTER = timedelta(seconds=30)
LOG_CHARS = 50_000
_REPORT_SECONDS = 1.0
# Read faster by the scorer where it is there; small, and a wheel everywhere.
_EXTRA = "orjson"


def queue(workspace_id: UUID, served_id: UUID) -> None:
    """Have a version prepared, unless that was asked for a moment ago."""
    from apps.deployments.tasks import prepare

    due = now() - RETRY_AFTER
    workspace = Workspace.objects.get(pk=workspace_id)
    with workspace_scope(workspace):
        rows = ServedVersion.objects.filter(pk=served_id, state=ServedState.PREPARING)
        claimed = rows.exclude(prepare_at__gt=due).update(prepare_at=now())
    if claimed:
        prepare.delay(str(workspace_id), str(served_id))


def folder_of(served_id: UUID | str) -> Path:
    """The folder of a served version's files."""
    return Path(settings.BOATHOUSE_HOME) / "serving" / str(served_id)


def python_of(served: ServedVersion) -> str:
    """The interpreter of a version's environment."""
    return str(Path(served.environment) / "bin" / "python")


def prepare(workspace: Workspace, served_id: UUID | str) -> None:
    """Copy the version's files and build its environment; then it is starting, or failed with the reason. Raises nothing twice."""
    with workspace_scope(workspace):
        served = _waiting(served_id)
        if served is None:
            return
        ServedVersion.objects.filter(pk=served.pk).update(prepare_tries=served.prepare_tries + 1)
        source = versions.files_of(served)
    target = folder_of(served_id) / "model"
    report = _Report(workspace, served_id)
    try:
        report.say(f"Copying the files of {served}.")
        lay(source, target)
        wanted = requirements.of_model(target)
        if wanted.lines and _EXTRA not in wanted.lines:
            wanted = dataclasses.replace(wanted, lines=tuple(sorted({*wanted.lines, _EXTRA})))
        environment = environments.build(
            Path(settings.BOATHOUSE_HOME), wanted, progress=report.say, within_seconds=SECONDS - 60
        )
    except (UserCodeFailed, Unavailable, OSError) as error:
        _give_up(workspace, served_id, error, report)
        return
    with workspace_scope(workspace):
        served = _waiting(served_id)
        if served is None:
            return
        served.state, served.reason = ServedState.STARTING, ""
        served.environment, served.folder, served.log = environment.folder, str(target), report.text
        served.save(update_fields=["state", "reason", "environment", "folder", "log"])


def _waiting(served_id: UUID | str) -> ServedVersion | None:
    return (
        ServedVersion.objects.select_related("endpoint__resource", "config")
        .filter(pk=served_id, state=ServedState.PREPARING)
        .first()
    )


def _give_up(workspace: Workspace, served_id: UUID | str, error: Exception, report: _Report) -> None:
    """Their fault fails the version; ours is tried again some times."""
    text = error.message if isinstance(error, BoathouseError) else f"{type(error).__name__}: {error}"
    with workspace_scope(workspace):
        served = _waiting(served_id)
        if served is None:
            return
        served.log = report.text
        served.save(update_fields=["log"])
        if isinstance(error, UserCodeFailed) or served.prepare_tries >= TRIES:
            traffic.fail(served, text)
        else:
            served.reason = text[:2000]
            served.save(update_fields=["reason"])
    logger.warning("preparing %s: %s", served_id, text)


def lay(source: Callable[[Path], None], target: Path) -> None:
    """Put the files in place whole: copied beside, then renamed; readable by the guest's account, and nothing but files."""
    draft = target.with_name(f".{target.name}-new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    source(draft)
    for path in [draft, *draft.rglob("*")]:
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            raise OSError(f"{path.name} in the model's files is neither a file nor a folder")
        path.chmod(0o755 if path.is_dir() else 0o644)
    shutil.rmtree(target, ignore_errors=True)
    draft.rename(target)
    for folder in (target.parent, target.parent.parent):
        folder.chmod(0o711)


class _Report:
    """Lines of progress, in the version's row once a second."""

    def __init__(self, workspace: Workspace, served_id: UUID | str) -> None:
        self._workspace, self._served_id = workspace, served_id
        self._lines: list[str] = []
        self._told_at = 0.0

    @property
    def text(self) -> str:
        """All lines, the end of them when they are many."""
        return "\n".join(self._lines)[-LOG_CHARS:]

    def say(self, line: str) -> None:
        """Take a line; empty ones only give the chance to write."""
        if line:
            self._lines.append(line)
        if time.monotonic() - self._told_at > _REPORT_SECONDS:
            self._told_at = time.monotonic()
            with workspace_scope(self._workspace):
                ServedVersion.objects.filter(pk=self._served_id).update(log=self.text)
