"""Turns an uploaded CSV, JSON lines or Parquet file into Parquet that a table can take, and says of every bad row its line and why.

Runs as a guest: `python -m guest.parse_upload REQUEST.json OUTPUT_FOLDER` writes part files and `report.json` there. Types
are inferred from every row, never from a sample. Needs the standard library and pyarrow, nothing else.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from .parse_kinds import BAD, KINDS, MISSING, classify, convert, decide
from .parse_lines import (
    Record,
    Refused,
    csv_records,
    delimiter_of,
    encoding_of,
    json_columns,
    json_records,
    looks_like_json_lines,
    opened,
)
from .parse_types import arrow_type, kept_type, name_of

CHUNK_ROWS = 50_000
ROWS_PER_GROUP = 131_072
PART_BYTES = 256 * 1024**2
LISTED_ROWS = 1000
SHOWN_CHARACTERS = 80
MAX_COLUMNS = 4000
TELL_SECONDS = 1.0


@dataclass
class BadRows:
    """The rows that do not fit: all counted, the first thousand listed."""

    count: int = 0
    listed: list[dict[str, Any]] = field(default_factory=list)

    def add(self, line: int, column: str, found: str, why: str) -> None:
        """One more bad row."""
        self.count += 1
        if len(self.listed) < LISTED_ROWS:
            clean = found.encode("utf-8", "replace").decode()
            shown = clean if len(clean) <= SHOWN_CHARACTERS else clean[:SHOWN_CHARACTERS] + "…"
            self.listed.append({"line": line, "column": column, "found": shown, "why": why})


@dataclass
class Column:
    """What is known of one column after all rows were seen, and what the person wants of it."""

    source: str
    note: str = ""
    words: frozenset[str] = frozenset()
    is_text: bool = False
    kinds: Counter[str] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    guess: str = "string"
    type: str = "string"
    name: str = ""
    use: bool = True

    def see(self, texts: pa.DictionaryArray) -> None:
        """Counts one chunk of cells."""
        counts = {item["values"]: item["counts"] for item in texts.indices.value_counts().to_pylist()}
        for index, text in enumerate(texts.dictionary.to_pylist()):
            many = counts.get(index, 0)
            kind = MISSING if text.strip() in self.words else classify(text)
            self.kinds[kind] += many
            if kind == MISSING:
                self.missing[text] += many
            elif len(self.examples) < 3 and text not in self.examples:
                self.examples.append(text[:SHOWN_CHARACTERS])

    def settle(self, choice: dict[str, Any]) -> None:
        """Decides the type and takes over what was chosen."""
        self.guess = decide(self.kinds, self.missing)
        if self.is_text and self.guess in ("long", "double", "boolean"):
            self.guess = "string"
        self.type = str(choice.get("type") or self.guess)
        self.name = str(choice["name"]) if "source" in choice else self.source
        self.use = bool(choice.get("use", True))

    def value(self, text: str) -> Any:
        """The value of a cell: None where it is missing, BAD where it does not fit."""
        return None if text.strip() in self.words else convert(text, self.type)


class Progress:
    """Says once a second how many bytes of the file were read."""

    def __init__(self, source: Path, out: Path) -> None:
        self.total, self._path, self._at = source.stat().st_size, out / "progress.json", 0.0

    def tell(self, done: int) -> None:
        """Note how far it is."""
        if time.monotonic() - self._at >= TELL_SECONDS:
            self._at = time.monotonic()
            fresh = self._path.with_suffix(".new")
            fresh.write_text(json.dumps({"done": min(done, self.total), "total": self.total}))
            fresh.rename(self._path)


def parse(request: dict[str, Any], source: Path, out: Path) -> dict[str, Any]:
    """The report of one file; its good rows lie as Parquet parts in `out` unless a bad one stops it."""
    kind = request.get("format") or _kind_of(source)
    if kind == "parquet":
        return _from_parquet(request, source, out)
    if kind not in ("csv", "jsonl"):
        raise Refused(f"{kind!r} is no format that can be read; use csv, jsonl or parquet.")
    return _from_text(kind, request, source, out, BadRows())


def _kind_of(source: Path) -> str:
    if _starts_with(source, b"PAR1"):
        return "parquet"
    return "jsonl" if looks_like_json_lines(source) else "csv"


def _from_text(kind: str, request: dict[str, Any], source: Path, out: Path, bad: BadRows) -> dict[str, Any]:
    encoding = encoding_of(source, str(request.get("encoding") or ""))
    told: dict[str, Any] = {"kind": kind, "encoding": encoding}
    words = frozenset(str(word).strip() for word in request.get("null_words") or ())
    spill, texts = out / "cells.arrow", set[str]()
    with opened(source, encoding) as file:
        if kind == "jsonl":
            names, texts = json_columns(source, encoding, MAX_COLUMNS)
            if not names:
                raise Refused("The file has no JSON object in it, one in each line.")
            rows, first = json_records(file, names, bad.add), None
            names, notes = _clean_names(names, header=True)
        else:
            delimiter = delimiter_of(source, encoding, str(request.get("delimiter") or ""))
            told |= {"delimiter": delimiter, "header": bool(request.get("header", True))}
            rows = csv_records(file, delimiter, bad.add)
            names, notes, first = _head(rows, told["header"])
        columns = [Column(name, note, words, name in texts) for name, note in zip(names, notes, strict=True)]
        progress = Progress(source, out)
        total = _spill(rows, first, columns, spill, bad, lambda: progress.tell(file.buffer.tell()))  # type: ignore[attr-defined]
    choices = _choices(request)
    for column in columns:
        column.settle(choices.get(column.source.lower(), {}))
    used = [column for column in columns if column.use]
    _check(used)
    parts, rows_out, nulls = _write_cells(spill, columns, out, bad)
    spill.unlink()
    if (bad.count and request.get("on_bad_rows", "stop") != "skip") or (rows_out == 0 and bad.count):
        _remove(out, parts)
        parts = []
    return {
        "format": told,
        "rows_read": total,
        "rows": rows_out,
        "bad_count": bad.count,
        "bad_rows": sorted(bad.listed, key=lambda row: row["line"]),
        "columns": [_told(column, nulls.get(column.source, 0)) for column in columns],
        "parts": parts,
    }


def _choices(request: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What was chosen for each column, by its name in the file."""
    return {str(item.get("source") or item["name"]).lower(): item for item in request.get("columns") or []}


