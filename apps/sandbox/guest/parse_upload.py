"""Turns an uploaded CSV or Parquet file into Parquet that a table can take, and says of every bad row its line and why.

Runs as a guest: `python -m guest.parse_upload REQUEST.json OUTPUT_FOLDER` writes part files and `report.json` there. Types
are inferred from every row, never from a sample. Needs the standard library and pyarrow, nothing else.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from .parse_kinds import BAD, KINDS, MISSING, classify, convert, decide

CHUNK_ROWS = 50_000
ROWS_PER_GROUP = 131_072
PART_BYTES = 256 * 1024**2
LISTED_ROWS = 1000
SHOWN_CHARACTERS = 80
FIELD_BYTES = 16 * 1024**2
MAX_COLUMNS = 4000
DELIMITERS = ",;\t|"


class Refused(Exception):
    """The file cannot be taken at all; the message says why."""


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
    """What is known of one CSV column after all rows were seen."""

    name: str
    kinds: Counter[str] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    note: str = ""
    guess: str = "string"
    type: str = "string"

    def see(self, texts: pa.DictionaryArray) -> None:
        """Counts one chunk of cells."""
        counts = {item["values"]: item["counts"] for item in texts.indices.value_counts().to_pylist()}
        for index, text in enumerate(texts.dictionary.to_pylist()):
            many = counts.get(index, 0)
            kind = classify(text)
            self.kinds[kind] += many
            if kind == MISSING:
                self.missing[text] += many
            elif len(self.examples) < 3 and text not in self.examples:
                self.examples.append(text[:SHOWN_CHARACTERS])


def parse(request: dict[str, Any], source: Path, out: Path) -> dict[str, Any]:
    """The report of one file; its good rows lie as Parquet parts in `out` unless a bad one stops it."""
    bad = BadRows()
    kind = request.get("format") or ("parquet" if _starts_with(source, b"PAR1") else "csv")
    if kind == "parquet":
        return _from_parquet(request, source, out)
    if kind != "csv":
        raise Refused(f"{kind!r} is no format that can be read; use csv or parquet.")
    return _from_csv(request, source, out, bad)


def _from_csv(request: dict[str, Any], source: Path, out: Path, bad: BadRows) -> dict[str, Any]:
    encoding, delimiter = _dialect(source, request)
    with _text(source, encoding) as file:
        rows = _records(file, delimiter, bad)
        names, notes, first = _head(rows, bool(request.get("header", True)))
        columns = [Column(name, note=note) for name, note in zip(names, notes, strict=True)]
        spill = out / "cells.arrow"
        total = _spill(rows, first, columns, spill, bad)
    wanted = {str(item["name"]).lower(): str(item["type"]) for item in request.get("columns") or []}
    unknown = [name for name in wanted if name not in {column.name.lower() for column in columns}]
    if unknown and request.get("types_are_exact"):
        raise Refused(f"The file lacks the table's columns {', '.join(sorted(unknown))}.")
    for column in columns:
        column.guess = decide(column.kinds, column.missing)
        column.type = wanted.get(column.name.lower(), column.guess)
    skip = request.get("on_bad_rows", "stop") == "skip"
    parts, rows_out, nulls = _write_cells(spill, columns, out, bad)
    spill.unlink()
    if (bad.count and not skip) or rows_out == 0 and bad.count:
        _remove(out, parts)
        parts = []
    return {
        "format": {
            "kind": "csv",
            "encoding": encoding,
            "delimiter": delimiter,
            "header": bool(request.get("header", True)),
        },
        "rows_read": total,
        "rows": rows_out,
        "bad_count": bad.count,
        "bad_rows": sorted(bad.listed, key=lambda row: row["line"]),
        "columns": [_told(column, null) for column, null in zip(columns, nulls, strict=True)],
        "parts": parts,
    }


def _told(column: Column, nulls: int) -> dict[str, Any]:
    words = {word: many for word, many in column.missing.items() if word}
    note = column.note
    if words:
        read = "kept as text" if column.type == "string" else "read as null"
        note = "; ".join(filter(None, [note, *(f"{many} cells say {word}, {read}" for word, many in words.items())]))
    return {
        "name": column.name,
        "type": column.type,
        "guess": column.guess,
        "empty": nulls,
        "examples": column.examples,
        "note": note,
    }


def _dialect(source: Path, request: dict[str, Any]) -> tuple[str, str]:
    """Encoding by its mark, UTF-8 without one; the delimiter that splits the first lines most evenly."""
    with source.open("rb") as file:
        start = file.read(256 * 1024)
    encoding = "utf-8"
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if start.startswith(mark):
            encoding = name
    if request.get("delimiter"):
        delimiter = str(request["delimiter"])
        if len(delimiter) != 1 or delimiter in '"\r\n':
            raise Refused("The delimiter must be one character.")
        return encoding, delimiter
    lines = start.decode(encoding, "replace").splitlines()[:50]
    whole = lines[:-1] if len(lines) > 1 else lines

    def evenness(delimiter: str) -> tuple[int, int]:
        widths = Counter(len(row) for row in csv.reader(whole, delimiter=delimiter) if row)
        width, many = max(widths.items(), key=lambda item: (item[1], item[0]), default=(1, 0))
        return (many, width) if width > 1 else (0, 0)

    return encoding, max(DELIMITERS, key=evenness)


def _text(source: Path, encoding: str) -> io.TextIOWrapper:
    # Undecodable bytes become lone surrogates, so that a bad line is named instead of ending the file.
    return source.open("r", encoding=encoding, errors="surrogateescape", newline="")


def _records(file: io.TextIOWrapper, delimiter: str, bad: BadRows) -> Iterator[tuple[int, list[str]]]:
    """Each record with the line it starts on; blank lines are left out, unreadable records told."""
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
            bad.add(line, "", "", why)
            continue
        if record:
            yield line, record


def _head(
    rows: Iterator[tuple[int, list[str]]], header: bool
) -> tuple[list[str], list[str], tuple[int, list[str]] | None]:
    """Column names and notes on them, and the first data record where there is no header line."""
    found = next(rows, None)
    if found is None:
        raise Refused("The file is empty.")
    _, record = found
    if len(record) > MAX_COLUMNS:
        raise Refused(f"The file has {len(record)} columns; a table has at most {MAX_COLUMNS}.")
    raw = record if header else [f"column_{i + 1}" for i in range(len(record))]
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
    return names, [note.encode("utf-8", "replace").decode() for note in notes], None if header else found


def _spill(
    rows: Iterator[tuple[int, list[str]]],
    first: tuple[int, list[str]] | None,
    columns: list[Column],
    spill: Path,
    bad: BadRows,
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
        bad.add(line, columns[index].name, record[index], "is not UTF-8 text")
        return 1
    lines.append(line)
    chunk.append(record)
    return 1


def _write_cells(
    spill: Path, columns: list[Column], out: Path, bad: BadRows
) -> tuple[list[dict[str, Any]], int, list[int]]:
    """Writes the good rows with their decided types; returns the parts, the row count and the nulls of each column."""
    schema = pa.schema([(column.name, _arrow(column.type)) for column in columns])
    nulls = [0] * len(columns)
    with _Parts(out, schema) as parts, pa.OSFile(str(spill), "rb") as file, pa.ipc.open_stream(file) as reader:
        for batch in reader:
            arrays: list[pa.Array] = []
            wrong: dict[int, tuple[Column, str]] = {}
            for number, column in enumerate(columns):
                array, faults = _cells(batch.column(number + 1), column)
                arrays.append(array)
                for row, text in faults:
                    wrong.setdefault(row, (column, text))
            table = pa.Table.from_arrays(arrays, schema=schema)
            if wrong:
                lines = batch.column(0)
                for row, (column, text) in sorted(wrong.items()):
                    bad.add(lines[row].as_py(), column.name, text, f"is no {KINDS.get(column.type, column.type)}")
                table = table.filter(pa.array([row not in wrong for row in range(table.num_rows)]))
            nulls = [have + chunk.null_count for have, chunk in zip(nulls, table.columns, strict=True)]
            parts.write(table)
    return parts.made, parts.rows, nulls


def _cells(texts: pa.DictionaryArray, column: Column) -> tuple[pa.Array, list[tuple[int, str]]]:
    """One chunk of a column in its type, and the rows whose text is none of it."""
    words = texts.dictionary.to_pylist()
    values = [convert(word, column.type) for word in words]
    array = pa.array([None if value is BAD else value for value in values], _arrow(column.type)).take(texts.indices)
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
        wanted = {str(item["name"]).lower(): str(item["type"]) for item in request.get("columns") or []}
        kinds = [
            _arrow(wanted[item.name.lower()]) if item.name.lower() in wanted else _kept(item.type, item.name)
            for item in had
        ]
        schema = pa.schema([pa.field(item.name, kind) for item, kind in zip(had, kinds, strict=True)])
        nulls = [0] * len(schema)
        seen = 0
        with _Parts(out, schema) as parts:
            for batch in file.iter_batches(batch_size=65_536):
                arrays = []
                for item, array in zip(schema, batch.columns, strict=True):
                    try:
                        arrays.append(array.cast(item.type))
                    except pa.ArrowException as error:
                        raise Refused(
                            f"Column {item.name!r}, among rows {seen + 1} to {seen + batch.num_rows}: {error}"
                        ) from error
                nulls = [have + array.null_count for have, array in zip(nulls, arrays, strict=True)]
                parts.write(pa.Table.from_arrays(arrays, schema=schema))
                seen += batch.num_rows
    columns = [
        {
            "name": item.name,
            "type": _named(item.type),
            "guess": str(had.field(i).type),
            "empty": nulls[i],
            "examples": [],
            "note": "",
        }
        for i, item in enumerate(schema)
    ]
    return {
        "format": {"kind": "parquet"},
        "rows_read": seen,
        "rows": seen,
        "bad_count": 0,
        "bad_rows": [],
        "columns": columns,
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


_PLAIN = {
    "string": pa.string(),
    "long": pa.int64(),
    "integer": pa.int32(),
    "short": pa.int16(),
    "byte": pa.int8(),
    "double": pa.float64(),
    "float": pa.float32(),
    "boolean": pa.bool_(),
    "binary": pa.binary(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
    "timestamp_ntz": pa.timestamp("us"),
}


def _arrow(name: str) -> pa.DataType:
    if name in _PLAIN:
        return _PLAIN[name]
    if name.startswith("decimal("):
        precision, scale = (int(part) for part in name[8:-1].split(","))
        return pa.decimal128(precision, scale)
    raise Refused(f"{name!r} is no type that a file can be read as.")


def _named(kind: pa.DataType) -> str:
    return next((name for name, known in _PLAIN.items() if known == kind), str(kind))


def _kept(kind: pa.DataType, column: str) -> pa.DataType:
    """The type in which a table keeps a Parquet column; wider where a table has no such type."""
    types = pa.types
    wider = {
        pa.uint8(): pa.int16(),
        pa.uint16(): pa.int32(),
        pa.uint32(): pa.int64(),
        pa.uint64(): pa.int64(),
        pa.float16(): pa.float32(),
    }
    if types.is_dictionary(kind):
        return _kept(kind.value_type, column)
    if kind in wider:
        return wider[kind]
    if types.is_large_string(kind) or types.is_string_view(kind):
        return pa.string()
    if types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return pa.binary()
    if types.is_timestamp(kind):
        return pa.timestamp("us", "UTC" if kind.tz else None)
    if types.is_date64(kind):
        return pa.date32()
    if types.is_list(kind) or types.is_large_list(kind):
        return pa.list_(pa.field("element", _kept(kind.value_type, column)))
    if types.is_struct(kind):
        return pa.struct(
            [pa.field(kind.field(i).name, _kept(kind.field(i).type, column)) for i in range(kind.num_fields)]
        )
    if types.is_map(kind):
        return pa.map_(_kept(kind.key_type, column), _kept(kind.item_type, column))
    if kind in _PLAIN.values() or types.is_decimal128(kind):
        return kind
    raise Refused(f"Column {column!r} is {kind}, which no table can hold.")


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
