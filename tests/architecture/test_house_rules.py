"""The house's rules, as lints whose message says what to do instead."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
APPS = ROOT / "apps"
ROOMS = sorted(path.name for path in APPS.iterdir() if (path / "__init__.py").exists())
EDGE = ("api.py", "pages.py", "sockets.py", "shapes.py")
FOUNDATION = {"errors", "ids", "clock", "paging", "api", "pages", "http", "templatetags", "apps"}
JUNK = {"core", "common", "utils", "helpers", "misc", "base"}
DOORS = ("mlflow_api", "databricks_api")
# One outside engine, one door.
ENGINES = {
    "deltalake": ("apps/tables/delta.py", "apps/tables/delta/"),
    "duckdb": ("apps/tables/sql.py",),
    "git": ("apps/repos/git.py", "apps/repos/git/"),
    "guardian": ("apps/access/grants.py", "apps/access/models/grants.py"),
    "pickle": ("apps/sandbox/guest/",),
    "joblib": ("apps/sandbox/guest/",),
}
STARTS_PROCESSES = ("apps/sandbox/", "apps/repos/git", "apps/repos/http.py", "apps/tables/sql.py")


def sources(*folders: str) -> Iterator[tuple[str, ast.Module]]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "migrations" not in path.parts and ".venv" not in path.parts:
                yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_foundation_stays_small() -> None:
    found = {path.stem for path in (APPS / "foundation").iterdir() if not path.name.startswith("__")}
    assert found <= FOUNDATION, "a helper lives in the room that has the noun, not in foundation"


def test_no_junk_drawers() -> None:
    for path in [*APPS.rglob("*.py"), *(ROOT / "workspace").rglob("*.py")]:
        assert path.stem not in JUNK and path.parent.name not in JUNK, f"{path}: name the noun instead"


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_says_what_it_is_for(room: str) -> None:
    tree = ast.parse((APPS / room / "__init__.py").read_text())
    assert ast.get_docstring(tree), f"apps/{room}/__init__.py: one paragraph, what the room is for and its nouns"
    assert not list(imported(tree)), f"apps/{room}/__init__.py imports something; no re-exports"


def test_the_edge_never_touches_managers() -> None:
    for place, tree in sources("apps"):
        if place.endswith(EDGE) or place.split("/")[1] in DOORS:
            for node in ast.walk(tree):
                if isinstance(node, ast.Attribute) and node.attr in ("objects", "_base_manager", "_default_manager"):
                    raise AssertionError(
                        f"{place}:{node.lineno}: get rows by fetch() or a query of the room, never by a manager"
                    )


def test_one_engine_one_door() -> None:
    for place, tree in sources("apps", "workspace"):
        for name in imported(tree):
            allowed = ENGINES.get(name.split(".")[0])
            assert allowed is None or place.startswith(allowed), f"{place} imports {name}: only {allowed} may"


def test_only_the_sandbox_starts_processes() -> None:
    for place, tree in sources("apps"):
        if not place.startswith(STARTS_PROCESSES):
            names = set(imported(tree))
            assert "subprocess" not in names, f"{place} imports subprocess: launch a guest through apps/sandbox instead"


def test_the_guest_is_alone() -> None:
    for place, tree in sources("apps/sandbox/guest"):
        for name in imported(tree):
            assert not name.startswith(("apps", "workspace", "django")) or name.startswith("apps.sandbox.guest"), (
                f"{place} imports {name}"
            )


def test_the_environment_is_read_once() -> None:
    for place, tree in sources("apps"):
        if place.startswith("apps/sandbox/"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv"):
                raise AssertionError(
                    f"{place}:{node.lineno}: add a line to workspace/env.py and read django.conf.settings"
                )


def test_nobody_swallows_failures() -> None:
    for place, tree in sources("apps", "workspace", "client"):
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler) and len(node.body) == 1 and isinstance(node.body[0], ast.Pass):
                raise AssertionError(
                    f"{place}:{node.lineno}: handle it, or contextlib.suppress() the one failure that means nothing"
                )


def test_nobody_builds_scopes_or_system_actors_at_the_edge() -> None:
    for place, tree in sources("apps"):
        if place.endswith(EDGE):
            for node in ast.walk(tree):
                if isinstance(node, ast.Name) and node.id in ("workspace_scope", "system_actor"):
                    raise AssertionError(
                        f"{place}:{node.lineno}: the request door opened the scope and knows the actor"
                    )


def test_files_stay_small() -> None:
    for place, _ in sources("apps", "workspace", "client"):
        lines = len((ROOT / place).read_text().splitlines())
        assert lines <= 520, f"{place} has {lines} lines: make it a package with the same public names"
