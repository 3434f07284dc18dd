"""Reads git's diff output into files, hunks and lines, and lays a hunk out side by side; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher

LINE_CHARACTERS = 2000
FILE_LINES = 3000
_WORD_LINE = 400  # longer lines get no word marks: comparing words costs the square of their number
_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@ ?(.*)")
_STATUS = {
    "A": "added",
    "D": "deleted",
    "M": "changed",
    "R": "renamed",
    "C": "copied",
    "T": "changed",
}


@dataclass(frozen=True)
class Line:
    """One line: kind is "same", "add" or "del"; numbers are None on the side where it does not stand."""

    kind: str
    old: int | None
    new: int | None
    text: str


@dataclass(frozen=True)
class Hunk:
    """A run of lines and what git found above them."""

    old_start: int
    new_start: int
    heading: str
    lines: list[Line]


@dataclass(frozen=True)
class FileDiff:
    """What happened to one file."""

    path: str
    old_path: str
    status: str
    old_mode: str
    new_mode: str
    old_sha: str
    new_sha: str
    additions: int | None = None
    deletions: int | None = None
    is_binary: bool = False
    is_cut: bool = False
    hunks: list[Hunk] = field(default_factory=list)


@dataclass(frozen=True)
class Side:
    """One half of a row: kind "same", "add", "del" or "void"; marked spans of characters changed within the line."""

    kind: str
    number: int | None = None
    text: str = ""
    marks: tuple[tuple[int, int], ...] = ()


def parse_raw(output: bytes) -> list[FileDiff]:
    """The files of `diff-tree -z --raw --numstat`, in git's order; a record that was cut off is left out."""
    words = [word.decode(errors="replace") for word in output.split(b"\x00")[:-1]]
    files: dict[str, FileDiff] = {}
    at = 0
    while at < len(words):
        width = _read_raw(words[at:], files) if words[at].startswith(":") else _read_count(words[at:], files)
        if not width:
            break
        at += width
    return list(files.values())


def _read_raw(words: list[str], files: dict[str, FileDiff]) -> int:
    old_mode, new_mode, old_sha, new_sha, status = words[0][1:].split(" ")
    width = 3 if status[0] in "RC" else 2
    if len(words) < width:
        return 0
    old_path, path = words[1], words[width - 1]
    files[path] = FileDiff(
        path,
        old_path,
        _STATUS.get(status[0], "changed"),
        old_mode,
        new_mode,
        old_sha,
        new_sha,
    )
    return width


def _read_count(words: list[str], files: dict[str, FileDiff]) -> int:
    added, deleted, path = words[0].split("\t", 2)
    width = 1 if path else 3  # a rename has an empty path here and its two paths after it
    if len(words) < width:
        return 0
    path = path or words[2]
    if path in files:
        binary = added == "-"
        counts = (None, None) if binary else (int(added), int(deleted))
        files[path] = replace(files[path], additions=counts[0], deletions=counts[1], is_binary=binary)
    return width


def parse_patch(listed: list[FileDiff], patch: bytes, *, max_files: int, is_cut: bool) -> tuple[list[FileDiff], bool]:
    """The listed files with their hunks, and whether anything was left out; `patch` has them in the same order."""
    sections = re.split(r"^diff --git .*\n", patch.decode(errors="replace"), flags=re.MULTILINE)[1:]
    files: list[FileDiff] = []
    at = 0
    for wanted in listed[:max_files]:
        if at >= len(sections):
            break
        hunks, cut = _hunks(sections[at])
        last = is_cut and at == len(sections) - 1
        files.append(replace(wanted, hunks=hunks, is_cut=cut or last))
        both = wanted.old_mode[:2] != wanted.new_mode[:2] and "000000" not in (
            wanted.old_mode,
            wanted.new_mode,
        )
        at += 2 if both else 1  # a file that became a link is printed as one deleted and one added
    return files, is_cut or len(files) < len(listed) or any(one.is_cut for one in files)


def _hunks(section: str) -> tuple[list[Hunk], bool]:
    hunks: list[Hunk] = []
    old = new = total = 0
    for raw in section.split("\n"):
        if match := _HUNK.match(raw):
            old, new = int(match[1]), int(match[2])
            hunks.append(Hunk(old, new, match[3][:LINE_CHARACTERS], []))
            continue
        kind = {" ": "same", "+": "add", "-": "del"}.get(raw[:1])
        if not hunks or kind is None:
            continue
        total += 1
        if total > FILE_LINES:
            return hunks, True
        hunks[-1].lines.append(
            Line(
                kind,
                old if kind != "add" else None,
                new if kind != "del" else None,
                raw[1 : LINE_CHARACTERS + 1],
            )
        )
        old += kind != "add"
        new += kind != "del"
    return hunks, False


def text_hunk(old: str, new: str) -> Hunk:
    """Two short texts as one hunk with all their lines."""
    before, after = old.splitlines()[:FILE_LINES], new.splitlines()[:FILE_LINES]
    lines: list[Line] = []
    for kind, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind == "equal":
            pairs = zip(range(a, b), range(c, d), strict=True)
            lines += [Line("same", one + 1, two + 1, before[one][:LINE_CHARACTERS]) for one, two in pairs]
            continue
        lines += [Line("del", at + 1, None, before[at][:LINE_CHARACTERS]) for at in range(a, b)]
        lines += [Line("add", None, at + 1, after[at][:LINE_CHARACTERS]) for at in range(c, d)]
    return Hunk(1, 1, "", lines)


def side_by_side(hunk: Hunk) -> list[tuple[Side, Side]]:
    """The hunk as rows of old and new, deleted lines beside the added ones that replace them."""
    rows: list[tuple[Side, Side]] = []
    gone: list[Line] = []
    come: list[Line] = []

    def settle() -> None:
        for at in range(max(len(gone), len(come))):
            left, right = gone[at : at + 1], come[at : at + 1]
            marks = _marks(left[0].text, right[0].text) if left and right else ((), ())
            rows.append(
                (
                    Side("del", left[0].old, left[0].text, marks[0]) if left else Side("void"),
                    Side("add", right[0].new, right[0].text, marks[1]) if right else Side("void"),
                )
            )
        gone.clear()
        come.clear()

    for line in hunk.lines:
        if line.kind == "del":
            if come:
                settle()
            gone.append(line)
        elif line.kind == "add":
            come.append(line)
        else:
            settle()
            rows.append((Side("same", line.old, line.text), Side("same", line.new, line.text)))
    settle()
    return rows


Spans = tuple[tuple[int, int], ...]


def _marks(old: str, new: str) -> tuple[Spans, Spans]:
    """Where two lines differ, word by word; nothing when they have little in common."""
    if max(len(old), len(new)) > _WORD_LINE:
        return (), ()
    one, two = re.findall(r"\w+|\s+|.", old), re.findall(r"\w+|\s+|.", new)
    matcher = SequenceMatcher(None, one, two, autojunk=False)
    if matcher.quick_ratio() < 0.4:
        return (), ()
    left: list[tuple[int, int]] = []
    right: list[tuple[int, int]] = []
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag == "equal":
            continue
        for spans, words, start, end in ((left, one, a, b), (right, two, c, d)):
            if end > start:
                begin = sum(map(len, words[:start]))
                spans.append((begin, begin + sum(map(len, words[start:end]))))
    return tuple(left), tuple(right)
