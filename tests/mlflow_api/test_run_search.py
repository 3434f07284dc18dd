"""MLflow's search language over HTTP: each filter and order against what it must find, in every plan."""

from __future__ import annotations

import pytest

from apps.experiments import finder
from apps.experiments.search import Stage
from apps.foundation.errors import Invalid
from apps.mlflow_api.filters import EXPERIMENTS, LOGGED_MODELS, MODELS, RUNS, VERSIONS, parse_filter, parse_order
from tests.mlflow_api.test_tracking import Mlflow

RUNS_MADE = {
    # name: (start, metrics, params, tags)
    "a": (10, {"m": 0.1, "n": 1}, {"p": "1", "lr x": "0.1"}, {"t": "x", "mlflow.user": "ada"}),
    "b": (20, {"m": 0.5, "n": 1}, {"p": "10"}, {"t": "Y"}),
    "c": (30, {"m": "NaN", "n": 1}, {"p": "9"}, {}),
    "d": (40, {"m": "Infinity", "n": 1}, {}, {"t": "100%"}),
    "e": (50, {"n": 2}, {"p": "1"}, {"t": "x"}),
    "f": (50, {"m": -2}, {"q": "z" * 300}, {}),
}


@pytest.fixture
def client(world):
    client = Mlflow(world.api)
    ids = {}
    for name, (start, metrics, params, tags) in RUNS_MADE.items():
        told = [{"key": key, "value": value} for key, value in tags.items()]
        ids[name] = client.run(start_time=start, run_name=name, tags=told, user_id=f"user-{name}")
        client.post(
            "runs/log-batch",
            run_id=ids[name],
            metrics=[{"key": key, "value": value, "timestamp": 1} for key, value in metrics.items()],
            params=[{"key": key, "value": value} for key, value in params.items()],
        )
    client.post("runs/update", run_id=ids["a"], status="FINISHED", end_time=99)
    client.ids = ids
    # What the ties e and f (one start) come in: the smaller id first.
    client.tie = "".join(sorted("ef", key=lambda name: ids[name]))
    return client


@pytest.fixture(params=["walk", "sets", "sort"])
def plan(request, monkeypatch):
    """The same answers from every plan."""

    def choose(search, within, key):
        return request.param if search.stage is Stage.ACTIVE else "sets"
        yield

    if request.param == "sort":
        monkeypatch.setattr(finder, "_single_key", lambda order: None)
    else:
        monkeypatch.setattr(finder, "_choose", choose)
    return request.param


def found(client, filter="", order=(), **body):
    """The names of the runs found, read in pages of two."""
    names, token = "", None
    while True:
        page = {"page_token": token} if token else {}
        answer = client.post(
            "runs/search", experiment_ids=["0"], filter=filter, order_by=list(order), max_results=2, **page, **body
        )
        if not isinstance(answer, dict):
            return answer
        names += "".join(run["info"]["run_name"] for run in answer.get("runs", []))
        token = answer.get("next_page_token")
        if not token:
            return names


FILTERS = [
    ("metrics.m > 0.3", "bd"),
    ("metrics.m >= 0.1 AND metric.m < 1", "ab"),
    ("metrics.m != 0.1", "bcdf"),
    ("metrics.m = -2", "f"),
    ("metrics.m <= 0.5", "abf"),
    ("params.p = '1'", "ae"),
    ('parameters.p = "10"', "b"),
    ("param.p != '1'", "bc"),
    ("params.`lr x` LIKE '0.%'", "a"),
    ("params.\"lr x\" = '0.1'", "a"),
    ("params.p LIKE '1_'", "b"),
    ("params.q = '" + "z" * 300 + "'", "f"),
    ("params.q != '" + "z" * 299 + "'", "f"),
    ("params.q = '" + "z" * 299 + "'", ""),
    ("params.p IS NULL", "df"),
    ("params.p is not null and metrics.n = 1", "abc"),
    ("tags.t = 'x'", "ae"),
    ("tags.t != 'x'", "bd"),
    ("tags.t ILIKE 'y'", "b"),
    ("tags.t LIKE '100\\%'", ""),
    ("tags.t LIKE '100%'", "d"),
    ("tags.t IS NULL", "cf"),
    ("tags.mlflow.user = 'ada'", "a"),
    ("tag.`mlflow.runName` = 'b'", "b"),
    ("attributes.status = 'RUNNING'", "bcdef"),
    ("status = 'running'", ""),
    ("status ilike 'finished'", "a"),
    ("run_name = 'b'", "b"),
    ("`run name` = 'b'", "b"),
    ("attributes.`Run Name` LIKE '%'", "abcdef"),
    ("Run name = 'c'", "c"),
    ("user_id != 'user-a'", "bcdef"),
    ("start_time >= 40", "def"),
    ("created < 20.5", "ab"),
    ("end_time = 99", "a"),
    ("artifact_uri LIKE 'mlflow-artifacts:/0/%'", "abcdef"),
    ("metrics.n = 1 and metrics.m < 0.3 AND", "a"),
    ("metrics.m > 0.3 and params.p = '10' and tags.t = 'Y'", "b"),
]


def test_filters(client, plan):
    wrong = [(text, names, seen) for text, names in FILTERS if (seen := "".join(sorted(found(client, text)))) != names]
    assert not wrong
    a, b = client.ids["a"], client.ids["b"]
    assert found(client, f"attributes.run_id IN ('{a}', '{b}', 'nonsense')") == "ba"
    assert found(client, f"run_id NOT IN ('{a}', '{b}')") == client.tie + "dc"
    assert found(client, f"run_id = '{a}'") == "a"
    assert found(client, f"run_id LIKE '{a[:20]}%'") == "a"


