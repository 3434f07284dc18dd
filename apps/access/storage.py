"""Where files lie: workspace / kind / id. No other file joins a storage path, and nobody outside names one."""

from __future__ import annotations

import os
from pathlib import Path

from django.conf import settings

from apps.access.models import Resource
from apps.foundation.errors import Invalid


def root() -> Path:
    """The installation's storage folder."""
    return Path(settings.BOATHOUSE_STORAGE)


def location(resource: Resource, *parts: str) -> Path:
    """The place of a resource's files, or of one below it. Raises Invalid for a part that would lead elsewhere."""
    base = root() / str(resource.workspace_id) / resource.kind / str(resource.pk)
    return inside(base, *parts)


def inside(base: Path, *parts: str) -> Path:
    """`base` joined with relative parts; `a/b` counts as two. Raises Invalid on `..`, absolute or odd parts, and symlinks out."""
    path = base
    for part in parts:
        for step in part.split("/"):
            if step in ("", ".", "..") or "\\" in step or "\0" in step or len(step.encode()) > 255:
                raise Invalid("That is not a path that can be used here.", code="invalid_path")
            path = path / step
    existing = path
    while existing != base and not os.path.lexists(existing):
        existing = existing.parent
    if existing != base and not existing.resolve().is_relative_to(base.resolve()):
        raise Invalid("That path leads out of its folder.", code="invalid_path")
    return path
