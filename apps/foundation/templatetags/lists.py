"""Lists and addresses: links with changed parameters, sort heads, saved views, filter bar, pager."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import template
from django.http import QueryDict
from django.template import Context
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from apps.foundation.templatetags.marks import icon

register = template.Library()
POSITION = ("page_token", "trail")  # what a new filter, order or size starts over
TRAIL = 12  # pages one can go back; more would make the address too long


@register.simple_tag(takes_context=True)
def page_url(context: Context, route: str, **kwargs: Any) -> str:
    """The address of a page of this workspace: `{% page_url "jobs:detail" job_id=job.pk as href %}`."""
    return reverse(route, kwargs={"workspace": context["request"].actor.workspace.name, **kwargs})


def _changed(query: QueryDict, changes: Mapping[str, Any]) -> str:
    new = query.copy()
    for name, value in changes.items():
        if value in (None, ""):
            new.pop(name, None)
        elif isinstance(value, list):
            new.setlist(name, value)
        else:
            new[name] = str(value)
    return "?" + new.urlencode()


@register.simple_tag(takes_context=True)
def query_url(context: Context, **changes: Any) -> str:
    """This address with some parameters changed; None takes one away. A changed list starts at its first page."""
    start_over = {} if "page_token" in changes else dict.fromkeys(POSITION)
    return _changed(context["request"].GET, {**start_over, **changes})


@register.simple_tag(takes_context=True)
def sort(context: Context, name: str, label: str, cls: str = "", default: str = "") -> SafeString:
    """The head of a column that can be sorted: writes `order=name` or `order=-name`; `default` is the order without one."""
    order = context["request"].GET.get("order", default)
    down, here = order == f"-{name}", order.lstrip("-") == name
    direction = "descending" if down else "ascending"
    url = query_url(context, order=name if down or not here else f"-{name}")
    return format_html(
        '<th scope="col"{}{}><a class="sort plain" href="{}">{}{}</a></th>',
        format_html(' class="{}"', cls) if cls else "", format_html(' aria-sort="{}"', direction) if here else "", url, label,
        icon("arrow-down" if down else "arrow-up") if here else "",
    )  # fmt: skip


@register.simple_tag(takes_context=True)
def pager(
    context: Context, page: Any, total: int | None = None, noun: str = "row,rows", about: bool = False
) -> SafeString:
    """Below a list: how many are shown, of how many when that is known, and Previous, Next. Takes the Page of foundation/paging."""
    query = context["request"].GET
    here, trail = query.get("page_token", ""), [part for part in query.get("trail", "").split("~") if part]
    shown = len(page.items)
    one, _, many = noun.partition(",")
    text = f"{shown:,} {one if shown == 1 else many}"
    if total is not None:
        text += f" of {'about ' if about else ''}{total:,}"
    previous = (
        _changed(query, {"page_token": None if trail[-1] == "-" else trail[-1], "trail": "~".join(trail[:-1])})
        if trail
        else ""
    )
    following = (
        _changed(query, {"page_token": page.next_token, "trail": "~".join([*trail, here or "-"][-TRAIL:])})
        if page.next_token
        else ""
    )
    if not previous and here:
        previous = _changed(query, dict.fromkeys(POSITION))
    links: Any = ""
    if previous or following:
        left = format_html("{}{}", icon("arrow-left", "s"), "Previous" if trail or not here else "First page")
        right = format_html("Next{}", icon("arrow-right", "s"))
        off = mark_safe('<span class="btn sm" aria-disabled="true">{}</span>')
        links = format_html(
            '<nav class="btngroup" aria-label="Pages">{}{}</nav>',
            format_html('<a class="btn sm" href="{}" rel="prev">{}</a>', previous, left)
            if previous
            else format_html(off, left),
            format_html('<a class="btn sm" href="{}" rel="next">{}</a>', following, right)
            if following
            else format_html(off, right),
        )
    return format_html('<div class="pager"><span>{}</span><span class="end row">{}</span></div>', text, links)


@register.simple_tag(takes_context=True)
def views(context: Context, items: list[tuple[str, str, int | None]]) -> SafeString:
    """Ways to look at the list, as links: (label, filter text such as `status:failed`, count or None)."""
    current = " ".join([*context["request"].GET.getlist("f"), context["request"].GET.get("q", "")]).strip()
    rows = (
        (
            _changed(context["request"].GET, {**dict.fromkeys(POSITION), "q": None, "f": text.split() or None}),
            mark_safe(' aria-current="true"') if text == current else "",
            label,
            format_html('<span class="count">{}</span>', count) if count is not None else "",
        )
        for label, text, count in items
    )
    return format_html(
        '<nav class="views" aria-label="Views">{}</nav>', format_html_join("", '<a href="{}"{}>{}{}</a>', rows)
    )


@register.simple_block_tag(takes_context=True)
def filterbar(context: Context, content: str, filter: Any, placeholder: str = "") -> SafeString:
    """The filter of a list: finished tokens with a cross, then free text; the block holds buttons at its right. Takes a Filter of foundation/pages."""
    query: QueryDict = context["request"].GET
    texts = [token.text for token in filter.tokens]
    tokens = format_html_join(
        "",
        '<span class="tok{}"{}><i>{}</i><u>{}</u>{}<a class="tokx" href="{}" aria-label="Remove {}">×</a></span>',
        (
            (
                "" if token.known else " bad",
                "" if token.known else mark_safe(' title="There is no such field here"'),
                ("−" if token.negated else "") + token.name,
                token.operator,
                token.value,
                _changed(
                    query,
                    {**dict.fromkeys(POSITION), "q": filter.words, "f": [t for t in texts if t != token.text] or None},
                ),
                token.text,
            )
            for token in filter.tokens
        ),
    )
    kept = format_html_join("", '<input type="hidden" name="f" value="{}">', ((text,) for text in texts))
    others = format_html_join(
        "",
        '<input type="hidden" name="{}" value="{}">',
        ((k, v) for k, v in query.items() if k not in ("f", "q", *POSITION)),
    )
    return format_html(
        '<form class="filterbar" role="search" method="get">{}{}<div class="query">{}{}<input type="text" name="q" value="{}" placeholder="{}" aria-label="Filter, field:value"></div>{}</form>',
        kept, others, icon("list-filter", "s"), tokens, filter.words, "" if filter.tokens else placeholder, content,
    )  # fmt: skip


@register.simple_tag(takes_context=True)
def nothing_found(context: Context, filter: Any, noun: str) -> SafeString:
    """The line of a list that is empty because of its filter: says so and offers to take it away."""
    query: QueryDict = context["request"].GET
    clear = _changed(query, {**dict.fromkeys(POSITION), "q": None, "f": None})
    texts = ", ".join([*(token.text for token in filter.tokens), *([filter.words] if filter.words else [])])
    return format_html(
        '<div class="card pad-s row wrap" role="status"><span class="subtle">{}</span><span><b>No {} matches.</b> <span class="muted">Others are hidden by</span> <code>{}</code></span><a class="link" href="{}">Clear the filter</a></div>',
        icon("search-x"), noun, texts, clear,
    )  # fmt: skip


@register.simple_tag(takes_context=True)
def rail_state(context: Context, kind: str) -> str:
    """Whether this person keeps the rail of such pages open or closed."""
    return "closed" if context["request"].COOKIES.get(f"rail_{kind}") == "closed" else "open"


@register.simple_tag
def log_tone(level: str | None) -> SafeString:
    """The class of a log line: errors and warnings stand out."""
    word = (level or "").upper()
    tone = "e" if word.startswith(("ERROR", "CRITICAL", "FATAL")) else "w" if word.startswith("WARN") else ""
    return format_html(' class="{}"', tone) if tone else mark_safe("")


@register.simple_tag
def log_end(lines: Any) -> int:
    """The number of the last line of a log, 0 without any."""
    last = list(lines or [])[-1:]
    return (last[0]["n"] if isinstance(last[0], dict) else last[0].n) if last else 0


@register.filter
def clock(moment: Any) -> str:
    """The time of day of a log line, UTC."""
    return f"{moment:%H:%M:%S}" if hasattr(moment, "strftime") else str(moment or "")[11:19]
