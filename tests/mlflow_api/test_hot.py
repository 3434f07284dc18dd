"""The ingest path in front of Django: the same answers, at once refused when a token dies, nothing lost when many write."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import pytest

from apps.access.models import Token
from apps.access.scope import workspace_scope
from apps.access.tokens import digest
from apps.mlflow_api.hot import HOT
from tests.builders import an_api
from tests.registry.live import Live, live, server_port

__all__ = ["live", "server_port"]
A = "/api/2.0/mlflow/"


def post(live: Live, path: str, token: str | None = None, **body: object):
    sent = live("POST", A + path, token=token, body=json.dumps(body).encode(), Content_Type="application/json")
    return sent.status, json.loads(sent.body)


@pytest.fixture
def run_id(live: Live) -> str:
    status, made = post(live, "runs/create", experiment_id="0", start_time=1)
    assert status == 200
    return made["run"]["info"]["run_id"]


def test_many_writers_of_one_run_lose_nothing(live: Live, run_id: str) -> None:
    def write(number: int) -> list[int]:
        answers = []
        for step in range(6):
            point = {"key": "shared", "value": number * 10 + step, "timestamp": number, "step": step}
            own = {"key": f"own{number}", "value": step, "timestamp": 1, "step": step}
            answers.append(post(live, "runs/log-batch", run_id=run_id, metrics=[point, own])[0])
            answers.append(post(live, "runs/set-tag", run_id=run_id, key=f"t{number}", value=str(step))[0])
        answers.append(post(live, "runs/log-parameter", run_id=run_id, key=f"p{number}", value="1")[0])
        return answers

    with ThreadPoolExecutor(8) as pool:
        answers = [status for found in pool.map(write, range(8)) for status in found]
    assert set(answers) == {200}
    data = json.loads(live("GET", f"{A}runs/get?run_id={run_id}").body)["run"]["data"]
    latest = {point["key"]: (point["value"], point["step"], point["timestamp"]) for point in data["metrics"]}
    assert latest["shared"] == (75, 5, 7) and all(latest[f"own{n}"] == (5, 5, 1) for n in range(8))
    assert {param["key"] for param in data["params"]} == {f"p{n}" for n in range(8)}
    assert {tag["key"]: tag["value"] for tag in data["tags"] if tag["key"][0] == "t"} == {
        f"t{n}": "5" for n in range(8)
    }
    history = json.loads(live("GET", f"{A}metrics/get-history?run_id={run_id}&metric_key=shared").body)
    assert len(history["metrics"]) == 48


def test_a_dead_token_is_refused_at_once(live: Live, run_id: str) -> None:
    with workspace_scope(live.ours.workspace):
        api = an_api(live.ours.admin)
    point = {"run_id": run_id, "key": "k", "value": 1, "timestamp": 1}
    assert post(live, "runs/log-metric", api.token, **point) == (200, {})
    with workspace_scope(live.ours.workspace):
        Token.objects.filter(hash=digest(api.token)).update(revoked_at="2020-01-01T00:00:00Z")
    for token in (api.token, "bh_unknown", ""):
        status, answer = post(live, "runs/log-metric", token, **point)
        assert (status, answer.get("error_code")) == (401, "UNAUTHENTICATED")


def test_each_hot_route_answers_as_the_slow_one(live: Live, run_id: str) -> None:
    bodies = {
        "runs/create": {"run_name": "n", "start_time": 5, "user_id": "u", "tags": [{"key": "t", "value": 'a "b"'}]},
        "runs/log-metric": {"key": "k", "value": 1, "timestamp": 1},
        "runs/log-parameter": {"key": "p", "value": "1"},
        "runs/set-tag": {"key": "t", "value": "1"},
        "runs/log-batch": {"metrics": [{"key": "b", "value": "NaN", "timestamp": 2}]},
        "runs/update": {"status": "RUNNING"},
        "runs/get": {},
        "runs/search": {"experiment_ids": ["0"], "filter": "metrics.k = 1", "order_by": ["metrics.k"]},
        "metrics/get-history": {"metric_key": "k"},
        "experiments/search": {"max_results": 5, "filter": "name LIKE 'D%'", "order_by": ["last_update_time DESC"]},
    }
    assert {path for _, path in HOT} == set(bodies)
    theirs = live.theirs.api.token
    for method, path in HOT:
        for change in (
            {},
            {"experiment_id": "17"},
            {"tags": [{"key": "mlflow.runName", "value": "another"}]},
            {"run_id": "0" * 32},
            {"run_id": ""},
            {"run_id": 7},
            {"max_results": -1},
            {"timestamp": "x"},
        ):
            for token in (live.ours.api.token, theirs):
                body = {"run_id": run_id, **bodies[path], **change}
                answers = []
                # The workspace header sends a request the slow way.
                for headers in ({}, {"X_MLFLOW_WORKSPACE": "theirs" if token == theirs else "ours"}):
                    if method == "GET":
                        query = urlencode(body)
                        sent = live("GET", f"{A}{path}?{query}", token=token, **headers)
                    else:
                        told = json.dumps(body).encode()
                        sent = live(
                            "POST", A + path, token=token, body=told, Content_Type="application/json", **headers
                        )
                    answer = json.loads(sent.body)
                    if path == "runs/create" and sent.status == 200:
                        made = answer["run"]["info"]["run_id"]
                        assert answer == json.loads(live("GET", f"{A}runs/get?run_id={made}", token=token).body)
                        answer = json.loads(json.dumps(answer).replace(made, "made"))
                    answers.append((sent.status, answer))
                assert answers[0] == answers[1], (path, change)


def test_pages_of_the_newest_experiments_are_those_of_the_slow_way(live: Live) -> None:
    tags = [{"key": "b", "value": 'a "quoted"\nline'}, {"key": "a", "value": "ü"}]
    names = ['with "quotes"', "ü\tñ", "plain", "gone"]
    made = [post(live, "experiments/create", name=name, tags=tags)[1]["experiment_id"] for name in names]
    assert post(live, "experiments/delete", experiment_id=made[3])[0] == 200
    for view, last in (("ACTIVE_ONLY", "Default"), ("DELETED_ONLY", "gone"), ("ALL", "Default")):
        token, seen = "", []
        while token is not None:
            told = json.dumps({"max_results": 2, "view_type": view, "page_token": token}).encode()
            answers = [
                json.loads(
                    live("POST", A + "experiments/search", body=told, Content_Type="application/json", **way).body
                )
                for way in ({}, {"X_MLFLOW_WORKSPACE": "ours"})
            ]
            assert answers[0]["experiments"] == answers[1]["experiments"]
            assert ("next_page_token" in answers[0]) == ("next_page_token" in answers[1])
            seen += answers[0]["experiments"]
            token = answers[0].get("next_page_token")
        assert seen[-1]["name"] == last and len({each["experiment_id"] for each in seen}) == len(seen)
        assert [each["creation_time"] for each in seen] == sorted(
            (each["creation_time"] for each in seen), reverse=True
        )
    shown = {each["experiment_id"]: each for each in seen}
    for number in made:
        alone = json.loads(live("GET", f"{A}experiments/get?experiment_id={number}").body)["experiment"]
        assert {**alone, "tags": None} == {**shown[number], "tags": None}
        assert sorted(alone["tags"], key=str) == sorted(shown[number]["tags"], key=str)
    theirs = post(live, "experiments/search", live.theirs.api.token, max_results=1000)[1]["experiments"]
    assert not {each["experiment_id"] for each in theirs} & set(made)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"{", {"Content_Type": "application/json"}),
        (b'{"run_id": "a", "run_id": "b"}', {"Content_Type": "application/json"}),
        (b"{}", {"Content_Type": "text/plain"}),
        (b"\xff\xfe", {"Content_Type": "application/json"}),
        (
            b'{"run_id": "' + b"0" * 32 + b'", "key": "k", "value": 1e999, "timestamp": 1}',
            {"Content_Type": "application/json"},
        ),
    ],
)
def test_bodies_that_are_refused(live: Live, body: bytes, headers: dict[str, str]) -> None:
    answer = live("POST", A + "runs/log-metric", body=body, **headers)
    assert (answer.status, json.loads(answer.body)["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
