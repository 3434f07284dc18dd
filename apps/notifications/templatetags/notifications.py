"""`{% load notifications %}`: the bell and its popover, for the shell."""

from __future__ import annotations

from typing import Any

from django import template

from apps.access.actor import Actor
from apps.notifications import inbox

register = template.Library()


@register.inclusion_tag("notifications/_bell_button.html")
def bell(actor: Actor) -> dict[str, Any]:
    """`{% bell actor %}`: the button in the top bar with the number of unread notices, live."""
    unread = inbox.count_unread(actor)
    return {"unread": unread, "more": unread >= inbox.COUNTED, "workspace": actor.workspace.name}


@register.inclusion_tag("notifications/_popover.html")
def bell_popover(actor: Actor) -> dict[str, Any]:
    """`{% bell_popover actor %}`: what the bell opens, beside the other popovers of the page."""
    return {"workspace": actor.workspace.name}
