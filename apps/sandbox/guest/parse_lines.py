"""Records of a text file, each with the line it starts on: CSV with its dialect, and JSON lines as cells of the same shape."""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

FIELD_BYTES = 16 * 1024**2
DELIMITERS = ",;\t|"
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1")
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
Record = tuple[int, list[str]]
Complain = Callable[[int, str, str, str], None]


class Refused(Exception):
    """The file cannot be taken at all; the message says why."""


def encoding_of(source: Path, wanted: str = "") -> str:
    """The one asked for, else by the file's mark, else UTF-8, else what Windows writes where that is not UTF-8."""
    if wanted:
        if wanted not in ENCODINGS:
            raise Refused(f"{wanted!r} is no encoding that is read; use one of {', '.join(ENCODINGS)}.")
        return wanted
    decoder, start = codecs.getincrementaldecoder("utf-8")(), b""
    plain = True
    with source.open("rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            start = start or piece
            plain = plain and _decodes(decoder, piece)
            if not plain:
                break
    marked = next((name for mark, name in _MARKS if start.startswith(mark)), "")
    # Broken bytes on a line or two are bad rows; without any letter of UTF-8, more of them are another encoding.
    return marked or ("utf-8" if plain or not _other_encoding(start) else "cp1252")


def _decodes(decoder: codecs.IncrementalDecoder, piece: bytes) -> bool:
    try:
        decoder.decode(piece)
    except UnicodeDecodeError:
        return False
    return True


def _other_encoding(start: bytes) -> bool:
    text = start.decode("utf-8", "replace")
    whole = sum(ord(letter) > 127 and letter != "\ufffd" for letter in text)
    return whole == 0 and sum("\ufffd" in line for line in text.splitlines()) > 2


def delimiter_of(source: Path, encoding: str, wanted: str = "") -> str:
    """The one asked for, else what splits the first lines most evenly."""
    if wanted:
        if len(wanted) != 1 or wanted in '"\r\n':
            raise Refused("The delimiter must be one character.")
        return wanted
    with source.open("rb") as file:
        lines = file.read(256 * 1024).decode(encoding, "replace").splitlines()[:50]
    whole = lines[:-1] if len(lines) > 1 else lines

    def evenness(delimiter: str) -> tuple[int, int]:
        widths = Counter(len(row) for row in csv.reader(whole, delimiter=delimiter) if row)
        width, many = max(widths.items(), key=lambda item: (item[1], item[0]), default=(1, 0))
        return (many, width) if width > 1 else (0, 0)

    return max(DELIMITERS, key=evenness)


def opened(source: Path, encoding: str) -> io.TextIOWrapper:
    """The file as text. Undecodable bytes become lone surrogates, so that a bad line is named instead of ending the file."""
    return source.open("r", encoding=encoding, errors="surrogateescape", newline="")


def csv_records(file: io.TextIOWrapper, delimiter: str, bad: Complain) -> Iterator[Record]:
    """Each record; blank lines are left out, unreadable records told."""
    csv.field_size_limit(FIELD_BYTES)
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except (csv.Error, UnicodeDecodeError) as error:
            why = "a quote is never closed" if "unexpected end" in str(error) else f"cannot be read: {error}"
            bad(line, "", "", why)
            continue
        if record:
            yield line, record


def looks_like_json_lines(source: Path) -> bool:
    """Whether the first line that is not blank is a JSON object."""
    with source.open("rb") as file:
        for line in file.read(1 << 20).splitlines():
            if line.strip():
                return line.lstrip().startswith(b"{") and line.rstrip().endswith(b"}")
    return False


def json_columns(source: Path, encoding: str, most: int) -> tuple[list[str], set[str]]:
    """The names met in a file of JSON lines, in order, and those that ever hold text in quotes."""
    names: dict[str, None] = {}
    texts: set[str] = set()
    with opened(source, encoding) as file:
        for _, found in _objects(file, lambda *_: None):
            names.update(dict.fromkeys(found))
            texts.update(name for name, value in found.items() if isinstance(value, str))
            if len(names) > most:
                raise Refused(f"The file has over {most} columns, more than a table may have.")
    return list(names), texts


def json_records(file: io.TextIOWrapper, names: list[str], bad: Complain) -> Iterator[Record]:
    """Each object as cells in the order of `names`; what is missing or null is an empty cell, what is nested stays JSON."""
    for line, found in _objects(file, bad):
        yield line, [_cell(found.get(name)) for name in names]


def _objects(file: io.TextIOWrapper, bad: Complain) -> Iterator[tuple[int, dict[str, Any]]]:
    for line, text in enumerate(file, 1):
        if not text.strip():
            continue
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            bad(line, "", text.strip(), "is no JSON")
            continue
        if isinstance(found, dict):
            yield line, found
        else:
            bad(line, "", text.strip(), "is no JSON object")


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
    return json.dumps(value, ensure_ascii=False)
