"""What people can do in threads. Words are kept in comments alone: neither the audit nor notices repeat them."""

from __future__ import annotations

import datetime
from typing import Any

from apps.access import audit
from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.operation import operation
from apps.access.policy import level_of
from apps.comments import markup, mentions
from apps.comments.anchors import parse_anchor
from apps.comments.models import REACTIONS, Comment, EarlierText, Mention, Reaction, Thread
from apps.foundation.clock import now
from apps.foundation.errors import Conflict, Forbidden, Invalid, TooMany

QUOTE_MAX = 1000
REASON_MAX = 1000
COMMENTS_MAX = 1000
PER_MINUTE = 60
PARTICIPANTS_TOLD = 200


@operation(needs=Level.COMMENT, on="resource")
def start_thread(*, actor: Actor, resource: Resource, text: str, path: str = "", quote: str = "") -> Comment:
    """Begin a thread on a resource or a place in it; mentioned members who may view it are told. Gives its first comment."""
    anchor = parse_anchor(path)
    if len(quote) > QUOTE_MAX:
        raise Invalid(fields={"quote": f"At most {QUOTE_MAX} characters."})
    thread = Thread(resource=resource, path=anchor.path, quote=quote)
    thread.save(force_insert=True)
    return _say(actor, thread, text, "comments.start_thread")


@operation(needs=Level.COMMENT, on="thread")
def reply(*, actor: Actor, thread: Thread, text: str) -> Comment:
    """Answer in a thread; a resolved one stays resolved."""
    if thread.comments.count() >= COMMENTS_MAX:
        raise Conflict(f"A thread has at most {COMMENTS_MAX:,} comments; begin another one.")
    return _say(actor, thread, text, "comments.reply")


@operation(needs=Level.COMMENT, on="comment")
def edit_comment(*, actor: Actor, comment: Comment, text: str) -> Comment:
    """Say one's own comment anew; what it said before stays to be read. Who is mentioned for the first time is told."""
    _require_author(actor, comment)
    text = markup.clean_text(text)
    if text == comment.text:
        audit.record(actor, "comments.edit_comment", comment, after=_told(comment))
        return comment
    EarlierText(comment=comment, text=comment.text, written_at=comment.edited_at or comment.created_at).save()
    comment.text, comment.edited_at = text, now()
    comment.save(update_fields=["text", "edited_at"])
    already = set(comment.mentions.values_list("handle", flat=True))
    named = _mention(actor, comment)
    fresh = [one for one in named if one.handle not in already]
    audit.record(actor, "comments.edit_comment", comment, after=_told(comment, named=fresh))
    return comment


@operation(needs=Level.VIEW, on="comment")
def delete_comment(*, actor: Actor, comment: Comment) -> Comment:
    """Take back a comment, one's own or, for whoever manages the resource, anybody's. Its words go for good, its place stays."""
    if comment.deleted_at is not None:
        raise Conflict("This comment is already deleted.")
    manages = (level_of(actor, comment.thread.resource) or 0) >= Level.MANAGE
    if comment.author_id != actor.user_id and not manages:
        raise Forbidden("Only its author, or whoever manages the resource, can delete a comment.", needs="manage")
    if not actor.allows("comments", writing=True):
        raise Forbidden("The scopes of this token do not cover this.", code="scope")
    comment.earlier.all().delete()
    comment.reactions.all().delete()
    comment.mentions.all().delete()
    comment.text, comment.deleted_at, comment.deleted_by_label = "", now(), actor.label
    comment.save(update_fields=["text", "deleted_at", "deleted_by_label"])
    audit.record(
        actor, "comments.delete_comment", comment, before={"author": comment.author_label}, after=_told(comment)
    )
    return comment


@operation(needs=Level.COMMENT, on="thread")
def resolve(*, actor: Actor, thread: Thread, reason: str = "") -> Thread:
    """Close a thread, with a reason if there is one to give."""
    if not thread.is_open:
        raise Conflict(f"{thread.resolved_by or 'Somebody'} resolved this thread before you.")
    thread.resolved_at, thread.resolved_by, thread.reason = now(), actor.user, _clean_reason(reason)
    thread.save(update_fields=["resolved_at", "resolved_by", "reason"])
    audit.record(actor, "comments.resolve", thread, after=_told(thread), comment="")
    return thread


