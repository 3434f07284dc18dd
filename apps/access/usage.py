"""Measuring what each resource takes on disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from apps.access import storage
from apps.access.models import Resource, StorageUse
from apps.foundation.clock import now
from apps.foundation.ids import parse_id


def measure(workspace_id: UUID) -> Iterator[tuple[UUID, int, int]]:
    """Each resource of a workspace that has files: its id, their bytes on disk, their number. Touches no database."""
    for kind in _folders(storage.root() / str(workspace_id)):
        for folder in _folders(kind):
            if (resource_id := parse_id(folder.name)) is not None:
                size, files = _weigh(folder)
                yield resource_id, size, files


def keep(measured: list[tuple[UUID, int, int]]) -> int:
    """Write down what was measured, for the resources that are still there, and forget the others; how many are known."""
    moment, known = (
        now(),
        set(Resource.objects.filter(pk__in=[row[0] for row in measured]).values_list("pk", flat=True)),
    )
    StorageUse.objects.exclude(pk__in=known).delete()
    rows = [
        StorageUse(resource_id=id, bytes=size, files=files, measured_at=moment)
        for id, size, files in measured
        if id in known
    ]
    for row in rows:
        row.stamp()
    StorageUse.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["resource"], update_fields=["bytes", "files", "measured_at"]
    )
    return len(rows)


def _folders(place: Path) -> list[Path]:
    try:
        with os.scandir(place) as entries:
            return [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []


def _weigh(folder: Path) -> tuple[int, int]:
    size = files = 0
    waiting = [str(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        size += entry.stat(follow_symlinks=False).st_blocks * 512
                        files += 1
        except FileNotFoundError:
            continue  # removed while we counted
    return size, files
