"""Time: aware, UTC, from one place."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """This moment, aware and in UTC."""
    return datetime.now(UTC)


def to_millis(moment: datetime | None) -> int | None:
    """Milliseconds since 1970 of an aware moment; None stays None."""
    return None if moment is None else round(moment.timestamp() * 1000)


def from_millis(millis: int | None) -> datetime | None:
    """The aware moment of milliseconds since 1970; None stays None."""
    return None if millis is None else datetime.fromtimestamp(millis / 1000, UTC)
