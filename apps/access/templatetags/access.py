"""`{% load access %}`: resources as links, levels in words, what an audit entry says."""

from __future__ import annotations

from django import template
from django.template import Context
from django.utils.safestring import SafeString

from apps.access.changes import describe_change
from apps.access.kinds import get_kind
from apps.access.levels import Level
from apps.access.models import AuditEntry, Resource
from apps.access.pages import resource_url as address_of
from apps.foundation.templatetags.marks import chip

register = template.Library()


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
    """What changed, in one line, with the comment given."""
    return ", ".join(part for part in (describe_change(entry), f"“{entry.comment}”" if entry.comment else "") if part)
