"""What the forms of access offer to choose from, and how the choice is read."""

from __future__ import annotations

import datetime

from django.http import HttpRequest

from apps.access.levels import Level
from apps.foundation.clock import now
from apps.foundation.errors import Invalid

LEVELS = [(level.word, f"Can {level.word}") for level in Level]
UNTIL = [("", "no end date"), ("7", "7 days"), ("30", "30 days"), ("90", "90 days"), ("365", "a year")]
MOST_DAYS = 3660


def chosen_level(request: HttpRequest) -> Level:
    """The level that the form names. Raises Invalid."""
    try:
        return Level.parse(request.POST.get("level", ""))
    except KeyError:
        raise Invalid(fields={"level": "Choose one of the levels."}) from None


def chosen_days(request: HttpRequest) -> int | None:
    """For how many days, or None for good. Raises Invalid."""
    days = request.POST.get("days", "")
    if days and not (days.isdecimal() and len(days) < 5 and 0 < int(days) <= MOST_DAYS):
        raise Invalid(fields={"days": f"Give a number of days, up to {MOST_DAYS}."})
    return int(days) if days else None


def chosen_end(request: HttpRequest) -> datetime.datetime | None:
    """Until when, counted from now, or None for good. Raises Invalid."""
    days = chosen_days(request)
    return now() + datetime.timedelta(days=days) if days else None
