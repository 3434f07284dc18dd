"""`{% load experiments %}`: cells and heads of the run table, its addresses, numbers beside a baseline."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django import template
from django.template import Context
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from apps.experiments.cells import Cell
from apps.experiments.columns import Column
from apps.experiments.language import Part, Query
from apps.experiments.table import TableRow
from apps.foundation.clock import now
from apps.foundation.templatetags.figures import duration, number, spark
from apps.foundation.templatetags.lists import pager, query_url
from apps.foundation.templatetags.marks import ago, avatar, chip, icon, status

register = template.Library()
CROWN = '<span class="crown" title="The best run of this experiment">{}<span class="vh">best of all</span></span>'


@register.simple_tag(takes_context=True)
def run_url(context: Context, run: str) -> str:
    """The address of a run's page."""
    return reverse("experiments:run", kwargs={"workspace": context["request"].actor.workspace.name, "run_id": run})


@register.simple_tag(takes_context=True)
def below(context: Context, path: str) -> str:
    """An address below this workspace."""
    return f"/w/{context['request'].actor.workspace.name}/{path}"


@register.simple_tag(takes_context=True)
def kept_inputs(context: Context, *names: str) -> SafeString:
    """Hidden fields for these parameters of the address."""
    query = context["request"].GET
    pairs = ((name, value) for name in names for value in query.getlist(name) if value)
    return format_html_join("", '<input type="hidden" name="{}" value="{}">', pairs)


@register.simple_tag(takes_context=True)
def without_part(context: Context, query: Query, part: Part) -> str:
    """This address without one part of its search."""
    texts = [other.text for other in query.parts if other != part]
    return query_url(context, f=texts or None, q=query.words or None)


@register.simple_tag(takes_context=True)
def flip_order(context: Context, order: str, name: str) -> str:
    """This address ordered by a column, the other way round when it already is."""
    return query_url(context, order=name if order == f"-{name}" else f"-{name}")


@register.simple_tag
def order_arrow(order: str, name: str) -> SafeString:
    """Which way a column is ordered, when it is."""
    if order.lstrip("-") != name:
        return mark_safe("")
    return format_html('<span class="end">{}</span>', icon("arrow-down" if order.startswith("-") else "arrow-up", "s"))


@register.simple_tag
def order_label(order: str) -> str:
    """`: created` for the button that says how the table is ordered."""
    name = order.lstrip("-")
    return f": {'created' if name == 'start_time' else name.partition('.')[2] or name}"


@register.simple_tag(takes_context=True)
def column_head(context: Context, column: Column, first: bool, order: str) -> SafeString:
    """The head of a column; a link that orders by it, where that can be."""
    figures = context.get("figures") or {}
    known = figures.get(column.id)
    classes = " ".join(
        name
        for name, on in (
            ("n", column.id in figures or column.id == "duration"),
            ("sep", first and column.group != "run"),
        )
        if on
    )
    cls = format_html(' class="{}"', classes) if classes else ""
    if known and known.high > known.low:
        cls = format_html('{} data-low="{}" data-high="{}"', cls, repr(known.low), repr(known.high))
    if not column.order:
        return format_html('<th scope="col" data-column="{}"{}>{}</th>', column.id, cls, column.label)
    here = order.lstrip("-") == column.order
    down = order == f"-{column.order}"
    mark = icon("arrow-down" if down else "arrow-up") if here else ""
    return format_html(
        '<th scope="col" data-column="{}"{}{}><a class="sort plain" href="{}" title="{}">{}{}</a></th>',
        column.id, cls, format_html(' aria-sort="{}"', "descending" if down else "ascending") if here else "",
        flip_order(context, order, column.order), column.key or column.label, column.label, mark,
    )  # fmt: skip


@register.simple_tag(takes_context=True)
def run_cell(context: Context, row: TableRow, cell: Cell) -> SafeString:
    """One cell of the run table."""
    sep = mark_safe(" sep") if cell.first else ""
    crown = format_html(CROWN, icon("crown")) if cell.crown else ""
    if cell.kind == "bar":
        return format_html(
            '<td class="n{}">{}<span class="bar{}" style="--v:{}%;--bc:var(--{})">{}</span></td>',
            sep, crown, " best" if cell.best else "", cell.share, cell.ink, number(cell.value),
        )  # fmt: skip
    if cell.kind == "mono":
        return format_html('<td class="t12 clip colcell{}">{}</td>', sep, "" if cell.value is None else cell.value)
    if cell.kind == "number":
        shown = cell.value if isinstance(cell.value, str) else number(cell.value)
        return format_html('<td class="n{}">{}{}</td>', sep, crown, shown if cell.value is not None else "")
    if cell.kind == "none":
        return format_html('<td class="n{}"><span class="subtle">{}</span></td>', sep, "no value" if cell.extra else "")
    if cell.kind == "trend":
        return format_html('<td class="{}">{}</td>', sep, spark(cell.value or (), color=cell.ink, label="by step"))
    return format_html("<td{}>{}</td>", *_fact(row, cell))


