"""What the component gallery (/ui/, development only) shows: every component in every state."""

from __future__ import annotations

import datetime
from typing import Any

from django.http import HttpRequest

from apps.foundation.clock import now
from apps.foundation.pages import Frame, Tab, parse_filter
from apps.foundation.paging import Page
from apps.foundation.templatetags.codes import FileDiff, parse_diff

PATCH = """diff --git a/train.py b/train.py
--- a/train.py
+++ b/train.py
@@ -10,4 +10,5 @@ def train(months):
 rows = boathouse.read_table("main.flights.flights")
-model = Ridge(alpha=1.0)
+model = Ridge(alpha=0.5)
+mlflow.log_param("alpha", 0.5)
 model.fit(x, y)
"""


def _diff() -> FileDiff:
    return parse_diff(PATCH)[0]


def gallery(request: HttpRequest) -> dict[str, Any]:
    """The context of the gallery page."""
    moment = now()
    lines = [
        {"n": 1, "at": moment, "level": "INFO", "text": "reads main.flights.flights@v17, 190,133 rows"},
        {"n": 2, "at": moment, "level": "WARN", "text": "1,149 rows without a plane, kept with nulls"},
        {"n": 3, "at": moment, "level": "ERROR", "text": "KeyError: 'carier'"},
    ]
    return {
        "page_title": "Components",
        "frame": Frame(
            "model",
            "arrival_delay",
            [("Models", "/ui/"), ("main.flights", None)],
            [Tab("Versions", "/ui/", 7, True), Tab("Activity", "/ui/?t=activity")],
            copy=[("Path", "models:/main.flights.arrival_delay@champion")],
            snippets={
                "Python": "import mlflow\nmlflow.pyfunc.load_model('models:/arrival_delay/7')",
                "CLI": "mlflow models serve",
            },
        ),
        "filter": parse_filter(request, ["status", "owner", "metrics.*"]),
        "page": Page([1, 2, 3], "token"),
        "stages": ["None", "Staging", "Production", "Archived"],
        "states": ["succeeded", "running", "queued", "failed", "lost", "canceled", "retrying", "ready", "degraded"],
        "kinds": [
            "repo",
            "notebook",
            "table",
            "feature",
            "experiment",
            "run",
            "model",
            "endpoint",
            "job",
            "folder",
            "inference",
        ],
        "surfaces": [
            "canvas",
            "sheet",
            "sunken",
            "raised",
            "overlay",
            "hover",
            "pressed",
            "selected",
            "line",
            "line-strong",
            "line-control",
        ],
        "inks": [
            "fg",
            "fg-muted",
            "fg-subtle",
            "fg-disabled",
            "accent",
            "accent-solid",
            "accent-soft",
            "accent-line",
            "focus",
        ],
        "tones": [
            "ok-fg",
            "ok-bg",
            "ok-solid",
            "warn-fg",
            "warn-bg",
            "warn-solid",
            "bad-fg",
            "bad-bg",
            "bad-solid",
            "wait-fg",
            "wait-bg",
            "wait-solid",
        ],
        "moments": [
            moment,
            moment - datetime.timedelta(minutes=51),
            moment - datetime.timedelta(days=12),
            moment + datetime.timedelta(hours=5),
        ],
        "lines": lines,
        "diff": _diff(),
        "series": [4, 5, 3, 6, 7, 5, 8, 9, 7],
        "counts": [2, 5, 9, 14, 10, 6, 3, 1],
        "runs": [("succeeded", 40), ("failed", 12), ("succeeded", 44), ("succeeded", 61), ("running", 20)],
        "python": 'import mlflow\n\nmlflow.set_experiment("/routes/first")\nmlflow.autolog()\nmodel.fit(x, y)',
        "cli": "export MLFLOW_TRACKING_URI=$BOATHOUSE_URL\nexport MLFLOW_TRACKING_TOKEN=bh_…",
        "sql": "select carier, avg(arr_delay)\n--     ^^^^^^ line 1",
        "sample": "def train(months: list[int]) -> None:\n    # rows of the chosen months\n    rows = read(months)\n    return None\n",
        "errors": {"schema": "Only letters, digits and _"},
        "values": {"schema": "flights!"},
    }
