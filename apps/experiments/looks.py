"""A look into a file of a run by its kind: picture, table, JSON, page, markdown, text. Only the beginning is read, nothing of it is run."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from dataclasses import dataclass, field, replace
from typing import Any, cast

from apps.experiments import artifacts
from apps.experiments.artifacts import Place
from apps.foundation.errors import Invalid

TREE_MAX = 2_000
DEPTH_MAX = 8
READ_BYTES = 400_000
HASHED_BYTES = 64 << 20
TABLE_ROWS, TABLE_COLUMNS, CELL_CHARACTERS = 200, 60, 200
BARS_MAX = 60
IMAGES = {
    ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp", ".bmp": "image/bmp",
}  # fmt: skip
_KINDS = {
    **dict.fromkeys(IMAGES, "image"),
    **dict.fromkeys((".csv", ".tsv"), "table"),
    **dict.fromkeys((".htm", ".html"), "html"),
    **dict.fromkeys((".md", ".markdown"), "markdown"),
    ".json": "json",
    ".parquet": "parquet",
}
_ICONS = {
    "image": "file-image",
    "table": "table-2",
    "parquet": "table-2",
    "html": "panels-top-left",
    "markdown": "file-text",
    "json": "file-json",
}
_MODEL_SUFFIXES = (
    ".pkl",
    ".joblib",
    ".skops",
    ".onnx",
    ".pt",
    ".pth",
    ".lgb",
    ".ubj",
    ".cbm",
    ".h5",
    ".safetensors",
    ".bin",
)
VIEWS = {"table": ("Table", "Raw"), "markdown": ("Page", "Raw"), "html": ("Page", "Raw")}


@dataclass(frozen=True)
class Branch:
    """A folder or file of the tree."""

    name: str
    path: str
    icon: str
    size: int
    is_folder: bool = False
    is_open: bool = False
    children: list[Branch] = field(default_factory=list)


@dataclass(frozen=True)
class Tree:
    """All files of a run. `cut` says that there are more than are listed."""

    branches: list[Branch]
    files: int
    size: int
    cut: bool
    first: str

    def has_folder(self, path: str) -> bool:
        """Whether a folder of the tree is at this path."""
        return _find(self.branches, path)


def _find(branches: list[Branch], path: str) -> bool:
    return any(b.is_folder and (b.path == path or _find(b.children, path)) for b in branches)


@dataclass(frozen=True)
class Look:
    """What is shown of a file. `views` are the ways to look at it, `view` the chosen one."""

    name: str
    kind: str
    icon: str
    size: int
    digest: str
    view: str = ""
    views: tuple[str, ...] = ()
    text: str = ""
    head: list[str] = field(default_factory=list)
    rows: list[list[Any]] = field(default_factory=list)
    bars: list[tuple[str, float, int]] = field(default_factory=list)
    cut: bool = False


def suffix_of(name: str) -> str:
    """`.csv` of a file name, in small letters."""
    return "." + name.rpartition(".")[2].lower() if "." in name else ""


def kind_of(name: str) -> str:
    """How a file of this name is looked at."""
    return _KINDS.get(suffix_of(name), "text")


def icon_of(name: str) -> str:
    """The icon of a file of this name."""
    if suffix_of(name) in _MODEL_SUFFIXES:
        return "file-box"
    if name.endswith(".lock") or name == "requirements.txt":
        return "file-lock"
    if name == "MLmodel" or suffix_of(name) in (".yaml", ".yml", ".toml", ".cfg"):
        return "file-cog"
    return _ICONS.get(kind_of(name), "file-code" if suffix_of(name) in (".py", ".r", ".sql", ".sh") else "file")


def tree_of(place: Place, open_at: str = "") -> Tree:
    """The files of a run as a tree; small trees are open, large ones where the chosen file is."""
    left = [TREE_MAX]
    branches = _branches(place, "", 0, left, open_at)
    files = _flat(branches)
    total = sum(b.size for b in files)
    if len(files) <= 40:
        branches = [_opened(branch) for branch in branches]
    ranked = sorted(
        files,
        key=lambda b: (kind_of(b.name) not in ("image", "json", "table", "markdown", "html"), b.size == 0, b.path),
    )
    return Tree(branches, len(files), total, left[0] <= 0, ranked[0].path if ranked else "")


def _opened(branch: Branch) -> Branch:
    return replace(branch, is_open=True, children=[_opened(child) for child in branch.children])


def _flat(branches: list[Branch]) -> list[Branch]:
    return [leaf for b in branches for leaf in (_flat(b.children) if b.is_folder else [b])]


def _branches(place: Place, path: str, depth: int, left: list[int], open_at: str) -> list[Branch]:
    found = []
    for entry in artifacts.list_entries(place):
        if left[0] <= 0:
            break
        left[0] -= 1
        here = f"{path}/{entry.name}".strip("/")
        if not entry.is_dir:
            found.append(Branch(entry.name, here, icon_of(entry.name), entry.size or 0))
            continue
        inside = replace(place, steps=(*place.steps, entry.name))
        children = _branches(inside, here, depth + 1, left, open_at) if depth < DEPTH_MAX else []
        size = sum(child.size for child in children)
        found.append(Branch(entry.name, here, "folder", size, True, open_at.startswith(here + "/"), children))
    return sorted(found, key=lambda b: (not b.is_folder, b.name))


def look_at(place: Place, view: str = "") -> Look:
    """A look into a file. Raises Invalid for a folder, NotFound when nothing is there."""
    if not place.steps:
        raise Invalid("Choose a file.")
    name = place.steps[-1]
    with artifacts.open_file(place) as file:
        head = file.read(READ_BYTES + 1)
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        digest = hashlib.file_digest(cast("Any", file), "sha256").hexdigest() if size <= HASHED_BYTES else ""
    look = Look(name, kind_of(name), icon_of(name), size, digest, cut=len(head) > READ_BYTES)
    if look.kind in ("image", "parquet"):
        return look
    if b"\0" in head:
        return replace(look, kind="binary", cut=False)
    text = head[:READ_BYTES].decode("utf-8", "replace")
    if look.kind == "table":
        return _table(look, text, view)
    if look.kind == "json":
        return _json(look, text, view)
    views = VIEWS.get(look.kind, ())
    return replace(look, text=text, views=views, view=view if view in views else (views or ("",))[0])


def _table(look: Look, text: str, view: str) -> Look:
    view = view if view in VIEWS["table"] else "Table"
    look = replace(look, views=VIEWS["table"], view=view, text=text)
    if view == "Raw":
        return look
    mark = "\t" if look.name.endswith(".tsv") else max(",;\t|", key=text.split("\n", 1)[0].count)
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text), delimiter=mark):
            rows.append([cell[:CELL_CHARACTERS] for cell in row[:TABLE_COLUMNS]])
            if len(rows) > TABLE_ROWS:
                break
    except csv.Error:
        return replace(look, view="Raw")
    if look.cut and 1 < len(rows) <= TABLE_ROWS:
        rows.pop()  # the last one may be half a row
    head, body = (rows[0], rows[1:]) if rows else ([], [])
    return replace(look, head=head, rows=body[:TABLE_ROWS], cut=look.cut or len(body) >= TABLE_ROWS)


def _json(look: Look, text: str, view: str) -> Look:
    try:
        value = json.loads(text) if not look.cut else None
        pretty = json.dumps(value, indent=2, ensure_ascii=False)[:READ_BYTES] if value is not None else text
    except (ValueError, RecursionError):
        return replace(look, kind="text", text=text)
    bars, (head, rows) = _bars(value), _records(value)
    views = tuple(name for name, there in (("Chart", bars), ("Table", rows), ("Raw", True)) if there)
    chosen = view if view in views else views[0]
    return replace(look, text=pretty, bars=bars, head=head, rows=rows, views=views, view=chosen)


def _bars(value: Any) -> list[tuple[str, float, int]]:
    """Names with one number each, the largest first, and its share of the largest in percent."""
    pairs: list[tuple[str, float]] = []
    if isinstance(value, dict):
        pairs = [(str(key), number) for key, number in value.items() if _number(number)]
        if len(pairs) != len(value):
            return []
    elif isinstance(value, list) and all(isinstance(item, dict) for item in value):
        for item in value:
            texts = [v for v in item.values() if isinstance(v, str)]
            numbers = [v for v in item.values() if _number(v)]
            if len(texts) != 1 or len(numbers) != 1:
                return []
            pairs.append((texts[0], numbers[0]))
    if len(pairs) < 2:
        return []
    top = max(abs(number) for _, number in pairs) or 1
    ranked = sorted(pairs, key=lambda pair: -abs(pair[1]))[:BARS_MAX]
    return [(name[:CELL_CHARACTERS], number, round(abs(number) / top * 100)) for name, number in ranked]


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _records(value: Any) -> tuple[list[str], list[list[Any]]]:
    if isinstance(value, dict) and isinstance(value.get("columns"), list) and isinstance(value.get("data"), list):
        head = [str(name) for name in value["columns"][:TABLE_COLUMNS]]
        rows = [
            [_plain(cell) for cell in row[:TABLE_COLUMNS]]
            for row in value["data"][:TABLE_ROWS]
            if isinstance(row, list)
        ]
        return head, rows
    if not isinstance(value, list) or not value or not all(isinstance(item, dict) for item in value):
        return [], []
    head = list(dict.fromkeys(str(key) for item in value[:TABLE_ROWS] for key in item))[:TABLE_COLUMNS]
    return head, [[_plain(item.get(key)) for key in head] for item in value[:TABLE_ROWS]]


def _plain(value: Any) -> Any:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)[:CELL_CHARACTERS]
    return value[:CELL_CHARACTERS] if isinstance(value, str) else value
