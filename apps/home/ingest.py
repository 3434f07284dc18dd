"""Visits: noted with each page of a thing, written at most once in some minutes."""

from __future__ import annotations

from django.db import connection

from apps.access.actor import Actor
from apps.access.models import Resource

# Often enough for "51 min ago", seldom enough that reading writes next to nothing.
MINUTES = 5
_NOTE = f"""
    with known as (select resource_id, seen_at from home_visit where user_id = %(user)s and resource_id = %(resource)s),
    noted as (
      insert into home_visit (workspace_id, user_id, resource_id, seen_at)
      select %(workspace)s, %(user)s, %(resource)s, now()
      where not exists (select from known where seen_at > now() - interval '{MINUTES} minutes')
      on conflict (user_id, resource_id) do update set seen_at = excluded.seen_at)
    select exists (select from home_star where user_id = %(user)s and resource_id = %(resource)s)"""


def note_visit(actor: Actor, resource: Resource) -> bool:
    """Note that a person looks at a thing; whether they starred it. One statement."""
    if actor.user_id is None:
        return False
    values = {"user": actor.user_id, "resource": resource.pk, "workspace": actor.workspace.pk}
    with connection.cursor() as cursor:
        cursor.execute(_NOTE, values)
        return bool(cursor.fetchone()[0])
