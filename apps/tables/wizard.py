"""The upload wizard between the reader's report and a version: what the page shows, what a person's choices mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from django.http import QueryDict

from apps.tables.models import StagedWrite, Table

TYPES = ("string", "long", "double", "boolean", "timestamp", "date", "integer", "float", "timestamp_ntz")
SEPARATORS = (("", "found by itself"), (",", "comma"), (";", "semicolon"), ("tab", "tab"), ("|", "bar"))
ENCODINGS = (
    ("", "found by itself"),
    ("utf-8", "UTF-8"),
    ("utf-16", "UTF-16"),
    ("cp1252", "Windows (cp1252)"),
    ("latin-1", "Latin-1"),
)
BARS = 11
SHOWN_BAD = 100
NOTED_LINES = 20


def shown(row: StagedWrite) -> dict[str, Any]:
    """What the page says of an upload."""
    report, options, table = row.report or {}, row.options or {}, row.table
    columns = [{"source": column["name"], "use": True, **column} for column in report.get("columns", [])]
    used = [column for column in columns if column["use"]]
    there = {str(column["name"]).lower(): str(column["type"]) for column in table.columns} if table else {}
    names = {str(column["name"]).lower() for column in used}
    return {
        "write": row,
        "table": table,
        "report": report,
        "columns": columns,
        "types": TYPES,
        "corrected": sum(column["use"] and column["guess"] != column["type"] for column in columns),
        "missing": [name for name in there if name not in names],
        "new": [column["name"] for column in used if table and str(column["name"]).lower() not in there],
        "unfit": {
            c["name"]: there[c["name"].lower()] for c in used if there.get(c["name"].lower(), c["type"]) != c["type"]
        },
        "reading": row.state == StagedWrite.State.PARSING,
        "percent": _percent(report.get("progress")),
        "refused": row.state == StagedWrite.State.REFUSED,
        "skips": options.get("on_bad_rows") == "skip",
        "blocked": bool(report.get("bad_count")) and not report.get("parts"),
        "listed_bad": report.get("bad_rows", [])[:SHOWN_BAD],
        "null_words": ", ".join(options.get("null_words", [])),
        "separators": SEPARATORS,
        "encodings": ENCODINGS,
        "delimiter": "tab" if options.get("delimiter") == "\t" else options.get("delimiter", ""),
        "encoding": options.get("encoding", ""),
        "after": (table.rows if table else 0) + (report.get("rows") or 0),
        "next": table.version + 1 if table else 0,
    }


def dialect(posted: Mapping[str, str]) -> dict[str, Any]:
    """How the file is written, as chosen in the form."""
    found: dict[str, Any] = {"header": posted.get("header", "on") == "on"}
    if delimiter := posted.get("delimiter", ""):
        found["delimiter"] = "\t" if delimiter == "tab" else delimiter[:1]
    if encoding := posted.get("encoding", ""):
        found["encoding"] = encoding[:20]
    if words := [word.strip()[:100] for word in posted.get("null_words", "").split(",") if word.strip()]:
        found["null_words"] = words[:50]
    return found


def wish_of(row: StagedWrite, posted: QueryDict) -> dict[str, Any]:
    """The whole wish of the form, as the reader takes it."""
    report = row.report or {}
    wish = dialect({"header": "", **cast("dict[str, str]", posted.dict())})
    wish["on_bad_rows"] = "skip" if posted.get("on_bad_rows") == "skip" else "stop"
    same_shape = wish["header"] == report.get("format", {}).get("header", wish["header"]) and (
        wish.get("delimiter") in (None, report.get("format", {}).get("delimiter"))
    )
    # Other separators make other columns: what was chosen for the old ones means nothing then.
    if same_shape and report.get("columns"):
        wish["columns"] = [_column_wish(column, posted) for column in report["columns"]]
    return wish


def _column_wish(column: Mapping[str, Any], posted: QueryDict) -> dict[str, Any]:
    source = str(column.get("source") or column["name"])
    kind = posted.get(f"type:{source}", str(column["type"]))
    return {
        "source": source,
        "name": posted.get(f"name:{source}", str(column["name"])).strip()[:255] or source,
        "type": kind if kind in TYPES or kind == column["type"] else str(column["type"]),
        "use": f"name:{source}" not in posted or posted.get(f"use:{source}") == "on",
    }


def differs(row: StagedWrite, wish: Mapping[str, Any]) -> bool:
    """Whether the form wishes something else than what was read."""
    read, report = row.options or {}, row.report or {}
    if any(wish.get(name) != read.get(name) for name in ("null_words", "encoding", "delimiter")):
        return True
    if "header" in report.get("format", {}) and wish["header"] != report["format"]["header"]:
        return True
    if report.get("bad_count") and wish["on_bad_rows"] != read.get("on_bad_rows", "stop"):
        return True
    have = [(c.get("source") or c["name"], c["name"], c["type"], c.get("use", True)) for c in report.get("columns", [])]
    return [(c["source"], c["name"], c["type"], c["use"]) for c in wish.get("columns", [])] != have


def note_of(row: StagedWrite, note: str) -> str:
    """The note of the version: what the person wrote, and which rows were left out."""
    left_out = row.report.get("bad_count", 0)
    if not left_out:
        return note.strip()[:2000]
    lines = [f"{bad['line']:,}" for bad in row.report.get("bad_rows", [])[:NOTED_LINES]]
    more = ", ..." if left_out > len(lines) else ""
    told = f"{left_out:,} rows of {row.file_name} left out: line {', '.join(lines)}{more}"
    return f"{note.strip()[:1500]}. {told}" if note.strip() else told


def growth(table: Table, coming: int) -> list[tuple[str, int, int]]:
    """Rows that the last versions added, and this file last: (label, rows, height in percent)."""
    added = table.versions.filter(rows_added__gt=0).order_by("-version")[:BARS]
    pairs = [(f"v{version.version}", version.rows_added) for version in added][::-1]
    pairs.append((f"v{table.version + 1}", coming))
    top = max(rows for _, rows in pairs) or 1
    return [(label, rows, round(100 * rows / top)) for label, rows in pairs]


def _percent(progress: Any) -> int | None:
    return round(100 * progress["done"] / progress["total"]) if progress else None
