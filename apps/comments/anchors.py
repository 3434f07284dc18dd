"""Where in a resource a thread hangs: a path such as `version:3`, `line:src/train.py:12`, `row:17:4`. Empty is the thing itself."""

from __future__ import annotations

import re
from dataclasses import dataclass

from apps.foundation.errors import Invalid

PATH_MAX = 500
# name: (shape of what follows, how it reads)
SHAPES: dict[str, tuple[str, str]] = {
    "version": (r"(?P<n>\d{1,9})", "v{n}"),
    "run": (r"(?P<id>[0-9a-f-]{32,36})", "run {id:.8}"),
    "commit": (r"(?P<sha>[0-9a-f]{7,64})", "commit {sha:.7}"),
    "line": (r"(?P<file>.+):(?P<n>\d{1,9})", "{file}, line {n}"),
    "diff": (r"(?P<sha>[0-9a-f]{7,64}):(?P<file>.+):(?P<side>[+-])(?P<n>\d{1,9})", "{file} at {sha:.7}, line {n}"),
    "column": (r"(?P<name>.+)", "column {name}"),
    "row": (r"(?P<v>\d{1,18}):(?P<n>\d{1,18})", "row {n} of v{v}"),
    "cell": (r"(?P<v>\d{1,18}):(?P<n>\d{1,18}):(?P<name>.+)", "{name} in row {n} of v{v}"),
    "point": (r"(?P<chart>.+):(?P<x>[^:]+)", "{chart} at {x}"),
}


@dataclass(frozen=True)
class Anchor:
    """A place within a resource: `path` names it, `label` is how it reads (empty for the thing itself)."""

    path: str
    label: str


def parse_anchor(path: str) -> Anchor:
    """The place that a path names. Raises Invalid with the shapes that exist."""
    if not path:
        return Anchor("", "")
    name, _, rest = path.partition(":")
    shape = SHAPES.get(name)
    match = re.fullmatch(shape[0], rest) if shape and len(path) <= PATH_MAX else None
    if shape is None or match is None or any(ord(char) < 32 for char in path):
        known = ", ".join(f"{word}:…" for word in SHAPES)
        raise Invalid(fields={"path": f"Empty for the thing itself, or one of {known}, at most {PATH_MAX} characters."})
    return Anchor(path, shape[1].format(**match.groupdict()))


def label_of(path: str) -> str:
    """How a place reads that is kept already: its path, should its shape be of another day."""
    try:
        return parse_anchor(path).label
    except Invalid:
        return path
