"""A version's own files: frozen when it is registered, so that nobody who may write to an experiment changes what runs.

Freezing links files instead of copying them. That holds because uploads replace a file by a new one and never write into it.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from apps.experiments.artifacts import make_folder, sync_folder
from apps.foundation.errors import Invalid

FILES_MAX = 100_000


def freeze(source: Path, target: Path) -> tuple[int, int]:
    """Give `target` the files of the folder `source` as they are now; how many files and bytes. Raises Invalid.

    What an attempt that came to nothing left at `target` is replaced.
    """
    shutil.rmtree(target, ignore_errors=True)
    make_folder(target.parent)
    count = size = 0
    for folder, folders, files in os.walk(source):
        here = target / Path(folder).relative_to(source)
        here.mkdir(mode=0o755)
        for name in files:
            size += _link(Path(folder, name), here / name)
            count += 1
            if count > FILES_MAX:
                shutil.rmtree(target, ignore_errors=True)
                raise Invalid(f"This folder has more than {FILES_MAX} files; register the model's own folder.")
        if any(Path(folder, name).is_symlink() for name in folders):
            raise Invalid("This folder holds a symbolic link, which cannot be registered.")
        sync_folder(here)
    sync_folder(target.parent)
    return count, size


def discard(target: Path) -> None:
    """Remove what was frozen."""
    shutil.rmtree(target, ignore_errors=True)


def _link(source: Path, target: Path) -> int:
    found = source.lstat()
    if not source.is_file() or source.is_symlink():
        raise Invalid(f"{source.name} is no ordinary file and cannot be registered.")
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target, follow_symlinks=False)
        with target.open("rb") as copied:
            os.fsync(copied.fileno())
    return found.st_size
