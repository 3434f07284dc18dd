"""The documents are true: reference pages are fresh, every room is on the map, every link leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from workspace import reference

ROOT = Path(__file__).parents[2]
DOCS = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"])


@pytest.mark.parametrize("name", reference.PAGES)
def test_reference_is_fresh(db: None, name: str) -> None:
    assert (reference.FOLDER / name).read_text() == reference.PAGES[name](), "manage.py verify --update"


def test_every_room_is_on_the_map() -> None:
    text = (ROOT / "docs" / "explanation" / "architecture.md").read_text()
    for path in (ROOT / "apps").iterdir():
        if (path / "__init__.py").exists():
            assert path.name in text, f"docs/explanation/architecture.md does not know the room {path.name}"


@pytest.mark.parametrize("page", DOCS, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page}: {target}"
