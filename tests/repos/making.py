"""Repositories with content for tests: made by the operation, filled by a push of the real client."""

from __future__ import annotations

import shutil
import weakref
from pathlib import Path
from tempfile import mkdtemp

from apps.access.actor import Actor
from apps.access.models import Resource
from apps.access.resources import root_resource
from apps.repos import operations
from apps.repos.models import Repo

from .gitclient import WorkingCopy, working_copy

FILES: dict[str, str | bytes | None] = {
    "README.md": "# Delays\n",
    "train.py": "print('trained')\n",
    "features/rain.sql": "select 1\n",
    "logo.bin": b"\x00\x01\x02",
}


def a_repo(actor: Actor, name: str = "flight-delays", parent: Resource | None = None) -> Repo:
    """An empty repository."""
    return operations.create_repo(actor=actor, parent=parent or root_resource(), name=name)


def fill(
    repo: Repo, files: dict[str, str | bytes | None] | None = None, message: str = "Start"
) -> tuple[str, WorkingCopy]:
    """Commit files and put them on the repository's main branch, past our doors; the commit and the copy it came from."""
    folder = Path(mkdtemp(prefix="bh-copy-"))
    copy = working_copy(folder)
    weakref.finalize(copy, shutil.rmtree, folder, ignore_errors=True)
    commit = copy.commit(message, files or FILES)
    copy.git("push", "--quiet", str(repo.git.path), "main")
    return commit, copy
