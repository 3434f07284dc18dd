"""A database that is not ours: refused when its role would leave the second lock open."""

from __future__ import annotations

from typing import Any

from workspace.env import Env, database_entry
from workspace.installation.home import InstallationError

_ROLE = """
select r.rolsuper, r.rolbypassrls,
  exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
          where n.nspname = 'public' and c.relkind in ('r', 'p') and pg_has_role(current_user, c.relowner, 'member'))
  or exists (select from pg_namespace n where n.nspname = 'public' and pg_has_role(current_user, n.nspowner, 'member'))
from pg_roles r where r.rolname = current_user
"""


def check(env: Env) -> None:
    """Raise when DATABASE_URL cannot be reached, or its role is a superuser, passes row-level security or owns things."""
    if not env.is_given("DATABASE_URL"):
        return
    import psycopg

    try:
        with psycopg.connect(**connection_arguments(env.database_url), connect_timeout=10) as connection:
            superuser, bypasses, owns = connection.execute(_ROLE).fetchone() or (True, True, True)
    except psycopg.OperationalError as error:
        raise InstallationError(f"DATABASE_URL cannot be reached: {str(error).strip()}") from None
    if env.is_given("DATABASE_OWNER_URL") and env.database["USER"] == env.database_owner["USER"]:
        owns = True
    what = "is a superuser" if superuser else "has BYPASSRLS" if bypasses else "owns tables (or may act as their owner)"
    if superuser or bypasses or owns:
        raise InstallationError(
            f"the role of DATABASE_URL {what}, so that the walls between workspaces would not hold for it. "
            "Give DATABASE_URL a plain role (nosuperuser nobypassrls) that owns nothing, and DATABASE_OWNER_URL the owner"
        )


def connection_arguments(url: str) -> dict[str, Any]:
    """What psycopg wants to know, from a postgres:// address."""
    entry = database_entry(url)
    names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    return {name: entry[key] for key, name in names.items() if entry[key]} | entry["OPTIONS"]