def _fact(row: TableRow, cell: Cell) -> tuple[Any, Any]:
    if cell.kind == "status":
        return "", status(row.status, False)
    if cell.kind == "created":
        return mark_safe(' class="muted"'), ago(row.started_at)
    if cell.kind == "duration":
        if row.running:
            seconds = max(0.0, (now() - row.started_at).total_seconds())
            return mark_safe(' class="n"'), format_html('<span class="accent">{}</span>', duration(seconds))
        return mark_safe(' class="n muted"'), duration(row.seconds)
    if cell.kind == "user":
        who = row.person or row.user
        return "", avatar(who) if who else ""
    if cell.kind == "commit":
        return mark_safe(' class="mono muted t12"'), str(cell.value or "")[:7]
    if cell.kind == "data":
        shown = format_html_join(
            " ",
            '<a class="plain" href="{}" title="{}">{} <b class="med">v{}</b></a>',
            ((url, r.name, r.name.rpartition(".")[2], r.version) for r, url in cell.value),
        )
        return mark_safe(' class="muted t12 nowrap"'), format_html(
            "{}{}", shown, f" +{cell.extra}" if cell.extra else ""
        )
    return mark_safe(' class="muted t12 clip colcell"'), "" if cell.value is None else cell.value


@register.simple_tag(takes_context=True)
def run_pager(context: Context, page: Any, total: int, everything: bool, noun: str = "run,runs") -> SafeString:
    """The pager of runs. With a search the total is counted after the page has come, because counting may take longer than the page."""
    if everything and context["wish"].stage == "active":
        return pager(context, page, total, noun)
    whole = pager(context, page, None, noun)
    return mark_safe(whole.replace("</span>", '<span data-count=""></span></span>', 1))


@register.simple_tag
def if_best(value: Any, columns: Sequence[tuple[Column, float | None]], place: int) -> SafeString:
    """The class of the best mean of a column of groups."""
    return mark_safe(' class="med"') if value is not None and columns[place][1] == value else mark_safe("")


@register.simple_tag
def delta(value: float | None, good: int = 0) -> SafeString:
    """A change beside a number: sign, size, and colour where it is known which way is good."""
    if value is None:
        return mark_safe("")
    tone = {1: "ok", -1: "bad"}.get(good, "muted")
    text = "±0" if value == 0 else f"{'+' if value > 0 else '−'}{number(abs(value))}"
    return format_html('<span class="{} t12 nowrap">{}</span>', tone, text)


@register.simple_tag
def thing_chip(reading: Any, href: str = "") -> SafeString:
    """What was read, with its version; what one may not see says so."""
    if reading.redacted:
        return format_html('<span class="row tight muted">{}1 object you may not see</span>', icon("lock", "s"))
    return chip("table" if reading.kind == "table_version" else reading.kind, reading.name, href)


@register.filter
def folder_of(path: str) -> str:
    """The folder that a path lies in."""
    return path.rpartition("/")[0] or "/"


@register.simple_tag(takes_context=True)
def curve_url(context: Context, run: str, keys: Sequence[str]) -> str:
    """The address of metrics of a run as JSON."""
    place = reverse("experiments:curve", kwargs={"workspace": context["request"].actor.workspace.name, "run_id": run})
    return f"{place}?{urlencode([('key', key) for key in keys])}"


@register.filter
def json_inside(value: Any) -> SafeString:
    """A value as the JSON script element that an island reads."""
    return format_html('<script type="application/json">{}</script>', mark_safe(_json(value)))


def _json(value: Any) -> str:
    return json.dumps(value).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@register.filter
def has(mapping: Any, key: str) -> bool:
    """Whether a mapping has a key."""
    return key in mapping


@register.filter
def model_state(state: str) -> str:
    """The state of a logged model in a word."""
    return state.removeprefix("LOGGED_MODEL_").replace("_", " ").capitalize()


@register.filter
def ink(place: int) -> int:
    """The number of a run's colour."""
    return place % 8 + 1


@register.filter
def dash(place: int) -> int:
    """The number of a run's dash."""
    return place % 4


@register.filter
def hexes(rows: Sequence[Any], without: str = "") -> list[str]:
    """The ids of runs, without one."""
    return [row.hex for row in rows if row.hex != without]


@register.simple_tag
def diff_cell(cell: Any, first: bool, plain: bool = False) -> SafeString:
    """A value beside the baseline's: marked where it differs; numbers with their change."""
    shown = "none" if cell.value is None else number(cell.value) if isinstance(cell.value, float) else cell.value
    cls = "" if first or plain else "chg" if cell.differs else "same"
    change = delta(cell.delta, cell.good) if not first and cell.delta else ""
    subtle = format_html('<span class="subtle">{}</span>', shown) if cell.value is None else shown
    return format_html('<td class="mono t12 clip colcell {}" title="{}">{} {}</td>', cls, shown, subtle, change)
