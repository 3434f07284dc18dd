"""Writes docs/reference/ from the code: settings, operations, errors. `manage.py verify --update` rewrites it, a test holds it fresh."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from django.conf import settings

from apps.access.levels import SENTENCES, Level
from apps.access.operation import operations
from apps.foundation import errors
from workspace.env import Env, Variable

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "reference"
HEAD = "<!-- Written by workspace/reference.py: change the code, then manage.py verify --update. -->\n"


def settings_page() -> str:
    """Every environment variable with its default and meaning."""
    rows = ["| Variable | Default | Meaning |", "|---|---|---|"]
    for variable in Env.variables():
        rows.append(f"| `{variable.name}` | {_default(variable)} | {variable.sentence} |")
    return _page("Settings", "Read from the environment when a process starts.", rows)


def operations_page() -> str:
    """Every operation with its level: the permission table, the audit vocabulary and the scopes of tokens at once."""
    for room in settings.INSTALLED_APPS:
        if find_spec(f"{room}.operations"):
            import_module(f"{room}.operations")
    import_module("workspace.urls")  # operations in files of their own come with the routes
    rows = ["| Level | Means |", "|---|---|", *(f"| {level.word} | {SENTENCES[level]} |" for level in Level), ""]
    rows += [
        "`own`: what is the actor's own, or anybody's for whoever manages the workspace. A token's scopes are `all`, `read`, a room's name "
        "(the part before the dot), or that with `:read`.",
        "",
        "| Operation | Needs | On | What it does |",
        "|---|---|---|---|",
    ]
    for name, item in sorted(operations.items()):
        rows.append(f"| `{name}` | {item.needs.word if item.needs else 'own'} | {item.on} | {item.summary} |")
    return _page("Operations and levels", "Everything that a person can change, in pages, API and doors alike.", rows)


def errors_page() -> str:
    """Every error code of our API with its status and meaning."""
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.BoathouseError)
    ]
    rows = ["| Code | Status | Meaning |", "|---|---|---|"]
    rows += [f"| `{kind.code}` | {kind.status} | {(kind.__doc__ or '').strip().splitlines()[0]} |" for kind in kinds]
    rows += [
        "",
        "Bodies are `application/problem+json`: `code`, `status`, `title`, `detail`; `fields` maps a field to its sentence.",
    ]
    return _page(
        "Errors", "What our API answers when something cannot be done. Codes are stable, sentences may improve.", rows
    )


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "operations.md": operations_page,
    "errors.md": errors_page,
}


def write() -> list[Path]:
    """Write every page; the files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, make in PAGES.items():
        (FOLDER / name).write_text(make())
    return [FOLDER / name for name in PAGES]


def _page(title: str, sentence: str, rows: list[str]) -> str:
    return "\n".join([HEAD, f"# {title}", "", sentence, "", *rows, ""])


def _default(variable: Variable[object]) -> str:
    if variable.shown:
        return variable.shown
    if callable(variable.default):
        return f"see {variable.name}"
    return f"`{variable.default}`" if variable.default not in ((), "") else "empty"
