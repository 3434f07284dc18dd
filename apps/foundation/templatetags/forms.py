"""Fields of forms: label, control, hint, and the sentence when a value cannot be taken."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import template
from django.http import QueryDict
from django.template import Context
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from apps.foundation.templatetags.marks import attributes, icon

register = template.Library()


def _value(context: Context, name: str, given: Any) -> Any:
    values = context.get("values") or {}
    return values.get(name, "") if name in values else given


def _wrap(
    context: Context, name: str, label: str, control: SafeString, hint: str, optional: bool, ident: str, end: str = ""
) -> SafeString:
    error = (context.get("errors") or {}).get(name, "")
    below: Any = format_html('<span class="hint" id="{}-hint">{}</span>', ident, hint) if hint else ""
    if error:
        below = format_html(
            '{}<span class="err" id="{}-err">{}{}</span>', below, ident, icon("circle-alert", "s"), error
        )
    return format_html(
        '<div class="field"><label for="{}"{}>{}{}{}</label>{}{}</div>',
        ident, mark_safe(' class="row"') if end else "", label, mark_safe(' <span class="opt">optional</span>') if optional else "", end, control, below,
    )  # fmt: skip


def _common(context: Context, name: str, ident: str, hint: str, extra: dict[str, Any]) -> SafeString:
    error = name in (context.get("errors") or {})
    described = " ".join([*([f"{ident}-hint"] if hint else []), *([f"{ident}-err"] if error else [])])
    return attributes({"aria_invalid": "true" if error else None, "aria_describedby": described or None, **extra})


@register.simple_tag(takes_context=True)
def field(
    context: Context,
    name: str,
    label: str,
    value: Any = "",
    hint: str = "",
    type: str = "text",
    optional: bool = False,
    cls: str = "",
    id: str = "",
    end: str = "",
    **extra: Any,
) -> SafeString:
    """`{% field "name" "Name" hint="…" %}`: an input; keeps what was typed and shows the error for `name`. Other arguments become attributes."""
    ident = id or f"f-{name}"
    if not optional and type != "file":
        extra = {"required": True, **extra}
    shown = "" if type in ("password", "file") else _value(context, name, value)
    control = format_html(
        '<input class="input{}" type="{}" id="{}" name="{}"{}{}>',
        f" {cls}" if cls else "", type, ident, name, "" if type == "file" else format_html(' value="{}"', shown if shown is not None else ""),
        _common(context, name, ident, hint, extra),
    )  # fmt: skip
    return _wrap(context, name, label, control, hint, optional, ident, end)


@register.simple_tag(takes_context=True)
def textarea(
    context: Context,
    name: str,
    label: str,
    value: str = "",
    hint: str = "",
    rows: int = 3,
    optional: bool = False,
    cls: str = "",
    id: str = "",
    **extra: Any,
) -> SafeString:
    """A text of several lines."""
    ident = id or f"f-{name}"
    control = format_html(
        '<textarea class="textarea{}" id="{}" name="{}" rows="{}"{}>{}</textarea>',
        f" {cls}" if cls else "", ident, name, rows, _common(context, name, ident, hint, extra), _value(context, name, value),
    )  # fmt: skip
    return _wrap(context, name, label, control, hint, optional, ident)


@register.simple_tag(takes_context=True)
def select(
    context: Context,
    name: str,
    label: str,
    options: Iterable[Any],
    value: Any = "",
    hint: str = "",
    optional: bool = False,
    cls: str = "",
    id: str = "",
    bare: bool = False,
    **extra: Any,
) -> SafeString:
    """A choice: options are values or (value, text). `bare` prints the control alone, with the label read out."""
    ident = id or f"f-{name}"
    chosen = str(_value(context, name, value))
    pairs = [option if isinstance(option, tuple | list) else (option, option) for option in options]
    inner = format_html_join(
        "",
        '<option value="{}"{}>{}</option>',
        ((v, mark_safe(" selected") if str(v) == chosen else "", t) for v, t in pairs),
    )
    if bare:
        return format_html(
            '<select class="select{}" name="{}" aria-label="{}"{}>{}</select>',
            f" {cls}" if cls else "",
            name,
            label,
            attributes(extra),
            inner,
        )
    control = format_html(
        '<select class="select{}" id="{}" name="{}"{}>{}</select>',
        f" {cls}" if cls else "",
        ident,
        name,
        _common(context, name, ident, hint, extra),
        inner,
    )
    return _wrap(context, name, label, control, hint, optional, ident)


@register.simple_tag(takes_context=True)
def check(
    context: Context,
    name: str,
    label: str,
    checked: bool = False,
    value: str = "on",
    switch: bool = False,
    **extra: Any,
) -> SafeString:
    """A tick box, or a switch that acts at once (`data_submit=True`)."""
    values = context.get("values")
    on = value in values.getlist(name) if isinstance(values, QueryDict) and values else checked
    return format_html(
        '<label class="opt t12"><input type="checkbox" class="{}" name="{}" value="{}"{}{}><span>{}</span></label>',
        "switch" if switch else "check", name, value, mark_safe(" checked") if on else "", attributes(extra), label,
    )  # fmt: skip


@register.simple_tag(takes_context=True)
def form_error(context: Context) -> SafeString:
    """The sentence about the form as a whole, when there is one; and one for each field that the form does not show."""
    text = (context.get("errors") or {}).get("", "")
    if not text:
        return mark_safe("")
    return format_html('<div class="note bad" role="alert">{}<div class="grow">{}</div></div>', icon("circle-x"), text)