@operation(needs=Level.COMMENT, on="thread")
def reopen(*, actor: Actor, thread: Thread, reason: str = "") -> Thread:
    """Open a resolved thread again; a reason becomes its next comment."""
    if thread.is_open:
        raise Conflict("This thread is open.")
    thread.resolved_at, thread.resolved_by, thread.reason = None, None, ""
    thread.save(update_fields=["resolved_at", "resolved_by", "reason"])
    audit.record(actor, "comments.reopen", thread, after=_told(thread))
    if reason.strip():
        _say(actor, thread, _clean_reason(reason), "comments.reply")
    return thread


@operation(needs=Level.COMMENT, on="comment")
def react(*, actor: Actor, comment: Comment, name: str) -> Comment:
    """Put a sign under a comment; once per person and sign."""
    if name not in REACTIONS:
        raise Invalid(fields={"name": f"One of {', '.join(REACTIONS)}."})
    if comment.deleted_at is not None:
        raise Conflict("This comment is deleted.")
    if not comment.reactions.filter(user=actor.user, name=name).exists():
        Reaction(comment=comment, user=actor.user, name=name).save()
    audit.record(actor, "comments.react", comment, after={**_told(comment), "name": name})
    return comment


@operation(needs=Level.COMMENT, on="comment")
def unreact(*, actor: Actor, comment: Comment, name: str) -> Comment:
    """Take one's own sign away."""
    comment.reactions.filter(user=actor.user, name=name).delete()
    audit.record(actor, "comments.unreact", comment, after={**_told(comment), "name": name})
    return comment


def _say(actor: Actor, thread: Thread, text: str, verb: str) -> Comment:
    moment = now()
    recent = Comment.objects.filter(author=actor.user, created_at__gt=moment - datetime.timedelta(minutes=1))
    if recent.count() >= PER_MINUTE:
        raise TooMany(retry_after_seconds=60)
    comment = Comment(thread=thread, author=actor.user, author_label=actor.label, text=markup.clean_text(text))
    comment.save(force_insert=True)
    Thread.objects.filter(pk=thread.pk).update(active_at=moment)
    named = _mention(actor, comment)
    audit.record(actor, verb, comment, after=_told(comment, named=named))
    return comment


def _mention(actor: Actor, comment: Comment) -> list[mentions.Named]:
    """Keep whom the comment names now, and whether they could read it."""
    named = mentions.resolve(markup.find_handles(comment.text), comment.thread.resource)
    comment.mentions.all().delete()
    rows = [
        Mention(comment=comment, handle=one.handle, user=one.user, group=one.group, reached=bool(one.reached))
        for one in named
    ]
    Mention.objects.bulk_create(rows)
    return named


def _told(thing: Thread | Comment, *, named: list[mentions.Named] | None = None) -> dict[str, Any]:
    """What the audit keeps, and what notifications go by: where, who is named and who took part. Never the words."""
    thread = thing if isinstance(thing, Thread) else thing.thread
    told: dict[str, Any] = {"thread": thread.pk, "path": thread.path}
    if isinstance(thing, Comment):
        told["comment"] = thing.pk
    if named is not None:
        authors = thread.comments.filter(author__isnull=False).order_by().values_list("author_id", flat=True).distinct()
        told["mentioned"] = [one.user.pk for one in named if one.user]
        told["groups"] = [one.group.pk for one in named if one.group]
        told["participants"] = list(authors[:PARTICIPANTS_TOLD])
    return told


def _require_author(actor: Actor, comment: Comment) -> None:
    if comment.deleted_at is not None:
        raise Conflict("This comment is deleted.")
    if comment.author_id is None or comment.author_id != actor.user_id:
        raise Forbidden("Only its author can edit a comment.")


def _clean_reason(reason: str) -> str:
    if len(reason) > REASON_MAX:
        raise Invalid(fields={"reason": f"At most {REASON_MAX:,} characters."})
    return reason.strip()
