"""The lines beside a history: every commit is met by the lines that lead to it, and none ends in nothing."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.repos.graph import LANES, lanes, width


def test_a_straight_history_is_one_lane() -> None:
    rows = lanes([("c", ["b"]), ("b", ["a"]), ("a", [])])
    assert [row.lane for row in rows] == [0, 0, 0] and width(rows) == 1
    assert rows[0].above == [] and rows[0].below == [(0, 0)] and rows[2].below == []


def test_a_merge_opens_a_lane_that_its_side_closes() -> None:
    rows = lanes([("m", ["b", "s"]), ("s", ["a"]), ("b", ["a"]), ("a", [])])
    assert [row.lane for row in rows] == [0, 1, 0, 0] and rows[0].is_merge and width(rows) == 2
    assert rows[0].below == [(0, 0), (0, 1)] and rows[3].above == [(0, 0), (1, 0)]


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, list[str]]]:
    count = draw(st.integers(1, 30))
    return [
        (str(n), [str(p) for p in draw(st.lists(st.integers(n + 1, count), max_size=3, unique=True))])
        for n in range(count)
    ]


@given(histories())
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_lines_go_on_from_row_to_row(history: list[tuple[str, list[str]]]) -> None:
    rows = lanes(history)
    assert len(rows) == len(history)
    for row, following in zip(rows, rows[1:], strict=False):
        assert {to for _, to in row.below} == {start for start, _ in following.above}
    assert all(0 <= row.lane < LANES for row in rows)
