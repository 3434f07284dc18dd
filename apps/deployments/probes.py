"""Asking a scorer how it is, or to end: one connection, one byte, one line of JSON."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import Any

SECONDS = 2.0
MAX_REPORT_BYTES = 64 * 1024


def health(path: str) -> dict[str, Any] | None:
    """What the scorer at this socket says of itself; None when nobody answers."""
    return _ask(path, b"H")


def drain(path: str) -> dict[str, Any] | None:
    """Ask the scorer to take nobody in and to end with its last connection."""
    return _ask(path, b"D")


def _ask(path: str, wish: bytes) -> dict[str, Any] | None:
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as link:
        link.settimeout(SECONDS)
        told = b""
        try:
            link.connect(path)
            link.sendall(wish)
            while len(told) < MAX_REPORT_BYTES and (part := link.recv(MAX_REPORT_BYTES)):
                told += part
            report = json.loads(told)
        except (OSError, ValueError, RecursionError):
            return None
    return _plain(report) if isinstance(report, dict) else None


_SHOWN: dict[str, type | tuple[type, ...]] = {
    "state": str, "answered": int, "failed": int, "busy_seconds": (int, float), "rss_bytes": int, "load_seconds": (int, float),
    "mlflow_version": str, "python_version": str, "loader": str, "path": str, "batching": str,
}  # fmt: skip


def _plain(report: dict[str, Any]) -> dict[str, Any]:
    """The values we know, of the type they should have: a guest may say anything."""
    found = {name: value for name, kind in _SHOWN.items() if isinstance(value := report.get(name), kind)}
    return {name: value[:200] if isinstance(value, str) else value for name, value in found.items()}
