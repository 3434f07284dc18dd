"""Uploaded files: types from every row, bad rows named by line, nothing half-written. Pure: no guest, no database."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.sandbox.guest import parse_upload
from apps.sandbox.guest.parse_kinds import BAD, MISSING, classify, convert, decide
from apps.tables import parquet


def parse(tmp_path: Path, content: str | bytes, **request: Any) -> dict[str, Any]:
    source, out = tmp_path / "upload", tmp_path / "out"
    source.write_bytes(content.encode() if isinstance(content, str) else content)
    out.mkdir(exist_ok=True)
    (tmp_path / "request.json").write_text(json.dumps({"source": str(source), **request}))
    assert parse_upload.main([str(tmp_path / "request.json"), str(out)]) == 0
    return json.loads((out / "report.json").read_text())


def rows(tmp_path: Path) -> list[dict[str, Any]]:
    parts = sorted((tmp_path / "out").glob("part-*.parquet"))
    for part in parts:
        parquet.inspect(part)
    return [row for part in parts for row in pq.read_table(part).to_pylist()]


def types(report: dict[str, Any]) -> dict[str, str]:
    return {column["name"]: column["type"] for column in report["columns"]}


def test_types_come_from_every_row(tmp_path: Path) -> None:
    late = "".join(f"{i},1\n" for i in range(120_000)) + "1.5,1\n"
    report = parse(tmp_path, "x,y\n" + late)
    assert types(report) == {"x": "double", "y": "long"} and report["rows"] == 120_001


def test_each_kind_of_column(tmp_path: Path) -> None:
    text = (
        "n,x,day,at,zone,ok,zip,name,gap\n"
        "1,1.5,2013-01-01,2013-01-01 05:00:00,2013-01-01T05:00:00+02:00,true,02139,Ana,\n"
        "-2,2,2013-12-31,2013-01-01T05:00:00.25,2013-01-01T05:00:00Z,FALSE,10001,NA,\n"
    )
    report = parse(tmp_path, text)
    assert list(types(report).values()) == [
        *("long", "double", "date", "timestamp_ntz", "timestamp", "boolean", "string", "string", "string")
    ]
    first, second = rows(tmp_path)
    assert first["zip"] == "02139" and second["name"] == "NA" and first["gap"] is None
    assert first["zone"].hour == 3 and second["ok"] is False


def test_bad_rows_are_named_by_line_and_nothing_is_written(tmp_path: Path) -> None:
    text = 'n,note\n1,"two\nlines"\n2h10,b\n3\n4,d\n5,e\n6,f\n'
    report = parse(tmp_path, text)
    assert [(row["line"], row["column"], row["found"]) for row in report["bad_rows"]] == [
        (4, "n", "2h10"),
        (5, "", "1 fields, 2 expected"),
    ]
    assert report["bad_rows"][0]["why"] == "is no whole number"
    assert report["parts"] == [] and rows(tmp_path) == []


def test_bad_rows_can_be_left_out(tmp_path: Path) -> None:
    report = parse(tmp_path, "n\n1\nx\n3\n4\n", on_bad_rows="skip")
    assert report["bad_count"] == 1 and [row["n"] for row in rows(tmp_path)] == [1, 3, 4]


def test_a_tables_own_types_decide_when_they_are_given(tmp_path: Path) -> None:
    columns = [{"name": "N", "type": "string"}, {"name": "price", "type": "decimal(6,2)"}]
    report = parse(tmp_path, "n,price\n007,1.50\n8,1234567.0\n", columns=columns)
    assert types(report) == {"n": "string", "price": "decimal(6,2)"}
    assert [(row["line"], row["column"]) for row in report["bad_rows"]] == [(3, "price")]


@pytest.mark.parametrize(
    ("content", "delimiter", "encoding"),
    [
        ("a;b\n1,5;2\n3,5;4\n", ";", "utf-8"),
        ("a\tb\n1\t2\n", "\t", "utf-8"),
        ("\ufeffa,b\n1,2\n", ",", "utf-8-sig"),
        ("a,b\n1,é\n".encode("utf-16"), ",", "utf-16"),
    ],
)
def test_dialects_are_found(tmp_path: Path, content: str | bytes, delimiter: str, encoding: str) -> None:
    report = parse(tmp_path, content)
    assert (report["format"]["delimiter"], report["format"]["encoding"]) == (delimiter, encoding)
    assert list(types(report)) == ["a", "b"]


def test_bytes_that_are_no_text_make_a_bad_row_not_a_crash(tmp_path: Path) -> None:
    report = parse(tmp_path, b"a,b\n1,ok\n2,\xff\xfe\n3,fine\n")
    assert [(row["line"], row["column"], row["why"]) for row in report["bad_rows"]] == [(3, "b", "is not UTF-8 text")]


def test_an_open_quote_is_told(tmp_path: Path) -> None:
    report = parse(tmp_path, 'a,b\n1,x\n2,"never closed\n3,y\n')
    assert report["bad_rows"] == [{"line": 3, "column": "", "found": "", "why": "a quote is never closed"}]


def test_heads_get_usable_and_distinct_names(tmp_path: Path) -> None:
    report = parse(tmp_path, "Name,name,,a\tb\n1,2,3,4\n", delimiter=",")
    assert list(types(report)) == ["Name", "name_2", "column_3", "a_b"]
    assert report["columns"][1]["note"] == "called 'name' in the file"


def test_an_empty_file_is_refused_in_words(tmp_path: Path) -> None:
    assert parse(tmp_path, "") == {"refused": "The file is empty."}


def test_parquet_is_rewritten_in_a_tables_types(tmp_path: Path) -> None:
    stamp = pa.array([1_000_000_000], pa.timestamp("ns", "Europe/Oslo"))
    table = pa.table({"n": pa.array([7], pa.uint32()), "at": stamp, "c": pa.array(["x"]).dictionary_encode()})
    pq.write_table(table, tmp_path / "f.parquet")
    report = parse(tmp_path, (tmp_path / "f.parquet").read_bytes())
    assert types(report) == {"n": "long", "at": "timestamp", "c": "string"} and rows(tmp_path)[0]["n"] == 7


def test_parquet_values_that_do_not_fit_are_told(tmp_path: Path) -> None:
    pq.write_table(pa.table({"n": pa.array([2**63 + 1], pa.uint64())}), tmp_path / "f.parquet")
    report = parse(tmp_path, (tmp_path / "f.parquet").read_bytes())
    assert "Column 'n', among rows 1 to 1" in report["refused"]


@given(st.text(max_size=40))
def test_every_text_has_one_kind_and_converts_to_it(text: str) -> None:
    kind = classify(text) if text.strip() else MISSING
    if kind == MISSING:
        assert convert(text, "double") is None
    else:
        assert convert(text, kind) is not BAD


@settings(max_examples=50)
@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_integers_come_back_exactly(values: list[int]) -> None:
    texts = [str(value) for value in values]
    assert decide({classify(text): 1 for text in texts}, {}) == "long"
    assert [convert(text, "long") for text in texts] == values


def test_columns_are_renamed_left_out_and_read_with_own_words_for_null(tmp_path: Path) -> None:
    columns = [
        {"source": "dep", "name": "departure", "type": "double"},
        {"source": "note", "name": "note", "type": "string", "use": False},
        {"source": "city", "name": "city", "type": "string"},
    ]
    report = parse(tmp_path, "dep,note,city\n1,a,-\nmissing,b,JFK\n", columns=columns, null_words=["missing", "-"])
    assert rows(tmp_path) == [{"departure": 1.0, "city": None}, {"departure": None, "city": "JFK"}]
    told = {column["source"]: column for column in report["columns"]}
    assert (told["note"]["use"], told["dep"]["name"], told["city"]["empty"]) == (False, "departure", 1)
    assert "1 cells say missing, read as null" in told["dep"]["note"]
    for wrong in ([{**columns[0], "name": "city"}], [{**column, "use": False} for column in columns]):
        assert "refused" in parse(tmp_path, "dep,note,city\n1,a,b\n", columns=wrong)


def test_parquet_columns_are_renamed_and_left_out(tmp_path: Path) -> None:
    table = pa.table({"a.b": [1, 2], "gone": ["x", "y"], "n": [1, None]})
    pq.write_table(table, tmp_path / "in.parquet")
    columns = [
        {"source": "a.b", "name": "ab", "type": "double"},
        {"source": "gone", "name": "gone", "type": "string", "use": False},
    ]
    parse(tmp_path, (tmp_path / "in.parquet").read_bytes(), columns=columns)
    assert rows(tmp_path) == [{"ab": 1.0, "n": 1}, {"ab": 2.0, "n": None}]


def test_json_lines(tmp_path: Path) -> None:
    text = (
        '{"n": 1, "zip": "02139", "code": "7", "at": "2013-01-01T05:00:00Z", "ok": true, "tags": ["a"]}\n'
        "\n"
        '{"n": 2.5, "code": "8", "new": {"deep": 1}}\n'
        "[1]\n"
        '{"n": \n'
    )
    report = parse(tmp_path, text, on_bad_rows="skip")
    assert report["format"]["kind"] == "jsonl"
    assert types(report) == {"n": "double", "zip": "string", "code": "string", "at": "timestamp", "ok": "boolean", "tags": "string", "new": "string"}  # fmt: skip
    assert [(row["line"], row["why"]) for row in report["bad_rows"]] == [(4, "is no JSON object"), (5, "is no JSON")]
    first, second = rows(tmp_path)
    assert (first["n"], first["zip"], first["tags"], second["new"], second["ok"]) == (
        1.0,
        "02139",
        '["a"]',
        '{"deep": 1}',
        None,
    )
    deep = parse(tmp_path, '{"a": ' + "[" * 100_000 + "\n" + '{"a": 1}\n', on_bad_rows="skip", format="jsonl")
    assert deep["bad_count"] == 1 and deep["rows"] == 1


def test_a_file_that_windows_wrote(tmp_path: Path) -> None:
    text = "city\nZürich\nMálaga\nÅrhus\n"
    report = parse(tmp_path, text.encode("cp1252"))
    assert report["format"]["encoding"] == "cp1252" and [row["city"] for row in rows(tmp_path)] == [
        "Zürich",
        "Málaga",
        "Århus",
    ]
    assert parse(tmp_path, text.encode("utf-16"))["format"]["encoding"] == "utf-16"
    assert parse(tmp_path, text.encode("cp1252"), encoding="utf-8")["bad_count"] == 3
    assert "refused" in parse(tmp_path, text, encoding="rot13")


def test_progress_is_told_while_a_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse_upload, "TELL_SECONDS", 0.0)
    parse(tmp_path, "n\n" + "1\n" * 120_000)
    told = json.loads((tmp_path / "out" / "progress.json").read_text())
    assert 0 < told["done"] <= told["total"] == 240_002
