"""One person's inbox. Reading state is theirs alone, changes with every look and is nobody's business, so it is not audited."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import F, Q, QuerySet
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.access.actor import Actor
from apps.access.excerpts import excerpts
from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.reach import Reaches, reach_of
from apps.foundation.clock import now
from apps.foundation.errors import Forbidden, Invalid, NotFound
from apps.foundation.ids import parse_id
from apps.foundation.templatetags.marks import person
from apps.notifications import events
from apps.notifications.kinds import KINDS, NoticeKind
from apps.notifications.models import Notice, Preference, Watch

COUNTED = 100
STATES = ("unread", "all")


@dataclass(frozen=True)
class Told:
    """A notice as its person sees it. `words` are what it leads to, read now, empty when that is gone."""

    notice: Notice
    kind: NoticeKind
    words: str

    @property
    def sentence(self) -> SafeString:
        """Who did what to which thing, the names standing out."""
        before, found, after = self.notice.text.partition("{thing}")
        thing = format_html("<b>{}</b>", self.notice.label) if found else ""
        who = self.notice.actor_label
        head = format_html("<b>{}</b> ", person(who)["short"]) if who else ""
        return format_html("{}{}{}{}", head, before, thing, after)


def list_notices(actor: Actor, *, state: str = "all", kind: str = "") -> QuerySet[Notice]:
    """The actor's notices, but those of what they may not view any more; unread ones or all, of one kind."""
    if state not in STATES:
        raise Invalid(fields={"state": f"One of {', '.join(STATES)}."})
    if kind and kind not in KINDS:
        raise Invalid(fields={"kind": f"One of {', '.join(KINDS)}."})
    found = _own(actor)
    if state == "unread":
        found = found.filter(read_at__isnull=True)
    return found.filter(kind=kind) if kind else found


def count_unread(actor: Actor) -> int:
    """How many unread notices there are, counted up to a hundred."""
    return len(_own(actor).filter(read_at__isnull=True).values_list("pk")[:COUNTED])


def show(actor: Actor, notices: list[Notice]) -> list[Told]:
    """Notices with the words they lead to."""
    words = excerpts(actor, [notice.about for notice in notices if notice.about])
    return [Told(row, KINDS[row.kind], words.get(row.about, "") or row.detail) for row in notices]


def get_notice(actor: Actor, notice_id: object) -> Notice:
    """One of the actor's own. Raises NotFound."""
    key = parse_id(notice_id)
    found = _own(actor).filter(pk=key).first() if key else None
    if found is None:
        raise NotFound
    return found


def mark(actor: Actor, notice: Notice, *, read: bool) -> Notice:
    """Mark a notice read or unread."""
    _require_writing(actor)
    notice.read_at = now() if read else None
    Notice.objects.filter(pk=notice.pk, user=actor.user).update(read_at=notice.read_at)
    _say(actor)
    return notice


def mark_all_read(actor: Actor, *, kind: str = "") -> int:
    """Mark everything read, or everything of one kind; how many were not."""
    _require_writing(actor)
    count = list_notices(actor, state="unread", kind=kind).update(read_at=now())
    _say(actor)
    return count


def list_watches(actor: Actor) -> QuerySet[Watch]:
    """What the actor watches or muted, newest first."""
    return Watch.objects.filter(user=actor.user).select_related("resource")


def get_watch(actor: Actor, resource_id: object) -> Watch:
    """The actor's watch of a resource. Raises NotFound."""
    key = parse_id(resource_id)
    found = list_watches(actor).filter(resource_id=key).first() if key else None
    if found is None:
        raise NotFound
    return found


def is_watching(actor: Actor, resource: Resource) -> bool:
    """Whether the actor hears of a resource: by a watch, or by owning it."""
    row = Watch.objects.filter(user=actor.user, resource=resource).first()
    return not row.muted if row else resource.owner_id is not None and resource.owner_id == actor.user_id


def preferences(actor: Actor) -> Preference:
    """What the actor wants to be told, as they chose or as it is from the start."""
    row = Preference.objects.filter(user=actor.user).first()
    return row or Preference(off=[], mail=[kind.name for kind in KINDS.values() if kind.mail])


def _own(actor: Actor) -> QuerySet[Notice]:
    found = Notice.objects.filter(user=actor.user).select_related("resource")
    reach = reach_of(actor, Level.VIEW)
    if reach.is_everything:
        return found.filter(Q(resource=None) | Q(level=0) | Q(resource__deleted_at=None))
    live = Reaches(F("resource_id"), reach)
    return found.filter(Q(resource=None) | Q(level=0) | Q(live, resource__deleted_at=None))


def _require_writing(actor: Actor) -> None:
    if not actor.allows("notifications", writing=True):
        raise Forbidden("The scopes of this token do not cover this.", code="scope")


def _say(actor: Actor) -> None:
    events.changed(actor.workspace.pk, ["inbox"], people=[actor.user_id])
