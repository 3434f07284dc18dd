"""Bringing the tables to this release, as their owner, one installation at a time."""

from __future__ import annotations

import sys

import django
from django.core.management import call_command
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

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


def require_current() -> None:
    """End with a sentence when the tables are not of this release; for a database whose owner we are not told."""
    django.setup()
    executor = MigrationExecutor(connections["default"])
    missing = [str(migration) for migration, _ in executor.migration_plan(executor.loader.graph.leaf_nodes())]
    if missing:
        sys.exit(
            f"this database lacks {len(missing)} migrations ({missing[0]} first); "
            "set DATABASE_OWNER_URL, the role that may change its tables, and start again"
        )


if __name__ == "__main__":
    require_current() if "--check" in sys.argv else migrate()
