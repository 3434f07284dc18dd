"""Numbers and small drawings: formats, spark line, histogram, bars of last runs."""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from typing import Any

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

register = template.Library()
NULL = mark_safe('<span class="subtle">null</span>')


@register.filter
def number(value: Any, places: int | None = None) -> Any:
    """`336,776`; decimals by meaning (four significant digits) unless `places` says how many; real minus."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        try:
            value = float(value)
        except (TypeError, ValueError):
            return value
    if isinstance(value, float) and not math.isfinite(value):
        return {"inf": "∞", "-inf": "−∞"}.get(str(value), "NaN")
    if places is not None:
        text = f"{value:,.{int(places)}f}"
    elif isinstance(value, int) or (float(value).is_integer() and abs(value) < 1e15):
        text = f"{int(value):,}"
    else:
        size = abs(value)
        text = f"{value:,.0f}" if size >= 10000 else f"{value:.4g}" if 1e-4 <= size else f"{value:.3e}"
    return text.replace("-", "−")


@register.filter
def size(value: int | None) -> str:
    """Bytes for people: `1.4 MB`, powers of a thousand."""
    if value is None:
        return ""
    amount = float(value)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(amount) < 1000 or unit == "TB":
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1000
    return ""


@register.filter
def duration(value: float | datetime.timedelta | None) -> str:
    """Seconds or a time span: `0.2 s`, `14 s`, `1 m 04 s`, `2 h 05 m`, `3 d 4 h`."""
    if value is None or value == "":
        return ""
    seconds = value.total_seconds() if isinstance(value, datetime.timedelta) else float(value)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    whole = int(seconds)
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02} m"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


@register.filter
def percent(share: float | None, places: int = 0) -> str:
    """A share of one as `12 %`."""
    return "" if share is None else f"{share * 100:.{int(places)}f} %"


@register.filter
def short(text: Any, length: int = 7) -> str:
    """The first letters of a commit or an id."""
    return str(text or "")[: int(length)]


@register.filter
def plural(count: int | None, words: str) -> str:
    """`{{ n|plural:"row,rows" }}`: `1 row`, `336,776 rows`."""
    one, _, many = words.partition(",")
    return f"{count or 0:,} {one if count == 1 else many or one + 's'}"


@register.filter
def cell(value: Any) -> Any:
    """A value of a table as text: null is written, numbers as they are, long text shortened."""
    if value is None:
        return NULL
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return number(value) if not value.is_integer() else f"{value:g}".replace("-", "−")
    if isinstance(value, datetime.datetime):
        return (
            value.strftime("%Y-%m-%d %H:%M:%S")
            if value.second or value.microsecond
            else value.strftime("%Y-%m-%d %H:%M")
        )
    text = str(value)
    return text if len(text) <= 200 else text[:199] + "…"


@register.simple_tag
def spark(
    values: Sequence[float | None],
    w: int = 72,
    h: int = 18,
    color: str = "c1",
    label: str = "trend",
    area: bool = False,
    fluid: bool = False,
) -> SafeString:
    """A line small enough for a cell; None leaves a value out."""
    points = [(i, float(v)) for i, v in enumerate(values or ()) if v is not None and math.isfinite(float(v))]
    if len(points) < 2:
        return mark_safe("")
    low, high, last = min(v for _, v in points), max(v for _, v in points), len(values) - 1
    spread = (high - low) or 1
    path = [f"{1 + i * (w - 3) / last:.1f} {h - 2 - (v - low) / spread * (h - 4):.1f}" for i, v in points]
    ink = f"var(--{color})"
    fill = (
        format_html('<path d="M{}L{} {}L1 {}Z" fill="{}" opacity=".14"/>', "L".join(path), w - 2, h, h, ink)
        if area
        else ""
    )
    x, y = path[-1].split(" ")
    dot = "" if fluid else format_html('<circle cx="{}" cy="{}" r="1.8" fill="{}"/>', x, y, ink)
    return format_html(
        '<svg class="spark"{} height="{}" viewBox="0 0 {} {}" role="img" aria-label="{}">{}'
        '<path d="M{}" fill="none" stroke="{}" stroke-width="1.4" stroke-linejoin="round"{}/>{}</svg>',
        mark_safe(' preserveAspectRatio="none"') if fluid else format_html(' width="{}"', w), h, w, h, label, fill,
        "L".join(path), ink, mark_safe(' vector-effect="non-scaling-stroke"') if fluid else "", dot,
    )  # fmt: skip


@register.simple_tag
def hist(counts: Sequence[int], w: int = 96, h: int = 20, color: str = "c1", label: str = "distribution") -> SafeString:
    """The distribution of a column."""
    if not counts or max(counts) <= 0:
        return mark_safe("")
    top, step = max(counts), w / len(counts)
    bars = []
    for i, count in enumerate(counts):
        tall = max(1.0, count / top * (h - 1)) if count else 0
        bars.append((f"{i * step:.1f}", f"{h - tall:.1f}", f"{max(1, step - 1):.1f}", f"{tall:.1f}", f"var(--{color})"))
    inner = format_html_join("", '<rect x="{}" y="{}" width="{}" height="{}" rx=".5" fill="{}" opacity=".72"/>', bars)
    return format_html(
        '<svg class="hist" width="{}" height="{}" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>',
        w,
        h,
        w,
        h,
        label,
        inner,
    )


@register.simple_tag
def runbars(runs: Sequence[tuple[str, float]]) -> SafeString:
    """The last runs of a job, oldest first: (state, seconds); height is time, a failed one is hollow."""
    if not runs:
        return mark_safe('<span class="subtle">none yet</span>')
    longest = max((seconds or 0 for _, seconds in runs), default=0) or 1
    failed = sum(1 for state, _ in runs if state in ("failed", "lost"))
    bars = format_html_join(
        "",
        '<i class="{}" style="--h:{}%"></i>',
        (
            (
                "f" if s in ("failed", "lost") else "r" if s in ("running", "starting", "queued") else "",
                round(25 + 75 * (t or 0) / longest),
            )
            for s, t in runs
        ),
    )
    return format_html(
        '<span class="runbars" role="img" aria-label="last {} runs, {} failed">{}</span>', len(runs), failed, bars
    )


@register.simple_tag
def bar(value: float | None, low: float, high: float, best: bool = False, color: str = "c1") -> SafeString:
    """A number with its place in the visible range drawn beside it."""
    if value is None or not math.isfinite(value):
        return format_html("{}", number(value))
    share = 100 if high == low else round((value - low) / (high - low) * 100)
    return format_html(
        '<span class="bar{}" style="--v:{}%;--bc:var(--{})">{}</span>',
        " best" if best else "",
        max(4, min(100, share)),
        color,
        number(value),
    )


@register.filter
def after_dot(name: str) -> str:
    """The last part of a dotted name."""
    return name.rpartition(".")[2]


@register.filter
def before_dot(name: str) -> str:
    """What a dotted name says before its last part."""
    return name.rpartition(".")[0]


@register.filter
def entry(mapping: Any, key: str) -> Any:
    """The value under a key of a mapping; None without one."""
    return mapping.get(key)


@register.filter
def is_value(one: Any, other: Any) -> bool:
    """Whether two values are equal and there."""
    return one is not None and one == other
