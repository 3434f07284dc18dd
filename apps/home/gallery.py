"""What the component gallery (/ui/, development only) shows: every component in every state."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from apps.foundation.clock import now
from apps.foundation.pages import Filter, Token, parse_filter
from apps.foundation.paging import Page
from apps.foundation.templatetags.codes import parse_diff


@dataclass(frozen=True)
class Part:
    """One part of the gallery; its template is `home/ui/_<name>.html`."""

    name: str
    title: str
    lead: str

    @property
    def template(self) -> str:
        """The template that shows it."""
        return f"home/ui/_{self.name}.html"


PARTS = (
    Part("colour", "Colour", "Every value is a token with a light and a dark half."),
    Part("type", "Type", "Inter for words, JetBrains Mono for names a machine reads. 13 px is the working size."),
    Part("buttons", "Buttons and controls", "One primary per view. Sizes 30 and 24 px, 40 and 36 on touch."),
    Part("marks", "Marks", "Shape and word carry the meaning, colour repeats it."),
    Part("object", "An object", "The same head and rail on every kind of thing."),
    Part("table", "Table of things", "Filter grammar, sort, bulk bar, keyset paging. The same everywhere."),
    Part("menus", "Menus and copy", "Every action has a name, an icon and, where it is worth it, a key."),
    Part("empty", "Empty", "What it is, why one wants it, the shortest way to the first one."),
    Part("work", "Long work", "At once a row that says what happens, with progress, log and cancel."),
    Part("errors", "Errors", "What happened, what it means for your work, what to do."),
    Part("destructive", "Destructive things", "Say what goes, what breaks, how long it can be brought back."),
    Part("code", "Code", "Printed by the server with the classes of the editor."),
)
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
SWATCHES = (
    ("Surfaces and lines", "canvas sheet sunken raised overlay hover pressed selected line line-strong line-control"),
    ("Text and accent", "fg fg-muted fg-subtle fg-disabled accent accent-solid accent-soft accent-line focus"),
    ("Meaning", "ok-fg ok-bg ok-solid warn-fg warn-bg warn-solid bad-fg bad-bg bad-solid wait-fg wait-bg wait-solid"),
    ("Charts", "c1 c2 c3 c4 c5 c6 c7 c8 s1 s2 s3 s4 s5 s6 d1 d2 d3 d4 d5"),
)
KINDS = "repo notebook table feature experiment run model endpoint job folder inference"
STATES = "succeeded running queued failed lost canceled retrying ready degraded"
PEOPLE = ("Ines Marchetti", "Tomasz Wolny", "Priya Raman", "Jonas Lindqvist", "Amara Okafor", "Kofi Mensah")
GRAMMAR = (
    ("status:failed", "field has value"),
    ("metrics.val_rmse < 16", "compare, also > <= >= !="),
    ("name ~ heron", "contains, plain words mean the same"),
    ("created:>7d", "ages and dates"),
    ("-owner:priya", "not; parts are joined with and"),
)
ACTIONS = (
    ("external-link", "Open in new tab", "Ctrl ↵"),
    ("link", "Copy link", "y"),
    ("braces", "Copy API snippet", "Shift Y"),
)
# A moment of the day the design shows, so that the log reads the same whenever it is looked at.
CLOCK = datetime.datetime(2026, 8, 14, 9, 12, tzinfo=datetime.UTC)
LINES = (
    ("INFO", "reads main.flights.flights@v17, 190,133 rows"),
    ("WARN", "1,149 rows without a plane, kept with nulls"),
    ("ERROR", "KeyError: 'carier'"),
)


def gallery(request: HttpRequest) -> dict[str, Any]:
    """The context of the gallery page."""
    moment = now()
    return {
        "page_title": "Components",
        "parts": PARTS,
        "swatches": [(title, names.split()) for title, names in SWATCHES],
        "kinds": KINDS.split(),
        "stages": ["None", "Staging", "Production", "Archived"],
        "states": STATES.split(),
        "people": PEOPLE,
        "moments": [
            moment,
            moment - datetime.timedelta(minutes=51),
            moment - datetime.timedelta(hours=3),
            moment + datetime.timedelta(hours=5, minutes=1),
        ],
        "filter": parse_filter(request, ["status", "owner", "metrics.*"]),
        "hidden_by": Filter([Token("metrics.val_rmse", "<", "10", "metrics.val_rmse<10")], ""),
        "page": Page([1, 2, 3], "token"),
        "grammar": GRAMMAR,
        "actions": ACTIONS,
        "lines": [{"n": n, "at": CLOCK, "level": level, "text": text} for n, (level, text) in enumerate(LINES, 1)],
        "diff": parse_diff(PATCH)[0],
        "series": [4, 5, 3, 6, 7, 5, 8, 9, 7],
        "counts": [2, 5, 9, 14, 10, 6, 3, 1],
        "runs": [("succeeded", 40), ("failed", 12), ("succeeded", 44), ("succeeded", 61), ("running", 20)],
        "python": 'import mlflow\n\nmlflow.set_experiment("/routes/first")\nmlflow.autolog()\nmodel.fit(x, y)',
        "cli": "export MLFLOW_TRACKING_URI=$BOATHOUSE_URL\nexport MLFLOW_TRACKING_TOKEN=bh_…",
        "sql": "select carier, avg(arr_delay)\n--     ^^^^^^ line 1",
        "sample": "def train(months: list[int]) -> None:\n    # rows of the chosen months\n    rows = read(months)\n",
        "nothing": None,
        "errors": {"schema": "Only letters, digits and _"},
        "values": {"schema": "flights!"},
    }
