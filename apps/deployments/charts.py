"""An endpoint's charts as data: rate, latency and errors over one time cursor, with what changed as marks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from apps.deployments.minutes import Minute
from apps.deployments.models import Endpoint
from apps.foundation.clock import to_millis

# in the address: (minutes, words)
WINDOWS = {"15m": (15, "15 min"), "1h": (60, "1 h"), "24h": (24 * 60, "24 h"), "7d": (7 * 24 * 60, "7 d")}
DEFAULT = "1h"
MARKS_MAX = 12


def charts(endpoint: Endpoint, rows: Sequence[Minute]) -> list[tuple[str, str, dict[str, Any]]]:
    """Title, finding in words and data of each chart."""
    marks = marks_of(endpoint, rows[0].at)
    # the newest step has only begun
    whole = list(rows[:-1]) or list(rows)
    times = [row.at * 60_000 for row in whole]
    busiest = max((row.requests / (60 * row.span) for row in whole), default=0)
    slowest = max((value for row in whole if (value := row.quantile(0.99))), default=None)
    failed = sum(row.errors for row in whole)
    refused = sum(row.refused for row in whole)

    def line(
        name: str, values: Sequence[float | None], color: int, dash: int = 0, area: bool = False
    ) -> dict[str, Any]:
        points = [list(pair) for pair in zip(times, values, strict=True)]
        return {"name": name, "points": points, "color": color, "dash": dash, "area": area}

    rate = [round(row.requests / (60 * row.span), 3) for row in whole]
    shared = {"x": {"type": "time"}, "group": f"endpoint-{endpoint.pk}", "marks": marks}
    latency = [
        line(f"p{round(share * 100)}", [row.quantile(share) for row in whole], color, dash)
        for share, color, dash in ((0.5, 3, 0), (0.95, 4, 1), (0.99, 2, 2))
    ]
    kinds = [line("refused", [row.refused for row in whole], 2), line("failed", [row.errors for row in whole], 5)]
    return [
        (
            "Requests",
            f"at most {busiest:.2g} a second",
            {**shared, "y": {"name": "per second", "zero": True}, "series": [line("requests", rate, 1, area=True)]},
        ),
        (
            "Latency",
            f"p99 at most {slowest:.3g} ms" if slowest else "no requests",
            {**shared, "y": {"name": "ms", "zero": True}, "series": latency},
        ),
        (
            "Errors",
            f"{refused:,} refused, {failed:,} failed",
            {**shared, "type": "bar", "stack": True, "y": {"name": "requests", "zero": True}, "series": kinds},
        ),
    ]


def marks_of(endpoint: Endpoint, first_minute: int) -> list[dict[str, Any]]:
    """When another version came into traffic and when the configuration changed, since a minute."""
    since = datetime.fromtimestamp(first_minute * 60, UTC)
    found = [
        {"x": to_millis(served.valid_from), "label": f"v{served.model_version} serves", "tone": "ok"}
        for served in endpoint.served.filter(valid_from__gte=since).order_by("-valid_from")[:MARKS_MAX]
    ]
    found += [
        {"x": to_millis(config.valid_from), "label": f"configuration {config.number}", "tone": "wait"}
        for config in endpoint.configs.filter(valid_from__gte=since, number__gt=1).order_by("-valid_from")[:MARKS_MAX]
    ]
    return sorted(found, key=lambda mark: int(mark["x"] or 0))[-MARKS_MAX:]
