"""Containers: card, section of the rail, dialog, message. Each ends with its own end tag."""

from __future__ import annotations

from typing import Any

from django import template
from django.template import Context
from django.template.loader import render_to_string
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.foundation.pages import Frame, panels
from apps.foundation.templatetags.marks import icon, tile

register = template.Library()
NOTE_ICONS = {
    "ok": "circle-check",
    "warn": "triangle-alert",
    "bad": "circle-x",
    "wait": "hourglass",
    "info": "info",
    "": "info",
}


@register.simple_tag(takes_context=True)
def slot(context: Context, name: str, frame: Frame | None = None, after: int = 0, before: int = 1000) -> SafeString:
    """What rooms offer here: `{% slot "rail" frame before=40 %}`; nothing for a frame without a resource."""
    if frame is None or frame.resource is None:
        return SafeString("")
    filled = panels(context["request"], name, frame, orders=range(after, before))
    return format_html_join("\n", "{}", ((render_to_string(*piece, context["request"]),) for piece in filled))


@register.simple_tag(takes_context=True)
def offered(context: Context, name: str, *about: Any) -> SafeString:
    """What rooms offer to a page that is about no resource: `{% offered "error.missing" error %}`."""
    filled = panels(context["request"], name, *about)
    return format_html_join("\n", "{}", ((render_to_string(*piece, context["request"]),) for piece in filled))


@register.simple_block_tag
def card(
    content: str,
    title: str = "",
    sub: str = "",
    count: int | None = None,
    end: str = "",
    cls: str = "",
    level: str = "h2",
    id: str = "",
) -> SafeString:
    """`{% card "Deployments" sub="last hour" end=link %}…{% endcard %}`: `end` is ready markup for the right of the head (`{% btn … as end %}`)."""
    head = ""
    if title:
        head = format_html(
            '<div class="card-h"><{}>{}</{}>{}{}{}</div>',
            level, title, level,
            format_html('<span class="count">{}</span>', count) if count is not None else "",
            format_html('<span class="muted t12">{}</span>', sub) if sub else "",
            format_html('<span class="end">{}</span>', end) if end else "",
        )  # fmt: skip
    return format_html(
        '<section class="card{}"{}>{}{}</section>',
        f" {cls}" if cls else "",
        format_html(' id="{}"', id) if id else "",
        head,
        content,
    )


@register.simple_block_tag
def railsec(content: str, title: str, count: int | None = None, end: str = "") -> SafeString:
    """A section of the rail, in the order About, Owner, Tags, own kind, Lineage, Access, Comments, Activity."""
    number = format_html(' <span class="count">{}</span>', count) if count is not None else ""
    return format_html(
        "<section><h3>{}{}{}</h3>{}</section>",
        title,
        number,
        format_html('<span class="end">{}</span>', end) if end else "",
        content,
    )


@register.simple_block_tag
def note(content: str, tone: str = "", end: str = "", small: bool = False) -> SafeString:
    """A message beside what it is about: tones ok, warn, bad, wait, info; `end` holds the action that ends it."""
    return format_html(
        '<div class="note{}{}"{}>{}<div class="grow">{}</div>{}</div>',
        f" {tone}" if tone else "", " t12" if small else "",
        format_html(' role="{}"', "alert" if tone == "bad" else "status") if tone in ("bad", "ok") else "",
        icon(NOTE_ICONS.get(tone, "info"), "s" if small else ""), content, format_html('<span class="end">{}</span>', end) if end else "",
    )  # fmt: skip


@register.simple_block_tag
def dialog(
    content: str,
    id: str,
    title: str,
    sub: str = "",
    size: str = "",
    kind: str = "",
    arrives: bool = False,
    leave: str = "",
) -> SafeString:
    """A dialog around a form or a body and footer, opened by `data-open="<id>"`; `arrives` for one that comes by htmx and opens at once.

    `size` wide, huge, perms. Inside: `<div class="body">…</div><footer>…</footer>`, or a form around both.
    """
    close = format_html(
        '<button type="button" class="btn sq ghost" aria-label="Close" title="Close" data-close>{}</button>', icon("x")
    )
    box = format_html(
        '<dialog class="modal{}" id="{}" aria-labelledby="{}-h"><header>{}<div><h2 id="{}-h">{}</h2>{}</div>{}</header>{}</dialog>',
        f" {size}" if size else "", id, id, tile(kind, "l") if kind else "", id, title, format_html("<p>{}</p>", sub) if sub else "", close, content,
    )  # fmt: skip
    return (
        format_html("<bh-modal{}>{}</bh-modal>", format_html(' leave="{}"', leave) if leave else "", box)
        if arrives
        else box
    )


@register.simple_block_tag
def empty(content: str, kind: str, title: str, text: str, action: str = "") -> SafeString:
    """What it is, why one wants it, the way to the first one; inside the block stands the snippet."""
    return format_html(
        '<section class="empty"><div>{}<h2>{}</h2><p>{}</p>{}</div>{}</section>',
        tile(kind, "l"), title, text, format_html('<div class="row wrap">{}</div>', action) if action else "", content,
    )  # fmt: skip


@register.simple_block_tag
def work(content: str, text: str, sub: str = "", percent: int | None = None, label: str = "Progress") -> SafeString:
    """Long work under way: what, how far; inside the block stand its actions (Log, Cancel)."""
    bar: Any = ""
    if percent is not None:
        bar = format_html(
            '<span class="progress" role="progressbar" aria-valuenow="{}" aria-valuemin="0" aria-valuemax="100" aria-label="{}"><i style="--v:{}%"></i></span>',
            percent, label, percent,
        )  # fmt: skip
    return format_html(
        '<div class="work" role="status">{}<span class="row base wrap"><b>{}</b>{}</span><span class="end">{}</span>{}</div>',
        icon("loader-circle", "spin"), text, format_html('<span class="muted t12">{}</span>', sub) if sub else "", content, bar,
    )  # fmt: skip