def _check(used: Sequence[Column]) -> None:
    """Raises Refused for a choice of columns that makes no table."""
    if not used:
        raise Refused("Every column is left out; keep at least one.")
    names = [column.name.lower() for column in used]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Refused(f"Two columns would be called {twice[0]!r}; give one of them another name.")


def _told(column: Column, nulls: int) -> dict[str, Any]:
    words = {word: many for word, many in column.missing.items() if word}
    note = column.note
    if words:
        told = (
            f"{many} cells say {word}, {'kept as text' if column.type == 'string' and word.strip() not in column.words else 'read as null'}"
            for word, many in words.items()
        )
        note = "; ".join(filter(None, [note, *told]))
    return {
        "source": column.source,
        "name": column.name,
        "use": column.use,
        "type": column.type,
        "guess": column.guess,
        "empty": nulls if column.use else column.kinds[MISSING],
        "examples": column.examples,
        "note": note,
    }


def _head(rows: Iterator[Record], header: bool) -> tuple[list[str], list[str], Record | None]:
    """Column names and notes on them, and the first data record where there is no header line."""
    found = next(rows, None)
    if found is None:
        raise Refused("The file is empty.")
    _, record = found
    if len(record) > MAX_COLUMNS:
        raise Refused(f"The file has {len(record)} columns; a table has at most {MAX_COLUMNS}.")
    names, notes = _clean_names(record if header else [f"column_{i + 1}" for i in range(len(record))], header=header)
    return names, notes, None if header else found


def _clean_names(raw: Sequence[str], *, header: bool) -> tuple[list[str], list[str]]:
    """Names that columns may have, each once, with a note where that is another than in the file."""
    names: list[str] = []
    notes: list[str] = []
    taken: set[str] = set()
    for index, text in enumerate(raw):
        plain = "".join(c if c.isprintable() and not "\ud800" <= c <= "\udfff" else "_" for c in text.strip())[:255]
        name = plain or f"column_{index + 1}"
        again = 2
        while name.lower() in taken:
            name, again = f"{plain or f'column_{index + 1}'}_{again}", again + 1
        taken.add(name.lower())
        names.append(name)
        notes.append("" if name == text.strip() or not header else f"called {text.strip()[:40]!r} in the file")
    return names, [note.encode("utf-8", "replace").decode() for note in notes]


