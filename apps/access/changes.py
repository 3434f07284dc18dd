"""What an audit entry says in one line, for people."""

from __future__ import annotations

import re
from typing import Any

from apps.access.models import AuditEntry

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d:\d\d|Z)?")


def describe_change(entry: AuditEntry) -> str:
    """What changed: `level: view to edit, grantee: kofi@example.com`."""
    before, after = entry.before or {}, entry.after or {}
    parts = []
    for name in [*before, *(name for name in after if name not in before)]:
        old, new = before.get(name), after.get(name)
        if old == new or (old in (None, "", {}, []) and new in (None, "", {}, [])):
            continue
        words = name.replace("_", " ")
        parts.append(
            f"{words}: {_plain(new)}" if old in (None, "", {}, []) else f"{words}: {_plain(old)} to {_plain(new)}"
        )
    return ", ".join(parts)


def _plain(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{key}={_plain(item)}" for key, item in list(value.items())[:6])
    if isinstance(value, list):
        return ", ".join(_plain(item) for item in value[:6]) + (" …" if len(value) > 6 else "")
    text = str(value)
    if _MOMENT.fullmatch(text):
        return f"{text[:10]} {text[11:16]}"
    return text if len(text) <= 80 else text[:79] + "…"
