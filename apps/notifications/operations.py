"""What people decide about being told: watches and preferences. All are their own."""

from __future__ import annotations

from apps.access import audit
from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.models import Membership, Resource
from apps.access.operation import operation
from apps.foundation.errors import Forbidden, Invalid
from apps.notifications.kinds import KINDS
from apps.notifications.models import Preference, Watch


@operation(needs=Level.VIEW, on="resource")
def watch(*, actor: Actor, resource: Resource) -> Watch:
    """Hear of a resource: comments, moves, what it asks for."""
    return _set(actor, resource, muted=False, verb="notifications.watch")


@operation(needs=Level.VIEW, on="resource")
def unwatch(*, actor: Actor, resource: Resource) -> Watch:
    """Hear no more of a resource, even where one owns it or takes part, unless one is mentioned."""
    return _set(actor, resource, muted=True, verb="notifications.unwatch")


@operation(needs=None, on="watch")
def forget_watch(*, actor: Actor, watch: Watch) -> None:
    """Delete one's own watch, also of what one may not view any more."""
    audit.record(actor, "notifications.forget_watch", watch)
    watch.delete()


@operation(needs=None, on="membership")
def set_preferences(*, actor: Actor, membership: Membership, off: list[str], mail: list[str]) -> Preference:
    """Choose the kinds of notice that one does not want, and those that come by mail too."""
    unknown = sorted({*off, *mail} - set(KINDS))
    if unknown:
        raise Invalid(fields={"off": f"There is no kind called {', '.join(unknown)}; there are {', '.join(KINDS)}."})
    row = Preference.objects.filter(user=membership.user).first() or Preference(user=membership.user)
    before = {"off": row.off, "mail": row.mail}
    row.off, row.mail = sorted(set(off)), sorted(set(mail))
    row.save()
    after = {"off": row.off, "mail": row.mail}
    audit.record(actor, "notifications.set_preferences", membership, before=before, after=after)
    return row


def _set(actor: Actor, resource: Resource, *, muted: bool, verb: str) -> Watch:
    if not actor.allows("notifications", writing=True):
        raise Forbidden("The scopes of this token do not cover this.", code="scope")
    row = Watch.objects.filter(user=actor.user, resource=resource).first() or Watch(user=actor.user, resource=resource)
    row.muted = muted
    row.save()
    audit.record(actor, verb, resource)
    return row