def _spill(
    rows: Iterator[Record],
    first: Record | None,
    columns: list[Column],
    spill: Path,
    bad: BadRows,
    tell: Callable[[], None],
) -> int:
    """Keeps all cells as text on disk, with their lines, and counts their kinds; returns how many records were seen."""
    schema = pa.schema(
        [("line", pa.int64()), *((str(i), pa.dictionary(pa.int32(), pa.string())) for i in range(len(columns)))]
    )
    total = 0
    lines: list[int] = []
    chunk: list[list[str]] = []
    with pa.OSFile(str(spill), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:

        def flush() -> None:
            if chunk:
                cells = [pa.array(texts, pa.string()).dictionary_encode() for texts in zip(*chunk, strict=True)]
                for column, texts in zip(columns, cells, strict=True):
                    column.see(texts)
                writer.write_batch(pa.RecordBatch.from_arrays([pa.array(lines, pa.int64()), *cells], schema=schema))
                lines.clear()
                chunk.clear()
                tell()

        for line, record in [first] if first else []:
            total += _take(line, record, columns, lines, chunk, bad)
        for line, record in rows:
            total += _take(line, record, columns, lines, chunk, bad)
            if len(chunk) >= CHUNK_ROWS:
                flush()
        flush()
    return total


def _take(
    line: int, record: list[str], columns: list[Column], lines: list[int], chunk: list[list[str]], bad: BadRows
) -> int:
    if len(record) != len(columns):
        bad.add(line, "", f"{len(record)} fields, {len(columns)} expected", "the number of fields is wrong")
        return 1
    try:
        "".join(record).encode()
    except UnicodeEncodeError:
        index = next(i for i, text in enumerate(record) if any("\ud800" <= c <= "\udfff" for c in text))
        bad.add(line, columns[index].source, record[index], "is not UTF-8 text")
        return 1
    lines.append(line)
    chunk.append(record)
    return 1


def _write_cells(
    spill: Path, columns: list[Column], out: Path, bad: BadRows
) -> tuple[list[dict[str, Any]], int, dict[str, int]]:
    """Writes the good rows with their decided types; returns the parts, the row count and the nulls of each column used."""
    used = [(number, column) for number, column in enumerate(columns) if column.use]
    schema = pa.schema([(column.name, arrow_type(column.type)) for _, column in used])
    nulls = dict.fromkeys((column.source for _, column in used), 0)
    with _Parts(out, schema) as parts, pa.OSFile(str(spill), "rb") as file, pa.ipc.open_stream(file) as reader:
        for batch in reader:
            arrays: list[pa.Array] = []
            wrong: dict[int, tuple[Column, str]] = {}
            for number, column in used:
                array, faults = _cells(batch.column(number + 1), column)
                arrays.append(array)
                for row, text in faults:
                    wrong.setdefault(row, (column, text))
            table = pa.Table.from_arrays(arrays, schema=schema)
            if wrong:
                lines = batch.column(0)
                for row, (column, text) in sorted(wrong.items()):
                    bad.add(lines[row].as_py(), column.source, text, f"is no {KINDS.get(column.type, column.type)}")
                table = table.filter(pa.array([row not in wrong for row in range(table.num_rows)]))
            for (_, column), chunk in zip(used, table.columns, strict=True):
                nulls[column.source] += chunk.null_count
            parts.write(table)
    return parts.made, parts.rows, nulls


def _cells(texts: pa.DictionaryArray, column: Column) -> tuple[pa.Array, list[tuple[int, str]]]:
    """One chunk of a column in its type, and the rows whose text is none of it."""
    words = texts.dictionary.to_pylist()
    values = [column.value(word) for word in words]
    array = pa.array([None if value is BAD else value for value in values], arrow_type(column.type)).take(texts.indices)
    wrong = {index for index, value in enumerate(values) if value is BAD}
    if not wrong:
        return array, []
    return array, [(row, words[index]) for row, index in enumerate(texts.indices.to_pylist()) if index in wrong]


def _from_parquet(request: dict[str, Any], source: Path, out: Path) -> dict[str, Any]:
    """Reads Parquet of whatever kind and writes it in a table's types; a value that does not fit names its column and row."""
    with pq.ParquetFile(source, arrow_extensions_enabled=False) as file:
        had = file.schema_arrow
        if len({name.lower() for name in had.names}) < len(had.names):
            raise Refused("Two columns of the file have the same name; capital letters do not tell columns apart.")
        choices = [_choices(request).get(item.name.lower(), {}) for item in had]
        kinds = [
            arrow_type(str(choice["type"])) if choice.get("type") else kept_type(item.type, item.name)
            for item, choice in zip(had, choices, strict=True)
        ]
        columns = [
            Column(
                item.name,
                guess=name_of(kept_type(item.type, item.name)),
                type=name_of(kind),
                name=str(choice["name"]) if "source" in choice else item.name,
                use=bool(choice.get("use", True)),
            )
            for item, kind, choice in zip(had, kinds, choices, strict=True)
        ]
        used = [column for column in columns if column.use]
        _check(used)
        schema = pa.schema(
            [pa.field(column.name, kind) for column, kind in zip(columns, kinds, strict=True) if column.use]
        )
        nulls = dict.fromkeys((column.source for column in used), 0)
        seen, progress = 0, Progress(source, out)
        # A name with a dot would be read as a way into a struct; then everything is read.
        names = None if any("." in column.source for column in used) else [column.source for column in used]
        with _Parts(out, schema) as parts:
            for batch in file.iter_batches(batch_size=65_536, columns=names):
                arrays = []
                for column, item in zip(used, schema, strict=True):
                    array = batch.column(column.source)
                    try:
                        arrays.append(array.cast(item.type))
                    except pa.ArrowException as error:
                        raise Refused(
                            f"Column {column.source!r}, among rows {seen + 1} to {seen + batch.num_rows}: {error}"
                        ) from error
                    nulls[column.source] += array.null_count
                    if len(column.examples) < 3:
                        column.examples += [
                            str(value)[:SHOWN_CHARACTERS] for value in array.drop_null().slice(0, 3).to_pylist()
                        ]
                parts.write(pa.Table.from_arrays(arrays, schema=schema))
                seen += batch.num_rows
                progress.tell(round(progress.total * seen / max(1, file.metadata.num_rows)))
    return {
        "format": {"kind": "parquet"},
        "rows_read": seen,
        "rows": seen,
        "bad_count": 0,
        "bad_rows": [],
        "columns": [_told(column, nulls.get(column.source, 0)) for column in columns],
        "parts": parts.made,
    }


class _Parts:
    """Parquet parts in a folder, a new one after each 256 MB."""

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        self.folder, self.schema, self.rows = folder, schema, 0
        self.made: list[dict[str, Any]] = []
        self._writer: pq.ParquetWriter | None = None
        self._sink: BinaryIO | None = None
        self._rows_in_part = 0

    def __enter__(self) -> _Parts:
        return self

    def __exit__(self, *_: object) -> None:
        if not self.made and self._writer is None:
            self.write(self.schema.empty_table(), even_empty=True)
        self._close()

    def write(self, table: pa.Table, *, even_empty: bool = False) -> None:
        """Adds rows to the open part."""
        if table.num_rows == 0 and not even_empty:
            return
        if self._writer is None:
            self._sink = (self.folder / f"part-{len(self.made):05}.parquet").open("wb")
            self._writer = pq.ParquetWriter(self._sink, self.schema, compression="zstd", store_schema=False)
        self._writer.write_table(table, row_group_size=ROWS_PER_GROUP)
        self.rows += table.num_rows
        self._rows_in_part += table.num_rows
        if self._sink is not None and self._sink.tell() >= PART_BYTES:
            self._close()

    def _close(self) -> None:
        if self._writer is None or self._sink is None:
            return
        self._writer.close()
        self._sink.close()
        name = f"part-{len(self.made):05}.parquet"
        self.made.append({"name": name, "rows": self._rows_in_part, "bytes": (self.folder / name).stat().st_size})
        self._writer, self._sink, self._rows_in_part = None, None, 0


def _starts_with(source: Path, start: bytes) -> bool:
    with source.open("rb") as file:
        return file.read(len(start)) == start


def _remove(out: Path, parts: Sequence[dict[str, Any]]) -> None:
    for part in parts:
        (out / part["name"]).unlink()


def main(arguments: Sequence[str]) -> int:
    """Reads the request, writes `report.json`; 0 also when the file was refused, since that is an answer."""
    request = json.loads(Path(arguments[0]).read_text())
    out = Path(arguments[1])
    out.mkdir(exist_ok=True)
    try:
        report = parse(request, Path(request["source"]), out)
    except Refused as refused:
        report = {"refused": str(refused)}
    except (pa.ArrowException, OSError, UnicodeError) as error:
        report = {"refused": f"The file cannot be read: {str(error)[:300]}"}
    for leftover in [] if "refused" not in report else out.glob("part-*.parquet"):
        leftover.unlink()
    (out / "report.json.new").write_text(json.dumps(report))
    (out / "report.json.new").rename(out / "report.json")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
