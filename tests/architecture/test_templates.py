"""Templates are read by people: one element a line, none over 140 characters."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2] / "templates"
LONGEST = 140


def _long_lines(path: Path) -> list[int]:
    return [number for number, line in enumerate(path.read_text().splitlines(), 1) if len(line) > LONGEST]


def test_no_line_is_long() -> None:
    found = {str(path.relative_to(ROOT)): _long_lines(path) for path in sorted(ROOT.rglob("*.html"))}
    wrong = {name: lines for name, lines in found.items() if lines}
    assert not wrong, f"one element a line, at most {LONGEST} characters: {wrong}"
