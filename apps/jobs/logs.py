"""Reads of an attempt's log: by byte, by line, from the end, by words, and its last error."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from apps.jobs.models import Attempt, LogChunk

LOG_BYTES = 256 << 10
LOG_LINES = 1000
SHOWN_LINES = 500
FOUND_LINES = 500
ERROR_BYTES = 256 << 10
_LEVEL = re.compile(r"\b(?:CRITICAL|FATAL|ERROR|WARNING|WARN|INFO|DEBUG)\b")
# The line that ends a traceback, and the line in which we say why an attempt ended badly.
_RAISED = re.compile(
    r"(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Interrupt|Exit)(?::|$)|\[boathouse\] (?:Failed|Lost)\b"
)


@dataclass(frozen=True)
class LogPiece:
    """A piece of a log as text; `next_offset` is where to go on, `is_complete` says that nothing will follow it."""

    attempt: int
    offset: int
    next_offset: int
    content: str
    is_complete: bool


@dataclass(frozen=True)
class LogLine:
    """One line of a log: its number, counted from 1, when it arrived, its text."""

    n: int
    at: datetime
    text: str

    @property
    def level(self) -> str:
        """ERROR, WARN, INFO or DEBUG when the line names one near its beginning; ERROR also for what ends a traceback."""
        if _RAISED.match(self.text):
            return "ERROR"
        match = _LEVEL.search(self.text[:80])
        return {"WARNING": "WARN", "CRITICAL": "FATAL"}.get(match[0], match[0]) if match else ""

    def to_dict(self) -> dict[str, Any]:
        """The line as the log that follows takes it."""
        return {"n": self.n, "at": self.at.isoformat(), "level": self.level, "text": self.text}


def whole_log(attempt: Attempt) -> bytes:
    """All that is kept of a log, as one text."""
    chunks = LogChunk.objects.filter(attempt=attempt).order_by("offset").values_list("content", flat=True)
    return b"".join(bytes(content) for content in chunks)


def read_log(attempt: Attempt, offset: int = 0, size: int = LOG_BYTES) -> LogPiece:
    """A piece of an attempt's log from a byte on, never ending inside a character while more can follow."""
    content, at = b"", offset
    for chunk in LogChunk.objects.filter(attempt=attempt, end__gt=offset).order_by("offset")[:200]:
        begin = max(0, at - chunk.offset) if content or chunk.offset <= at else 0
        if chunk.offset > at:
            at = chunk.offset  # bytes over the log's limit were not kept
        piece = bytes(chunk.content)[begin : begin + size - len(content)]
        content += piece
        at += len(piece)
        if len(content) >= size:
            break
    is_complete = attempt.is_final and at >= _kept(attempt)
    keep = len(content) if is_complete else _whole_characters(content)
    text = content[:keep].decode(errors="replace")
    return LogPiece(attempt.number, offset, at - (len(content) - keep), text, is_complete)


def read_lines(attempt: Attempt, after: int = 0, size: int = LOG_LINES) -> tuple[list[LogLine], bool]:
    """Lines after the `after`-th, the last only when it has ended; and whether more are there already."""
    lines = list(islice(_lines(attempt, after), size + 1))
    return lines[:size], len(lines) > size


def find_lines(attempt: Attempt, words: str, size: int = FOUND_LINES) -> list[LogLine]:
    """The first lines that contain these words, in any case."""
    wanted = words.lower()
    return list(islice((line for line in _lines(attempt) if wanted in line.text.lower()), size))


def last_error(attempt: Attempt) -> LogLine | None:
    """The last line near the end of the log that names an error, or None."""
    chunks = LogChunk.objects.filter(attempt=attempt, end__gt=attempt.log_bytes - ERROR_BYTES).order_by("offset")
    first = chunks.values_list("line", flat=True).first()
    found = None
    for line in _lines(attempt, first + 1 if first else 0):
        # What the script raised says more than our sentence that it ended.
        if line.level in ("ERROR", "FATAL") and not (found and line.text.startswith("[boathouse]")):
            found = line
    return found


def _lines(attempt: Attempt, after: int = 0) -> Iterator[LogLine]:
    """Every line after the `after`-th, the last only when it has ended."""
    chunks = LogChunk.objects.filter(attempt=attempt).order_by("offset")
    # The last chunk that began before the wanted line: what it begins with is the end of a line that is not wanted.
    first = chunks.filter(line__lt=after).last() or chunks.first()
    if first is None:
        return
    rest, number, begun = b"", first.line, first.at
    for chunk in chunks.filter(offset__gte=first.offset).iterator(chunk_size=50):
        begun = begun if rest else chunk.at
        *whole, rest = (rest + bytes(chunk.content)).split(b"\n")
        for line in whole:
            number += 1
            if number > after:
                yield LogLine(number, begun, line.decode(errors="replace").rstrip("\r"))
            begun = chunk.at
    if rest and attempt.is_final and number + 1 > after:
        yield LogLine(number + 1, begun, rest.decode(errors="replace"))


def _kept(attempt: Attempt) -> int:
    return LogChunk.objects.filter(attempt=attempt).order_by("-offset").values_list("end", flat=True).first() or 0


def _whole_characters(content: bytes) -> int:
    """How many bytes end on a whole character."""
    for back in range(1, min(4, len(content)) + 1):
        byte = content[-back]
        if byte & 0xC0 == 0x80:
            continue
        length = 1 if byte < 0x80 else 2 if byte >> 5 == 6 else 3 if byte >> 4 == 14 else 4 if byte >> 3 == 30 else 1
        return len(content) - back if length > back else len(content)
    return len(content)
