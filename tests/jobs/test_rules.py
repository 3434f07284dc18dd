"""The pure rules: which moves there are, and what parameters a script gets."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.foundation.errors import Conflict, Invalid
from apps.jobs import lifecycle, parameters
from apps.jobs.lifecycle import ACTIVE, FINAL, MOVES, State


@dataclass
class Row:
    state: str
    reason: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    saved: list[Any] = field(default_factory=list)

    def save(self, update_fields: list[str]) -> None:
        self.saved.append(update_fields)


@pytest.mark.parametrize("before", list(State))
@pytest.mark.parametrize("after", list(State))
def test_a_row_moves_as_the_table_says_and_never_otherwise(before: State, after: State) -> None:
    row = Row(before)
    if after in MOVES[before]:
        lifecycle.enter(row, after, "why")
        assert (row.state, row.reason) == (after, "why") and row.saved
        assert (row.ended_at is not None) == (after in FINAL)
        assert row.started_at is not None or after not in ACTIVE
    else:
        with pytest.raises(Conflict):
            lifecycle.enter(row, after)
        assert row.state == before and not row.saved


def test_what_has_succeeded_stays_and_canceling_never_goes_back() -> None:
    assert not MOVES[State.SUCCEEDED]
    assert MOVES[State.CANCELING] == FINAL
    assert all(MOVES[state] <= {State.QUEUED} for state in FINAL)


DECLARED = [
    {"name": "months", "type": "text", "default": "1-6"},
    {"name": "trees", "type": "integer", "default": 100, "choices": [10, 100]},
    {"name": "rate", "type": "number"},
    {"name": "register", "type": "boolean", "default": False},
]


def test_parameters_are_filled_and_become_arguments() -> None:
    values = parameters.fill(parameters.check_declared(DECLARED), {"rate": 0.5, "months": "-1; rm -rf /"})
    assert parameters.to_arguments(values) == ["--months=-1; rm -rf /", "--trees=100", "--rate=0.5", "--register=false"]


@pytest.mark.parametrize(
    ("given_values", "field"),
    [
        ({}, "rate"), ({"rate": "x"}, "rate"), ({"rate": float("nan")}, "rate"), ({"rate": True}, "rate"),
        ({"rate": 1, "trees": 11}, "trees"), ({"rate": 1, "trees": 10.5}, "trees"), ({"rate": 1, "register": 1}, "register"),
        ({"rate": 1, "months": "a\0b"}, "months"), ({"rate": 1, "unknown": 1}, "unknown"),
    ],
)  # fmt: skip
def test_wrong_values_are_named(given_values: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as error:
        parameters.fill(DECLARED, given_values)
    assert field in error.value.fields


@pytest.mark.parametrize("name", ["", "-x", "a b", "1a", "a=b", "x" * 65, "ü"])
def test_names_that_would_be_options_of_something_else_are_refused(name: str) -> None:
    with pytest.raises(Invalid):
        parameters.check_declared([{"name": name, "type": "text"}])


@given(st.text(max_size=30))
def test_a_text_value_stays_one_argument(value: str) -> None:
    if "\0" not in value:
        values = parameters.fill([{"name": "a", "type": "text"}], {"a": value})
        assert parameters.to_arguments(values) == [f"--a={value}"]
