"""Reads of threads: lists for the API, and talks ready to be shown, in a fixed number of statements however long they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, Prefetch, Q, QuerySet, Window
from django.db.models.functions import RowNumber

from apps.access.actor import Actor
from apps.access.models import Resource
from apps.access.policy import visible
from apps.comments.markup import comment_html, plain_words
from apps.comments.models import REACTIONS, Comment, Mention, Reaction, Thread
from apps.foundation.errors import Invalid
from apps.foundation.ids import parse_id

STATES = ("open", "resolved", "all")
SHOWN_COMMENTS = 50


@dataclass(frozen=True)
class Sign:
    """A reaction under a comment: its name and icon, how many gave it, who, and whether the reader did."""

    name: str
    icon: str
    count: int
    people: str
    mine: bool


@dataclass(frozen=True)
class Said:
    """A comment as its reader sees it: safe HTML, signs, what they may do, and whom its author did not reach."""

    comment: Comment
    html: str
    signs: list[Sign]
    is_own: bool
    may_delete: bool
    unreached: list[str]


@dataclass(frozen=True)
class Talk:
    """A thread as its reader sees it. `skipped` comments between the first and the rest are left out."""

    thread: Thread
    said: list[Said]
    skipped: int = 0
    count: int = 0


def list_threads(
    actor: Actor, *, resource: Resource | None = None, path: str | None = None, state: str = "open"
) -> QuerySet[Thread]:
    """Threads on what the actor may view; on one resource, at one place, open ones, resolved ones or all."""
    found = visible(Thread, actor)
    return _narrow(found if resource is None else found.filter(resource=resource), path, state)


def threads_of(resource: Resource, *, path: str | None = None, state: str = "open") -> QuerySet[Thread]:
    """The same for a resource that the reader is known to view: no check of its own."""
    return _narrow(Thread.objects.filter(resource=resource), path, state)


def _narrow(threads: QuerySet[Thread], path: str | None, state: str) -> QuerySet[Thread]:
    if state not in STATES:
        raise Invalid(fields={"state": f"One of {', '.join(STATES)}."})
    threads = threads.select_related("resource", "resolved_by")
    if path is not None:
        threads = threads.filter(path=path)
    if state != "all":
        threads = threads.filter(resolved_at__isnull=state == "open")
    return threads.annotate(comment_count=Count("comments"))


def count_open(actor: Actor, resource: Resource, path: str | None = None) -> int:
    """How many open threads hang on a resource, or on one place in it."""
    threads = visible(Thread, actor).filter(resource=resource, resolved_at__isnull=True)
    return threads.filter(path=path).count() if path is not None else threads.count()


def list_comments(thread: Thread) -> QuerySet[Comment]:
    """The comments of a thread, with what its API shows."""
    signs = Prefetch("reactions", Reaction.objects.select_related("user"))
    return thread.comments.select_related("thread", "author").prefetch_related(signs, "mentions")


def show(
    actor: Actor, threads: Iterable[Thread], *, manages: bool, most: int = SHOWN_COMMENTS, whole: Any = None
) -> list[Talk]:
    """The threads with their comments, of each the first and the last ones up to `most`; all of the thread called `whole`."""
    threads = list(threads)
    kept: dict[Any, list[Any]] = defaultdict(list)
    for comment in _ends(threads, most, whole):
        kept[comment.thread_id].append(comment)
    shown = [comment for ends in kept.values() for comment in ends]
    signs, names, unreached = _signs(actor, shown), defaultdict(list), defaultdict(list)
    for mention in Mention.objects.filter(comment__in=shown).select_related("user", "group"):
        label = mention.user.label if mention.user else mention.group.name
        names[mention.comment_id].append((mention.handle, label))
        if not mention.reached:
            unreached[mention.comment_id].append(label)

    def said(comment: Comment) -> Said:
        own = comment.author_id is not None and comment.author_id == actor.user_id
        html = comment_html(comment.text, tuple(sorted(names[comment.pk]))) if comment.text else ""
        may_delete = (own or manages) and comment.deleted_at is None
        return Said(comment, html, signs[comment.pk], own, may_delete, unreached[comment.pk] if own else [])

    def talk(thread: Thread) -> Talk:
        ends = kept[thread.pk]
        count = ends[0].total if ends else 0
        return Talk(thread, [said(comment) for comment in ends], count - len(ends), count)

    return [talk(thread) for thread in threads]


def _ends(threads: list[Thread], most: int, whole: Any) -> QuerySet[Any]:
    """Of each thread the first comment and the last ones, `most` in all, with how many there are (`total`); one thread `whole`."""
    of_thread: dict[str, Any] = {"partition_by": F("thread")}
    placed = Comment.objects.filter(thread__in=threads).annotate(
        total=Window(Count("*"), **of_thread),
        first=Window(RowNumber(), order_by=("created_at", "id"), **of_thread),
        last=Window(RowNumber(), order_by=("-created_at", "-id"), **of_thread),
    )
    wanted = Q(total__lte=most) | Q(first=1) | Q(last__lt=most) | Q(thread=whole)
    return placed.filter(wanted).select_related("author").order_by("created_at", "id")


def read_excerpts(actor: Actor, ids: list[str]) -> dict[str, str]:
    """The beginnings of comments that the actor may view, by id; deleted ones are missing."""
    wanted = [key for key in map(parse_id, ids) if key]
    rows = visible(Comment, actor).filter(Q(pk__in=wanted), deleted_at__isnull=True)
    return {str(comment.pk): plain_words(comment.text) for comment in rows}


def _signs(actor: Actor, comments: list[Comment]) -> dict[Any, list[Sign]]:
    given: dict[Any, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for row in Reaction.objects.filter(comment__in=comments).select_related("user").order_by("pk"):
        given[row.comment_id][row.name].append(row.user)
    found: dict[Any, list[Sign]] = defaultdict(list)
    for comment_id, by_name in given.items():
        for name, icon in REACTIONS.items():
            if people := by_name.get(name):
                mine = any(user.pk == actor.user_id for user in people)
                names = ", ".join(user.label for user in people[:12]) + (" …" if len(people) > 12 else "")
                found[comment_id].append(Sign(name, icon, len(people), names, mine))
    return found
