"""Notebooks (.ipynb) as cells: what differs between two of them, cell by cell; pure. Nothing in them is run or trusted."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any

from apps.repos.diffs import Hunk, text_hunk

NOTEBOOK_BYTES = 4 << 20
CELLS = 400
OUTPUT_CHARACTERS = 2000
IMAGE_CHARACTERS = 400_000
LARGE_OUTPUT_BYTES = 1 << 20
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Output:
    """One output as a page can show it: an image's address, or text."""

    text: str = ""
    image: str = ""


@dataclass(frozen=True)
class Cell:
    """A cell: kind is code, markdown or raw."""

    id: str
    kind: str
    source: str
    outputs: tuple[Output, ...] = ()


@dataclass(frozen=True)
class CellChange:
    """What happened to one cell; number is its place in the newer notebook (the older one's when it was deleted)."""

    number: int
    kind: str
    status: str
    source: str = ""
    hunk: Hunk | None = None
    before: tuple[Output, ...] = ()
    after: tuple[Output, ...] = ()


@dataclass(frozen=True)
class NotebookChange:
    """The cells that differ, and the language of the code in them."""

    language: str
    cells: list[CellChange] = field(default_factory=list)

    @property
    def summary(self) -> str:
        """In words: `1 cell changed, 2 added`."""
        counts = {word: sum(c.status == word for c in self.cells) for word in ("changed", "added", "deleted")}
        parts = [f"{count} {word}" for word, count in counts.items() if count]
        if not parts:
            return "no cell differs"
        first, *rest = parts
        count, word = first.split(" ")
        return ", ".join([f"{count} cell{'' if count == '1' else 's'} {word}", *rest])


def compare(old: bytes, new: bytes) -> NotebookChange | None:
    """What differs between two notebooks (b"" for none); None when one of them cannot be read as a notebook."""
    if max(len(old), len(new)) > NOTEBOOK_BYTES:
        return None
    before, after = _parse(old) if old else ("", []), _parse(new) if new else ("", [])
    if before is None or after is None or max(len(before[1]), len(after[1])) > CELLS:
        return None
    return NotebookChange(after[0] or before[0] or "python", list(_changes(before[1], after[1])))


def without_large_outputs(content: bytes, limit: int = LARGE_OUTPUT_BYTES) -> bytes | None:
    """The notebook without the outputs of more than `limit` bytes; None when there is none, or it is no notebook."""
    try:
        book = json.loads(content)
        cells = book["cells"]
        changed = False
        for cell in cells:
            outputs = cell.get("outputs")
            if isinstance(outputs, list):
                kept = [out for out in outputs if len(json.dumps(out)) <= limit]
                changed |= len(kept) != len(outputs)
                cell["outputs"] = kept
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return (json.dumps(book, indent=1, ensure_ascii=False) + "\n").encode() if changed else None


def _changes(old: list[Cell], new: list[Cell]) -> Any:
    matcher = SequenceMatcher(
        None, [cell.id or cell.source for cell in old], [cell.id or cell.source for cell in new], False
    )
    for _, a, b, c, d in matcher.get_opcodes():
        for step in range(max(b - a, d - c)):
            left = old[a + step] if a + step < b else None
            right = new[c + step] if c + step < d else None
            if left is None and right is not None:
                yield CellChange(c + step + 1, right.kind, "added", right.source, None, (), right.outputs)
            elif right is None and left is not None:
                yield CellChange(a + step + 1, left.kind, "deleted", left.source, None, left.outputs)
            elif left is not None and right is not None and left != right:
                same_code, same_outputs = left.source == right.source, left.outputs == right.outputs
                if same_code and same_outputs and left.kind == right.kind:
                    continue
                hunk = None if same_code else text_hunk(left.source, right.source)
                outputs = ((), ()) if same_outputs else (left.outputs, right.outputs)
                yield CellChange(c + step + 1, right.kind, "changed", right.source, hunk, *outputs)


def _parse(content: bytes) -> tuple[str, list[Cell]] | None:
    try:
        book = json.loads(content)
        about = book.get("metadata", {})
        language = about.get("language_info", {}).get("name") or about.get("kernelspec", {}).get("language") or ""
        cells = [_cell(cell) for cell in book["cells"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return str(language)[:40], cells


def _cell(cell: dict[str, Any]) -> Cell:
    outputs = tuple(_output(out) for out in cell.get("outputs", [])[:20] if isinstance(out, dict))
    return Cell(str(cell.get("id", "")), str(cell.get("cell_type", "raw")), _text(cell.get("source", "")), outputs)


def _output(out: dict[str, Any]) -> Output:
    shown = out.get("data", {})
    for kind in ("image/png", "image/jpeg"):
        if kind in shown:
            return _image(kind, _text(shown[kind]))
    if out.get("output_type") == "error":
        return Output(f"{out.get('ename', 'Error')}: {out.get('evalue', '')}"[:OUTPUT_CHARACTERS])
    text = _text(out.get("text", "")) or _text(shown.get("text/plain", ""))
    return Output(_ESCAPES.sub("", text)[:OUTPUT_CHARACTERS])


def _image(kind: str, said: str) -> Output:
    said = "".join(said.split())
    if len(said) > IMAGE_CHARACTERS:
        return Output(f"An image of {len(said) * 3 // 4 >> 10} kB, too large to show here.")
    try:
        base64.b64decode(said, validate=True)
    except binascii.Error:
        return Output("An image that cannot be read.")
    return Output(image=f"data:{kind};base64,{said}")


def _text(value: Any) -> str:
    return "".join(map(str, value)) if isinstance(value, list) else str(value)
