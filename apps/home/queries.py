"""Reads of home: stars, what one opened lately, and the search of the palette."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from django.db.models import Case, IntegerField, Q, QuerySet, Value, When
from django.db.models.functions import Length

from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.policy import visible
from apps.home.models import Star, Visit

TEXT_MAX = 100
WORDS_MAX = 6
OPENED = 50
# From so many letters on, letters with others between them count too: `ardl` finds arrival_delay.
FUZZY_FROM = 3


def list_stars(actor: Actor) -> QuerySet[Star]:
    """The actor's stars, among what they may still discover."""
    own = visible(Star, actor, Level.DISCOVER).filter(user=actor.user)
    return own.select_related("resource", "resource__owner")


def list_recents(actor: Actor) -> QuerySet[Visit]:
    """What the actor opened, among what they may still discover."""
    own = visible(Visit, actor, Level.DISCOVER).filter(user=actor.user)
    return own.select_related("resource", "resource__owner")


def search(actor: Actor, text: str, *, kinds: Sequence[str] = (), owner: str = "", limit: int = 12) -> list[Resource]:
    """The best matches among what the actor may discover: `rank` 0 is the very name, 5 and 6 its letters with others between."""
    text = text.replace("\0", "").strip()[:TEXT_MAX]
    found = visible(Resource, actor, Level.DISCOVER).exclude(kind="workspace").select_related("owner")
    if kinds:
        found = found.filter(kind__in=kinds)
    if owner:
        found = found.filter(Q(owner__email__istartswith=owner) | Q(owner__name__istartswith=owner))
    found = found.annotate(rank=_rank(text), length=Length("name")).filter(_matches(text))
    # What was opened lately is looked at apart: a join would be asked about every row that fits.
    visits = Visit.objects.filter(user=actor.user).order_by("-seen_at").values_list("resource_id", "seen_at")
    opened = dict(visits[:OPENED])
    rows: dict[Any, Any] = {row.pk: row for row in found.order_by("rank", "length", "name", "pk")[:limit]}
    rows |= {row.pk: row for row in found.filter(pk__in=list(opened))} if opened else {}
    moments = {pk: moment.timestamp() for pk, moment in opened.items()}
    return sorted(rows.values(), key=lambda row: (row.rank, -moments.get(row.pk, 0.0), row.length, row.name))[:limit]


def _matches(text: str) -> Q:
    """Each word somewhere in the path; or, for one longer word, its letters in this order in the name."""
    condition = Q()
    words = text.split()[:WORDS_MAX]
    if len(text) == 1:
        return Q(name__istartswith=text)
    for word in words:
        condition &= Q(path__icontains=word)
    if len(words) == 1 and len(text) >= FUZZY_FROM:
        condition |= Q(name__iregex=_spread(text))
    return condition


def _rank(text: str) -> Any:
    first = re.escape(text)
    steps = [
        Q(name__iexact=text),
        Q(name__istartswith=text),
        Q(name__iregex=rf"[^[:alnum:]]{first}"),
        Q(name__icontains=text),
        Q(path__icontains=text),
        Q(name__istartswith=text[:1]),
    ]
    if not text:
        return Value(0, output_field=IntegerField())
    whens = [When(step, then=Value(rank)) for rank, step in enumerate(steps)]
    return Case(*whens, default=Value(len(steps)), output_field=IntegerField())


def _spread(text: str) -> str:
    return ".*".join(re.escape(letter) for letter in text)