def test_orders(client, plan):
    tie = client.tie
    assert found(client) == tie + "dcba"
    assert found(client, order=["start_time ASC"]) == "abcd" + tie
    assert found(client, order=["metrics.m ASC"]) == "fabdce"
    assert found(client, order=["metrics.m DESC"]) == "dbafce"
    assert found(client, order=["metrics.m DESC"], filter="params.p = '1'") == "ae"
    assert found(client, order=["metrics.n"]) == "dcbaef"
    assert found(client, order=["params.p"]) == "eabc" + "".join(name for name in tie + "d" if name != "e")
    assert found(client, order=["params.p DESC"]) == "cbea" + "fd"
    assert found(client, order=['params."lr x"']) == "a" + tie + "dcb"
    assert found(client, order=["end_time DESC"]) == "a" + tie + "dcb"
    assert found(client, order=["run_name DESC"]) == "fedcba"
    assert found(client, order=["metrics.n DESC", "metrics.m"]) == "eabdcf"
    assert found(client, order=["tags.t", "start_time ASC"]) == "dbaecf"


def test_stages(client, plan):
    client.post("runs/delete", run_id=client.ids["b"])
    assert found(client, run_view_type="DELETED_ONLY") == "b"
    assert "b" not in found(client) and "b" in found(client, run_view_type="ALL")
    assert found(client, order=["metrics.m"], run_view_type="DELETED_ONLY") == "b"
    assert found(client, run_view_type="X") == found(client)


def test_several_experiments_and_the_trash(client, plan):
    other = client.experiment("other")
    run_id = client.run(other, run_name="z", start_time=45)
    client.post("runs/log-metric", run_id=run_id, key="m", value=0.3, timestamp=1)
    search = lambda **body: [  # noqa: E731
        run["info"]["run_name"]
        for run in client.post("runs/search", experiment_ids=["0", other, "999"], **body).get("runs", [])
    ]
    assert search(order_by=["metrics.m"])[:4] == ["f", "a", "z", "b"] and search()[2] == "z"
    client.post("experiments/delete", experiment_id=other)
    assert "z" not in search() and search(run_view_type="DELETED_ONLY") == ["z"]
    assert client.post("runs/search", experiment_ids=[]) == {}


@pytest.mark.parametrize(
    "text",
    [
        "metrics.m > 0.1 OR metrics.m < 1",
        "NOT metrics.m > 1",
        "(metrics.m > 1)",
        "metrics.m BETWEEN 1 AND 2",
        "metrics.m > -inf",
        "metrics.m > 'x'",
        "metrics.m > '1'",
        "metrics.m LIKE 'x'",
        "metrics.m IS NULL",
        "params.p = 1",
        "params.p = x",
        "params.p > '1'",
        "params.p IN ('1')",
        "run_name IN ('a')",
        "run_id IN ()",
        "run_id IN (1)",
        "run_id IN ('a' 'b')",
        "experiment_id = '1'",
        "lifecycle_stage = 'active'",
        "nothing.m = 'x'",
        "metrics.m > 1; metrics.m > 2",
        "metrics.m > 1;",
        "start_time IS NULL",
        "start_time = '5'",
        "datasets.source = 'x'",
        "metrics.m",
        "0.5 < metrics.m",
        "params.p = '1' params.q = '2'",
        "params.p = 'open",
        "a = b = c",
        "\0",
    ],
)
def test_filters_that_are_refused(text):
    with pytest.raises(Invalid):
        parse_filter(text, RUNS)


@pytest.mark.parametrize(
    "clause", ["", "metrics.m DOWN", "metrics.m ASC DESC", "datasets.name", "experiment_id", "nothing.x", "1"]
)
def test_orders_that_are_refused(clause):
    with pytest.raises(Invalid):
        parse_order([clause], RUNS)


def test_a_field_is_ordered_by_once():
    with pytest.raises(Invalid, match="duplicate"):
        parse_order(["created", "start_time DESC"], RUNS)


def test_other_nouns():
    assert parse_filter("name IN ('a','b')", MODELS)[0].value == ("a", "b")
    assert parse_filter("version_number = '3'", VERSIONS)[0].value == 3
    assert parse_filter("creation_timestamp > 1.5 and metrics.x >= 2", LOGGED_MODELS)
    assert parse_filter("creation_time > 5", EXPERIMENTS)
    for text, grammar in (
        ("creation_time > 1.5", EXPERIMENTS),
        ("attributes.name = 'x'", EXPERIMENTS),
        ("tags.x IS NULL", MODELS),
        ("metric.x > 1", LOGGED_MODELS),
    ):
        with pytest.raises(Invalid):
            parse_filter(text, grammar)
    with pytest.raises(Invalid):
        parse_order(["creation_timestamp"], MODELS)


def test_tokens_belong_to_their_search(client):
    first = client.post("runs/search", experiment_ids=["0"], max_results=2)["next_page_token"]
    for body in (
        {"page_token": "junk"},
        {"page_token": first, "filter": "metrics.m > 0"},
        {"page_token": first, "order_by": ["run_name"]},
    ):
        assert client.post("runs/search", experiment_ids=["0"], max_results=2, **body) == (
            400,
            "INVALID_PARAMETER_VALUE",
        )
    for size in (0, -1, 50_001):
        assert client.post("runs/search", experiment_ids=["0"], max_results=size) == (400, "INVALID_PARAMETER_VALUE")
    assert client.post("runs/search", experiment_ids=["x"]) == (400, "INVALID_PARAMETER_VALUE")
