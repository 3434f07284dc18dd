"""`{% load access %}`: resources as links, levels in words, what an audit entry says."""

from __future__ import annotations

import re
from typing import Any

from django import template
from django.template import Context
from django.utils.safestring import SafeString

from apps.access.kinds import get_kind
from apps.access.levels import Level
from apps.access.models import AuditEntry, Resource
from apps.access.pages import resource_url as address_of
from apps.foundation.templatetags.marks import chip

register = template.Library()
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d:\d\d|Z)?")


@register.simple_tag(takes_context=True)
def resource_url(context: Context, resource: Resource) -> str:
    """The address of a resource's own page."""
    return address_of(context["request"], resource)


@register.simple_tag(takes_context=True)
def resource_chip(context: Context, resource: Resource, full: bool = False, strong: bool = False) -> SafeString:
    """A resource as a link with its tile; `full` shows the whole path."""
    label = resource.path if full else resource.name
    return chip(resource.kind, label, address_of(context["request"], resource), strong=strong)


@register.filter
def kind_label(name: str) -> str:
    """What a kind of thing is called in a sentence."""
    return get_kind(name).label


@register.filter
def level_word(level: int) -> str:
    """A level as its word: `view`."""
    return Level(level).word


@register.filter
def change(entry: AuditEntry) -> str:
    """What changed, in one line: `level: view to edit, grantee: kofi@example.com`."""
    before, after = entry.before or {}, entry.after or {}
    parts = []
    for name in [*before, *(name for name in after if name not in before)]:
        old, new = before.get(name), after.get(name)
        if old == new or (old in (None, "", {}, []) and new in (None, "", {}, [])):
            continue
        words = name.replace("_", " ")
        parts.append(
            f"{words}: {_plain(new)}" if old in (None, "", {}, []) else f"{words}: {_plain(old)} to {_plain(new)}"
        )
    if entry.comment:
        parts.append(f"“{entry.comment}”")
    return ", ".join(parts)


def _plain(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{key}={_plain(item)}" for key, item in list(value.items())[:6])
    if isinstance(value, list):
        return ", ".join(_plain(item) for item in value[:6]) + (" …" if len(value) > 6 else "")
    text = str(value)
    if _MOMENT.fullmatch(text):
        return f"{text[:10]} {text[11:16]}"
    return text if len(text) <= 80 else text[:79] + "…"
