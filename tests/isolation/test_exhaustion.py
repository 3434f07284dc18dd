"""What one request may cost: time in proportion to its length, and no more of anything than its caller may have."""

from __future__ import annotations

import time

import pytest
from django.test import RequestFactory

from apps.foundation.errors import Invalid
from apps.foundation.pages import parse_filter as parse_page_filter
from apps.mlflow_api.filters import FILTER_MAX, ORDERS_MAX, RUNS, parse_filter, parse_order
from tests.builders import World

REPEATED = ["1", "1.", ".1", "1e", "a.", "a.'", "`", "'", "'\"", "-", "Run ", "run.", "x.`", "1 ", "é"]
END = ["", "a", "'", "`", '"']


@pytest.mark.parametrize("end", END)
@pytest.mark.parametrize("piece", REPEATED)
def test_a_filter_is_read_in_one_pass(piece: str, end: str) -> None:
    text = piece * (FILTER_MAX // len(piece) - 1) + end
    began = time.process_time()
    with pytest.raises(Invalid):
        parse_filter(text, RUNS)
    assert time.process_time() - began < 2


@pytest.mark.parametrize("piece", ["a", "-a", "a.", "_", '"', 'a:"', "-"])
def test_a_filter_of_a_page_is_read_in_one_pass(piece: str) -> None:
    request = RequestFactory().get("/", {"q": piece * (60_000 // len(piece))})
    began = time.process_time()
    parse_page_filter(request, ["owner"])
    assert time.process_time() - began < 2


def test_a_filter_of_a_page_still_says_the_same() -> None:
    found = parse_page_filter(RequestFactory().get("/", {"q": "red -owner:ada x-state:ok metrics.a>=1"}), ["owner"])
    assert [(token.name, token.operator, token.value, token.negated) for token in found.tokens] == [
        ("owner", ":", "ada", True),
        ("state", ":", "ok", True),
        ("metrics.a", ">=", "1", False),
    ]
    assert found.words == "red x"


def test_an_order_has_an_end(world: World) -> None:
    assert len(parse_order([f"metrics.m{n}" for n in range(ORDERS_MAX)], RUNS)) == ORDERS_MAX
    with pytest.raises(Invalid, match=f"at most {ORDERS_MAX}"):
        parse_order([f"metrics.m{n}" for n in range(ORDERS_MAX + 1)], RUNS)
    orders = [{"field_name": f"metrics.m{n}"} for n in range(ORDERS_MAX + 1)]
    body = {"experiment_ids": ["1"], "order_by": orders}
    assert world.api.post("/api/2.0/mlflow/logged-models/search", body).status_code == 400
    assert world.api.post("/api/2.0/mlflow/logged-models/search", {**body, "order_by": orders[1:]}).status_code == 200
