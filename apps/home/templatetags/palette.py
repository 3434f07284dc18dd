"""`{% load palette %}`: what was typed, marked where it stands in a name."""

from __future__ import annotations

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


@register.filter
def marked(name: str, text: str) -> SafeString | str:
    """The name with the typed text marked in it."""
    at = name.lower().find(text.lower()) if text else -1
    if at < 0:
        return name
    return format_html("{}<mark>{}</mark>{}", name[:at], name[at : at + len(text)], name[at + len(text) :])
