"""`{% load registry %}`: how numbers differ, names without their domain, links to what lineage knows."""

from __future__ import annotations

from typing import Any

from django import template
from django.template import Context

from apps.foundation.templatetags.figures import number
from apps.lineage.nodes import address_of
from apps.lineage.queries import SeenNode

register = template.Library()


@register.filter
def before_at(label: str) -> str:
    """The short name of somebody: what an e-mail address says before the @."""
    return label.partition("@")[0]


@register.filter
def signed(value: float) -> Any:
    """A difference with its sign: `+0.4`, `−0.71`."""
    text = number(value)
    return f"+{text}" if value > 0 else text


@register.filter
def share(value: float) -> str:
    """A change as a share, with its sign: `+1.7 %`."""
    return f"{value * 100:+.1f} %".replace("-", "−")


@register.simple_tag(takes_context=True)
def node_url(context: Context, node: SeenNode) -> str:
    """The address of what lineage knows."""
    workspace = context["request"].actor.workspace.name
    return address_of(workspace, node.kind, node.key, node.version, node.resource_id)
