"""`{% load comments %}`: threads and composer anywhere, for one place in a resource."""

from __future__ import annotations

from typing import Any

from django import template
from django.template import Context
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from apps.access.models import Resource
from apps.comments import pages
from apps.foundation.templatetags.marks import icon

register = template.Library()


@register.inclusion_tag("comments/_talk.html", takes_context=True)
def comments(
    context: Context, resource: Resource, path: str = "", quote: str = "", state: str = "open"
) -> dict[str, Any]:
    """`{% comments resource "line:train.py:12" quote=line %}`: the threads at a place, live, and the composer for a new one.

    The reader holds VIEW on the resource: the page fetched it. `quote` is what stands at the place, kept with a new thread.
    """
    request = context["request"]
    found = pages.talk(request, resource, path=path, state=state)
    return {**found, "quote": quote, "request": request, "csrf_token": context.get("csrf_token")}


@register.simple_tag
def reaction_choices() -> SafeString:
    """The signs that one can put under a comment, as buttons."""
    return format_html_join(
        "",
        '<button type="button" class="btn sm sq ghost" data-react="{}" aria-label="{}">{}</button>',
        ((name, name.replace("_", " "), icon(sign)) for name, sign in pages.reactions()),
    )
