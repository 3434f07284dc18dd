"""A change laid out as pages print it: rows of old and new with the changed words marked, notebooks cell by cell."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from apps.foundation.templatetags.figures import size as in_bytes
from apps.repos import git, notebooks, refnames
from apps.repos.diffs import FileDiff, Side, side_by_side
from apps.repos.notebooks import CellChange, NotebookChange

OPEN_ROWS = 600  # a longer file begins closed
OPEN_FILES = 40
NOTEBOOKS = 20
MARKED_ROWS = 5000  # past this a page's code is printed without colours, so that it stays quick


@dataclass(frozen=True)
class Row:
    """One line of the two-sided table: a hunk's heading, or both sides."""

    heading: str = ""
    left: Side = field(default_factory=lambda: Side("void"))
    right: Side = field(default_factory=lambda: Side("void"))


@dataclass(frozen=True)
class ShownCell:
    """A changed cell with its source as rows."""

    change: CellChange
    rows: list[Row]


@dataclass(frozen=True)
class Shown:
    """One file of a change: rows, or a note why there are none, and the cells when it is a notebook."""

    number: int
    file: FileDiff
    rows: list[Row]
    note: str = ""
    notebook: NotebookChange | None = None
    cells: list[ShownCell] = field(default_factory=list)
    is_open: bool = True
    is_plain: bool = False

    @property
    def folder(self) -> str:
        """The path without the name, with its slash."""
        return self.file.path[: -len(self.name)]

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.file.path.rpartition("/")[2]

    @property
    def icon(self) -> str:
        """The icon of this kind of file."""
        return icon_of(self.file.path)

    @property
    def summary(self) -> str:
        """What happened to it, in words: `3 lines changed, 1 added`."""
        if self.notebook is not None:
            return self.notebook.summary
        if self.file.additions is None or self.file.deletions is None:
            return self.file.status
        changed = min(self.file.additions, self.file.deletions)
        parts = [
            (changed, "changed"),
            (self.file.additions - changed, "added"),
            (self.file.deletions - changed, "removed"),
        ]
        words = [f"{count:,} {word}" for count, word in parts if count]
        if not words:
            return (
                "moved, content the same" if self.file.status == "renamed" else f"{self.file.status}, no line differs"
            )
        first, *rest = words
        count, word = first.split(" ")
        prefix = {"added": "new, ", "deleted": "deleted, "}.get(self.file.status, "")
        return prefix + ", ".join([f"{count} line{'' if count == '1' else 's'} {word}", *rest])


def icon_of(path: str) -> str:
    """The icon of a kind of file, by its name."""
    name = path.rpartition("/")[2].lower()
    ending = name.rpartition(".")[2] if "." in name else ""
    if ending == "ipynb":
        return "notebook-text"
    if ending in ("py", "sql", "r", "scala", "sh", "js", "ts", "c", "cpp", "go", "rs", "java", "html", "css"):
        return "file-code"
    if ending in ("yaml", "yml", "toml", "json", "cfg", "ini"):
        return "file-cog"
    if ending == "lock":
        return "file-lock"
    if ending in ("md", "txt", "rst"):
        return "file-text"
    return "file"


def lay_out(repository: git.Repository, diff: git.Diff) -> list[Shown]:
    """The files of a difference, ready to print; `repository` is where its blobs are."""
    shown: list[Shown] = []
    rows_so_far = books = 0
    for number, file in enumerate(diff.files, 1):
        rows = rows_of(file)
        rows_so_far += len(rows)
        change = None
        if file.path.endswith(".ipynb") and books < NOTEBOOKS and not file.is_binary:
            books += 1
            change = _notebook(repository, file)
        cells = [ShownCell(cell, _cell_rows(cell)) for cell in change.cells] if change else []
        opened = number <= OPEN_FILES and len(rows) <= OPEN_ROWS
        plain = rows_so_far > MARKED_ROWS
        shown.append(Shown(number, file, rows, _note(repository, file), change, cells, opened, plain))
    return shown


def rows_of(file: FileDiff) -> list[Row]:
    """A file's hunks as rows, each hunk under a heading that says where it is."""
    rows: list[Row] = []
    for hunk in file.hunks:
        last = max((line.new or line.old or 0 for line in hunk.lines), default=hunk.new_start)
        where = f"{file.path}, {hunk.new_start} to {last}"
        rows.append(Row(f"{where}, in {hunk.heading}" if hunk.heading else where))
        rows += [Row("", left, right) for left, right in side_by_side(hunk)]
    return rows


def _cell_rows(cell: CellChange) -> list[Row]:
    return [Row("", left, right) for left, right in side_by_side(cell.hunk)] if cell.hunk else []


def _notebook(repository: git.Repository, file: FileDiff) -> NotebookChange | None:
    old, new = (repository.blob(sha, notebooks.NOTEBOOK_BYTES + 1) for sha in (file.old_sha, file.new_sha))
    return notebooks.compare(old, new)


def _note(repository: git.Repository, file: FileDiff) -> str:
    modes: Any = {"120000": "a link", "160000": "a submodule"}
    if kind := modes.get(file.new_mode) or modes.get(file.old_mode):
        return f"This is {kind}, not a file."
    if file.is_binary:
        sizes = [repository.size(sha) for sha in (file.old_sha, file.new_sha) if sha != refnames.ZERO]
        return f"Not text, so there are no lines to show: {' before, '.join(map(in_bytes, sizes))}{' now' if len(sizes) > 1 else ''}."
    if file.old_mode != file.new_mode and not file.hunks and refnames.ZERO not in (file.old_sha, file.new_sha):
        return "Now it can be run as a program." if file.new_mode == "100755" else "It is no program any more."
    if not file.hunks and file.status != "renamed" and not file.is_cut:
        return "An empty file."
    return ""
