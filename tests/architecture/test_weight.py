"""What a browser loads before a page works: the built script and styles, compressed as they are sent."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

DIST = Path(__file__).parents[2] / "static" / "dist"
SCRIPT_BYTES = 250_000
# Far below the limit, so that a chart or an editor that slips into the first load is noticed at once.
SCRIPT_WATCHED_BYTES = 60_000
STYLE_BYTES = 60_000


@pytest.fixture(scope="module")
def manifest() -> dict[str, dict[str, object]]:
    path = DIST / ".vite" / "manifest.json"
    if not path.exists():
        pytest.skip("the front end is not built: make up, or npm run build in static/src")
    return json.loads(path.read_text())


def _sent(name: str) -> int:
    return len(gzip.compress((DIST / name).read_bytes(), 6))


def _first(manifest: dict[str, dict[str, object]]) -> list[str]:
    """The entry and everything that it imports at once."""
    found, waiting = [], ["main.ts"]
    while waiting:
        chunk = manifest[waiting.pop()]
        if chunk["file"] not in found:
            found.append(chunk["file"])
            waiting += chunk.get("imports", [])
    return found


def test_the_first_load_is_light(manifest: dict[str, dict[str, object]]) -> None:
    weights = {name: _sent(name) for name in _first(manifest)}
    assert sum(weights.values()) < SCRIPT_BYTES, weights
    assert sum(weights.values()) < SCRIPT_WATCHED_BYTES, f"an island belongs into islands/lazy/: {weights}"


def test_the_styles_are_light(manifest: dict[str, dict[str, object]]) -> None:
    assert sum(_sent(name) for name in manifest["main.ts"]["css"]) < STYLE_BYTES


def test_no_island_alone_is_over_the_limit(manifest: dict[str, dict[str, object]]) -> None:
    first = _first(manifest)
    late = {chunk["file"]: _sent(chunk["file"]) for chunk in manifest.values() if str(chunk["file"]).endswith(".js")}
    heavy = {name: size for name, size in late.items() if name not in first and size > SCRIPT_BYTES}
    assert not heavy, heavy
