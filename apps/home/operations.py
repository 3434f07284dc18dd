"""What people do at home: keep a thing within reach, and let it go."""

from __future__ import annotations

from apps.access import audit
from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.operation import operation
from apps.foundation.errors import Forbidden
from apps.home.models import Star


@operation(needs=Level.DISCOVER, on="resource")
def star(*, actor: Actor, resource: Resource) -> Star:
    """Put a thing into one's side bar."""
    made, _ = Star.objects.get_or_create(user=_person(actor), resource=resource)
    audit.record(actor, "home.star", resource)
    return made


@operation(needs=Level.DISCOVER, on="resource")
def unstar(*, actor: Actor, resource: Resource) -> None:
    """Take a thing out of one's side bar."""
    Star.objects.filter(user=_person(actor), resource=resource).delete()
    audit.record(actor, "home.unstar", resource)


def _person(actor: Actor) -> object:
    if actor.user is None:
        raise Forbidden("Stars belong to an account.")
    return actor.user
