"""Line charts printed by the server: axes, grid, one line per series with its name at the end."""

from __future__ import annotations

import math
from collections.abc import Sequence

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from apps.foundation.templatetags.figures import number

register = template.Library()
DASHES = ("", "6 3", "2 2", "8 3 2 3")
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 10, 22
Points = Sequence[tuple[float, float]]


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers that cover a range, about `count` of them."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return []
    if low == high:
        low, high = low - abs(low) * 0.1 - 0.5, high + abs(high) * 0.1 + 0.5
    rough = (high - low) / max(1, count - 1)
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    first = math.floor(low / step)
    found = [step * (first + i) for i in range(2 * count + 3)]
    last = next(i for i, value in enumerate(found) if value >= high - step * 1e-9)
    return [round(value, 12) for value in found[: last + 1]]


@register.simple_tag
def linechart(series: Sequence[tuple[str, Points]], label: str, w: int = 460, h: int = 190) -> SafeString:
    """`series` is (name, [(x, y), …]); lines differ in colour and dash; `label` says what is to be seen."""
    lines = [(name, [(x, y) for x, y in points if math.isfinite(y)]) for name, points in series]
    lines = [(name, points) for name, points in lines if points]
    if not lines:
        return mark_safe('<p class="muted pad-s">No numbers to draw.</p>')
    xs = [x for _, points in lines for x, _ in points]
    ys = ticks(min(y for _, points in lines for _, y in points), max(y for _, points in lines for _, y in points))
    x0, x1 = min(xs), max(xs)
    y0, y1 = ys[0], ys[-1]

    def at_x(x: float) -> float:
        return LEFT + (x - x0) / ((x1 - x0) or 1) * (w - LEFT - RIGHT)

    def at_y(y: float) -> float:
        return h - BOTTOM - (y - y0) / ((y1 - y0) or 1) * (h - TOP - BOTTOM)

    grid = format_html_join(
        "",
        '<path d="M{} {}H{}" stroke="var(--chart-grid)"/><text x="{}" y="{}" text-anchor="end">{}</text>',
        ((LEFT, f"{at_y(y):.1f}", w - RIGHT, LEFT - 6, f"{at_y(y) + 3.5:.1f}", number(y)) for y in ys),
    )
    marks = [x for x in ticks(x0, x1) if x0 <= x <= x1] if x1 > x0 else [x0]
    feet = format_html_join(
        "",
        '<text x="{}" y="{}" text-anchor="middle">{}</text>',
        ((f"{at_x(x):.1f}", h - 6, number(x)) for x in marks),
    )
    drawn = format_html_join(
        "",
        '<path d="M{}" fill="none" stroke="var(--c{})" stroke-width="1.8" stroke-linejoin="round" stroke-dasharray="{}"/>{}',
        (
            (
                "L".join(f"{at_x(x):.1f} {at_y(y):.1f}" for x, y in points),
                i % 8 + 1,
                DASHES[i % 4],
                format_html(
                    '<circle cx="{}" cy="{}" r="2.4" fill="var(--c{})"/>',
                    f"{at_x(points[-1][0]):.1f}",
                    f"{at_y(points[-1][1]):.1f}",
                    i % 8 + 1,
                ),
            )
            for i, (_, points) in enumerate(lines)
        ),
    )
    return format_html(
        '<svg class="linechart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}{}</svg>',
        w,
        h,
        label,
        grid,
        feet,
        drawn,
    )
