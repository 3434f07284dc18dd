"""`{% load repos %}`: two-sided differences, the lines beside a history, blame."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from pygments.lexers.special import TextLexer

from apps.foundation.clock import now
from apps.foundation.templatetags.codes import highlight, lexer_for
from apps.repos.diffs import Side
from apps.repos.graph import Node
from apps.repos.sidebyside import Row, Shown, icon_of

register = template.Library()
LANE = 12  # pixels
BLANK = mark_safe('<td class="ln void"></td><td class="cd void"></td>')


@register.simple_tag
def sides(shown: Shown, base: str = "") -> SafeString:
    """A file's rows as a two-sided table; with `base` each line carries its anchor for comments."""
    return _table(shown.rows, shown.file.path, f"Changes in {shown.file.path}", shown.is_plain, base)


@register.simple_tag
def cell_sides(rows: list[Row], language: str, number: int) -> SafeString:
    """A notebook cell's source as a two-sided table."""
    ending = {"python": "py", "sql": "sql", "r": "r", "scala": "scala"}.get(language.lower(), "txt")
    return _table(rows, f"cell.{ending}", f"Changes in cell {number}")


def _table(rows: Iterable[Row], filename: str, label: str, plain: bool = False, base: str = "") -> SafeString:
    lexer = TextLexer(ensurenl=False) if plain else lexer_for(filename=filename)
    body = mark_safe("".join(_row(row, lexer, base) for row in rows))
    return format_html(
        '<table class="diff" aria-label="{}"><colgroup><col class="ln"><col><col class="ln"><col></colgroup><tbody>{}</tbody></table>',
        label,
        body,
    )


def _row(row: Row, lexer: Any, base: str) -> str:
    if row.heading:
        return format_html('<tr class="hunk"><td colspan="4">{}</td></tr>', row.heading)
    anchor: Any = ""
    if base:
        side, number = ("-", row.left.number) if row.right.kind == "void" else ("+", row.right.number)
        anchor = format_html(' data-line="{}:{}"', side, number)
    return format_html(
        "<tr{}{}>{}{}</tr>",
        mark_safe(' class="same"') if row.left.kind == row.right.kind == "same" else "",
        anchor, _half(row.left, lexer), _half(row.right, lexer),
    )  # fmt: skip


def _half(side: Side, lexer: Any) -> SafeString:
    if side.kind == "void":
        return BLANK
    tone = {"add": " add", "del": " del"}.get(side.kind, "")
    code = _marked(side, lexer, "addw" if side.kind == "add" else "delw") if side.marks else highlight(side.text, lexer)
    return format_html('<td class="ln{}">{}</td><td class="cd{}"><code>{}</code></td>', tone, side.number, tone, code)


def _marked(side: Side, lexer: Any, mark: str) -> SafeString:
    """The highlighted line with its changed words marked: each stretch is coloured by itself."""
    out, at = [], 0
    for start, end in side.marks:
        out.append(highlight(side.text[at:start], lexer) if start > at else "")
        out.append(format_html('<span class="{}">{}</span>', mark, highlight(side.text[start:end], lexer)))
        at = end
    out.append(highlight(side.text[at:], lexer) if at < len(side.text) else "")
    return mark_safe("".join(out))


@register.simple_tag
def lanes(node: Node | None, count: int) -> SafeString:
    """The drawing beside one commit of a list: `count` lanes wide, as tall as its row."""
    if node is None:
        return mark_safe("")
    wide = count * LANE
    lines = [_line(one, 0, other, 50) for one, other in node.above] + [
        _line(one, 50, other, 100) for one, other in node.below
    ]
    return format_html(
        '<span class="glanes" style="--lanes:{}" aria-hidden="true"><svg viewBox="0 0 {} 100" preserveAspectRatio="none">{}</svg><i class="{}" style="--at:{}"></i></span>',
        count, wide, mark_safe("".join(lines)), "merge" if node.is_merge else "", node.lane,
    )  # fmt: skip


def _line(one: int, top: int, other: int, bottom: int) -> str:
    x1, x2 = one * LANE + LANE / 2, other * LANE + LANE / 2
    middle = (top + bottom) / 2
    tone = max(one, other) % 6 + 1
    return f'<path class="g{tone}" d="M{x1:g} {top}C{x1:g} {middle:g} {x2:g} {middle:g} {x2:g} {bottom}"/>'


@register.simple_tag
def blamed(stretches: list[Any], filename: str, here: str) -> SafeString:
    """A file with who last changed each line in its margin; `here` is the address of the commits page."""
    text = "\n".join(line for stretch in stretches for line in stretch.lines)
    lines = highlight(text, lexer_for(filename=filename)).split("\n")
    rows, at = [], 0
    for stretch in stretches:
        count = len(stretch.lines)
        who = format_html(
            '<th scope="row" class="who" rowspan="{}"><a class="plain" href="{}?commit={}" title="{}"><b class="clip">{}</b><span class="subtle num">{}</span></a></th>',
            count, here, stretch.origin.sha, f"{stretch.origin.subject} ({stretch.origin.short})", stretch.origin.subject,
            f"{stretch.origin.author_name.split('@')[0]}, {stretch.origin.at:%-d %b %Y}" if stretch.origin.at else stretch.origin.author_name,
        )  # fmt: skip
        for step in range(count):
            first = mark_safe(' class="first"') if step == 0 else ""
            rows.append(
                format_html(
                    '<tr{}>{}<td class="ln">{}</td><td class="cd"><code>{}</code></td></tr>',
                    first,
                    who if step == 0 else "",
                    stretch.number + step,
                    mark_safe(lines[at]) if at < len(lines) else "",
                )  # fmt: skip
            )
            at += 1
    return format_html(
        '<div class="scroll-x" tabindex="0" role="region" aria-label="{}"><table class="blame"><tbody>{}</tbody></table></div>',
        f"{filename}, line by line", mark_safe("".join(rows)),
    )  # fmt: skip


@register.filter
def file_icon(path: str) -> str:
    """The name of the icon for a file of this name."""
    return icon_of(path)


@register.filter
def last_part(path: str) -> str:
    """The name at the end of a path."""
    return path.rpartition("/")[2]


@register.filter
def folder_part(path: str) -> str:
    """The path without its name, with the slash."""
    return path[: len(path) - len(last_part(path))]


@register.filter
def day(value: Any) -> str:
    """A day as the head of a list: 12 August, with the year when it is another one; words stay."""
    if not isinstance(value, date):
        return str(value or "")
    return f"{value:%-d %B}" if value.year == now().year else f"{value:%-d %B %Y}"
