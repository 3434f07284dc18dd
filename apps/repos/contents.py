"""Where the drafts of a checkout lie: one file each, named by us, written whole or not at all."""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from pathlib import Path

from apps.access.storage import location
from apps.foundation.errors import Stale
from apps.foundation.ids import new_id
from apps.repos.models import Checkout, Draft

LEFTOVER_SECONDS = 7200


def blob_sha(content: bytes) -> str:
    """The id that git gives these bytes."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def write(checkout: Checkout, content: bytes) -> uuid.UUID:
    """Keep the bytes on disk, and the name they go by."""
    name = new_id()
    path = _path(checkout, name)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    half = path.with_name(f".{path.name}")
    with half.open("xb") as target:
        target.write(content)
        target.flush()
        os.fsync(target.fileno())
    half.rename(path)
    return name


def path_of(draft: Draft) -> Path | None:
    """The file with a draft's content; None for a removed one."""
    return _path(draft.checkout, draft.content) if draft.content else None


def read(draft: Draft, limit: int) -> bytes:
    """The first bytes of a draft."""
    path = path_of(draft)
    if path is None:
        return b""
    try:
        with path.open("rb") as source:
            return source.read(limit)
    except FileNotFoundError as error:
        raise Stale(f"{draft.path} was changed at this moment; read it again.") from error


def remove(checkout: Checkout, name: uuid.UUID | None) -> None:
    """Forget a content that no draft names any more."""
    if name is not None:
        _path(checkout, name).unlink(missing_ok=True)


def sweep(checkout: Checkout) -> int:
    """Remove what a killed process left: contents that no draft names, once they are old; how many."""
    folder = location(checkout.repo.resource, "checkouts", checkout.pk.hex)
    if not folder.is_dir():
        return 0
    known = {name.hex for name in checkout.drafts.exclude(content=None).values_list("content", flat=True) if name}
    old = time.time() - LEFTOVER_SECONDS
    gone = [entry for entry in folder.iterdir() if entry.name not in known and entry.stat().st_mtime < old]
    for entry in gone:
        entry.unlink(missing_ok=True)
    return len(gone)


def _path(checkout: Checkout, name: uuid.UUID | None) -> Path:
    assert name is not None
    return location(checkout.repo.resource, "checkouts", checkout.pk.hex, name.hex)
