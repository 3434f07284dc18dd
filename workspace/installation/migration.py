"""Bringing the tables to this release, as their owner, one installation at a time."""

from __future__ import annotations

import sys

import django
from django.core.management import call_command
from django.db import connections

# Any number that nothing else in the product locks.
_LOCK = 0x626F6174


def migrate() -> None:
    """Apply what is missing; a second caller waits and then finds nothing to do."""
    django.setup()
    with connections["owner"].cursor() as cursor:
        cursor.execute("select pg_advisory_lock(%s)", [_LOCK])
        try:
            call_command("migrate", database="owner", interactive=False, verbosity=1)
        finally:
            cursor.execute("select pg_advisory_unlock(%s)", [_LOCK])


if __name__ == "__main__":
    migrate()
    sys.exit(0)
