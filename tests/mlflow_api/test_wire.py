"""The wire: what may stand in a field, and how a wrong one is named."""

from __future__ import annotations

import math

import pytest

from apps.foundation.errors import Invalid
from apps.mlflow_api.messages.tracking import CreateExperiment, LogBatch, LogMetric, SearchRuns, UpdateRun
from apps.mlflow_api.wire import decode, decode_query, parse_json


def metric(**fields):
    return decode(LogMetric, {"run_id": "r", "key": "k", "value": 1, "timestamp": 1, **fields})


@pytest.mark.parametrize(
    ("sent", "read"),
    [(5, 5.0), ("5", 5.0), (1e-300, 1e-300), ("Infinity", math.inf), ("-Infinity", -math.inf), ("1e3", 1000.0)],
)
def test_doubles(sent, read):
    assert metric(value=sent).value == read


def test_nan_is_a_word_and_never_a_literal():
    assert math.isnan(metric(value="NaN").value)
    with pytest.raises(Invalid, match="NaN is not JSON"):
        parse_json(b'{"value": NaN}')


@pytest.mark.parametrize("sent", ["inf", "nan", "1_0", "", True, [], "x", 10**400])
def test_what_is_no_double(sent):
    with pytest.raises(Invalid, match="parameter 'value' supplied"):
        metric(value=sent)


@pytest.mark.parametrize(("sent", "read"), [(7, 7), ("7", 7), (7.9, 7), ("7.9", 7), ("-3", -3)])
def test_integers_come_as_numbers_and_texts_and_lose_their_fraction(sent, read):
    assert metric(step=sent).step == read


@pytest.mark.parametrize("sent", [2**63, str(2**63), "1e400", "seven", True])
def test_what_is_no_64_bit_integer(sent):
    with pytest.raises(Invalid, match="parameter 'step' supplied"):
        metric(step=sent)


def test_wrong_types_are_named_by_path():
    with pytest.raises(Invalid, match="Invalid value 49 for parameter 'name' supplied"):
        decode(CreateExperiment, {"name": 49})
    with pytest.raises(Invalid, match=r"Missing value for required parameter 'metrics\[0\].timestamp'"):
        decode(LogBatch, {"metrics": [{"key": "k", "value": 1}]})
    with pytest.raises(Invalid, match="Missing value for required parameter 'name'"):
        decode(CreateExperiment, {"name": ""})


def test_unknown_fields_and_enum_values_are_ignored_and_numbers_are_enums():
    assert decode(UpdateRun, {"status": "BOGUS", "other": {}}).status is None
    assert decode(UpdateRun, {"status": 3}).status == "FINISHED"


def test_query_strings_repeat_keys_for_lists():
    message = decode_query(SearchRuns, {"order_by": ["a", "b"], "max_results": ["5"], "filter": ["x"]})
    assert (message.order_by, message.max_results, message.filter) == (["a", "b"], 5, "x")


@pytest.mark.parametrize("body", [b'{"a":1,"a":2}', b"[1]", b"{", b'"x"', b"[" * 100_000, b"\xff"])
def test_bodies_that_are_refused(body):
    with pytest.raises(Invalid):
        parse_json(body)


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_texts_that_cannot_be_stored(text):
    with pytest.raises(Invalid, match="parameter 'name'"):
        decode(CreateExperiment, {"name": text})
