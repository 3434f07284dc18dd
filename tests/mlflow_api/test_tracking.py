"""The door's tracking half over HTTP: experiments and runs, what is logged, what is refused, and by whom it is seen."""

from __future__ import annotations

import json

import pytest

from apps.access.levels import Level
from apps.access.models import AuditEntry
from apps.access.scope import workspace_scope
from tests.builders import a_person, an_api

A = "/api/2.0/mlflow/"


class Mlflow:
    """A client of the door: the answer's JSON, or (status, error_code)."""

    def __init__(self, api):
        self.api = api

    def post(self, path, **body):
        return self._read(self.api.post(A + path, body))

    def get(self, path, **query):
        from urllib.parse import urlencode

        return self._read(self.api.get(f"{A}{path}?{urlencode(query, doseq=True)}"))

    def _read(self, response):
        body = response.json()
        return body if response.status_code == 200 else (response.status_code, body["error_code"])

    def experiment(self, name="churn"):
        return self.post("experiments/create", name=name)["experiment_id"]

    def run(self, experiment_id=None, **fields):
        return self.post("runs/create", experiment_id=experiment_id or "0", **fields)["run"]["info"]["run_id"]


@pytest.fixture
def client(world):
    return Mlflow(world.api)


def items(data, kind):
    return {item["key"]: item["value"] for item in data.get(kind, [])}


MISSING, INVALID, TAKEN = (
    (404, "RESOURCE_DOES_NOT_EXIST"),
    (400, "INVALID_PARAMETER_VALUE"),
    (400, "RESOURCE_ALREADY_EXISTS"),
)
DENIED = (403, "PERMISSION_DENIED")


def test_experiments_from_birth_to_trash_and_back(client):
    made = client.experiment()
    assert made.isdigit() and client.post("experiments/create", name="churn") == TAKEN
    found = client.get("experiments/get-by-name", experiment_name="churn")["experiment"]
    assert (found["experiment_id"], found["lifecycle_stage"], found["artifact_location"]) == (
        made,
        "active",
        f"mlflow-artifacts:/{made}",
    )
    assert "tags" not in found
    assert client.post("experiments/set-experiment-tag", experiment_id=made, key="a", value="b") == {}
    assert client.post("experiments/update", experiment_id=made, new_name="churn 2") == {}
    assert client.get("experiments/get", experiment_id=made)["experiment"]["tags"] == [{"key": "a", "value": "b"}]
    assert client.post("experiments/delete", experiment_id=made) == {}
    assert client.post("experiments/delete", experiment_id=made) == MISSING
    assert (
        client.get("experiments/get-by-name", experiment_name="churn 2")["experiment"]["lifecycle_stage"] == "deleted"
    )
    assert client.post("experiments/create", name="churn 2") == TAKEN
    assert client.post("experiments/update", experiment_id=made, new_name="x") == (409, "INVALID_STATE")
    assert client.post("runs/create", experiment_id=made) == INVALID
    assert client.post("experiments/restore", experiment_id=made) == {}
    assert client.post("experiments/restore", experiment_id=made) == MISSING
    verbs = AuditEntry.objects.filter(verb__startswith="experiments.").values_list("verb", flat=True)
    assert {"experiments.create_experiment", "experiments.delete_experiment", "experiments.restore_experiment"} <= set(
        verbs
    )


def test_paths_make_folders_and_go_by_their_path(client):
    made = client.experiment("/flight-delays/arrival-delay")
    assert client.get("experiments/get", experiment_id=made)["experiment"]["name"] == "/flight-delays/arrival-delay"
    assert (
        client.get("experiments/get-by-name", experiment_name="/flight-delays/arrival-delay")["experiment"][
            "experiment_id"
        ]
        == made
    )
    assert client.post("experiments/create", name="/flight-delays/arrival-delay") == TAKEN


def test_default_answers_to_zero_in_each_workspace(world, client):
    assert client.get("experiments/get", experiment_id="0")["experiment"]["name"] == "Default"
    mine = client.run()
    with workspace_scope(world.theirs.workspace):
        theirs = Mlflow(world.theirs.api)
        assert "runs" not in theirs.post("runs/search", experiment_ids=["0"])
        assert theirs.get("runs/get", run_id=mine) == MISSING
        assert theirs.post("runs/log-metric", run_id=mine, key="k", value=1, timestamp=1) == MISSING


def test_a_run_with_everything(client):
    run_id = client.run(start_time=5, tags=[{"key": "mlflow.user", "value": "ada"}], user_id="ada")
    run = client.get("runs/get", run_id=run_id)["run"]
    info = run["info"]
    assert (
        info["run_uuid"] == run_id
        and info["status"] == "RUNNING"
        and info["start_time"] == 5
        and "end_time" not in info
    )
    assert items(run["data"], "tags") == {"mlflow.user": "ada", "mlflow.runName": info["run_name"]}
    assert info["artifact_uri"] == f"mlflow-artifacts:/0/{run_id}/artifacts"
    batch = {
        "metrics": [
            {"key": "loss", "value": v, "timestamp": t, "step": s}
            for v, t, s in ((3.0, 1, 0), ("NaN", 1, 1), (0.1, 2, 1), (9.5, 0, 0))
        ],
        "params": [{"key": "p", "value": ""}, {"key": 'a "b"'.replace('"', "-"), "value": 'quo"te\n'}],
        "tags": [{"key": "mlflow.runName", "value": "second"}],
    }
    for _ in range(2):
        assert client.post("runs/log-batch", run_uuid=run_id, **batch) == {}
    run = client.get("runs/get", run_uuid=run_id)["run"]
    assert run["data"]["metrics"] == [{"key": "loss", "value": 0.1, "timestamp": 2, "step": 1}]
    assert items(run["data"], "params") == {"p": "", "a -b-": 'quo"te\n'} and run["info"]["run_name"] == "second"
    history = client.get("metrics/get-history", run_id=run_id, metric_key="loss", max_results=3)
    assert [point["value"] for point in history["metrics"]] == [9.5, 3.0, "NaN"]
    rest = client.get(
        "metrics/get-history", run_id=run_id, metric_key="loss", max_results=3, page_token=history["next_page_token"]
    )
    assert [point["value"] for point in rest["metrics"]] == [0.1] and "next_page_token" not in rest
    assert client.get("metrics/get-history", run_id=run_id, metric_key="loss", page_token="x") == INVALID
    ended = client.post("runs/update", run_id=run_id, status="FINISHED", end_time=9, run_name="third")["run_info"]
    assert (ended["status"], ended["end_time"], ended["run_name"]) == ("FINISHED", 9, "third")
    assert items(client.get("runs/get", run_id=run_id)["run"]["data"], "tags")["mlflow.runName"] == "third"
    assert client.post("runs/delete-tag", run_id=run_id, key="mlflow.user") == {}
    assert client.post("runs/delete-tag", run_id=run_id, key="mlflow.user") == MISSING


@pytest.mark.parametrize(
    "bad",
    [
        {"metrics": [{"key": "a@b", "value": 1, "timestamp": 1}]},
        {"metrics": [{"key": "k", "value": 1, "timestamp": -1}]},
        {"metrics": [{"key": "../k", "value": 1, "timestamp": 1}]},
        {"metrics": [{"key": "k" * 251, "value": 1, "timestamp": 1}]},
        {"metrics": [{"key": "k", "value": 1, "timestamp": 1}] * 1001},
        {"params": [{"key": "once", "value": "1"}, {"key": "once", "value": "1"}]},
        {"params": [{"key": "kept", "value": "other"}]},
        {"params": [{"key": f"p{n}", "value": "1"} for n in range(101)]},
        {"tags": [{"key": "", "value": "1"}]},
    ],
)
def test_a_batch_with_one_bad_item_stores_nothing(client, bad):
    run_id = client.run()
    client.post("runs/log-parameter", run_id=run_id, key="kept", value="1")
    before = client.get("runs/get", run_id=run_id)
    good = {
        "metrics": [{"key": "good", "value": 1, "timestamp": 1}],
        "params": [{"key": "good", "value": "1"}],
        "tags": [],
    }
    mixed = {kind: [*good[kind], *bad.get(kind, [])] for kind in good}
    assert client.post("runs/log-batch", run_id=run_id, **mixed) == INVALID
    assert client.get("runs/get", run_id=run_id) == before


def test_long_values_are_cut_and_equal_params_are_no_news(client):
    run_id = client.run()
    assert client.post("runs/log-parameter", run_id=run_id, key="p", value="x" * 7000) == {}
    assert client.post("runs/log-parameter", run_id=run_id, key="p", value="x" * 6500) == {}
    assert client.post("runs/set-tag", run_id=run_id, key="t", value="y" * 9000) == {}
    data = client.get("runs/get", run_id=run_id)["run"]["data"]
    assert len(items(data, "params")["p"]) == 6000 and len(items(data, "tags")["t"]) == 8000


def test_a_point_comes_once_whatever_the_order(client):
    run_id = client.run()
    point = {"key": "k", "value": "NaN", "timestamp": 1, "step": 5}
    early, zero = {**point, "step": 1, "value": 2}, {**point, "step": 3, "value": 0.0}
    assert (
        client.post(
            "runs/log-batch", run_id=run_id, metrics=[point, point, early, zero, {**zero, "value": "-0.0"}, early]
        )
        == {}
    )
    assert client.post("runs/log-batch", run_id=run_id, metrics=[early, point, zero]) == {}
    assert client.post("runs/log-metric", run_id=run_id, **early) == {}
    history = client.get("metrics/get-history", run_id=run_id, metric_key="k")["metrics"]
    assert [(found["step"], found["value"]) for found in history] == [(1, 2), (3, 0), (5, "NaN")]


def test_many_keys_one_by_one_stay_whole(client):
    run_id = client.run()
    for start in range(0, 300, 100):
        client.post(
            "runs/log-batch",
            run_id=run_id,
            metrics=[{"key": f"k{n}", "value": n, "timestamp": 1} for n in range(start, start + 100)],
        )
    client.post("runs/log-metric", run_id=run_id, key="k7", value=-1, timestamp=2)
    assert items(client.get("runs/get", run_id=run_id)["run"]["data"], "metrics") == {
        f"k{n}": -1 if n == 7 else n for n in range(300)
    }
    client.post("runs/update", run_id=run_id, status="FINISHED")
    assert items(client.get("runs/get", run_id=run_id)["run"]["data"], "metrics")["k7"] == -1


@pytest.mark.parametrize("kept", ["junk", "5", '{"a": 1}', "null"])
def test_a_tag_with_anything_in_it_does_not_break_log_model(client, kept):
    run_id = client.run(tags=[{"key": "mlflow.log-model.history", "value": kept}])
    model = '{"run_id": "x", "artifact_path": "m", "utc_time_created": "", "flavors": {}}'
    assert client.post("runs/log-model", run_id=run_id, model_json=model) == {}
    tags = items(client.get("runs/get", run_id=run_id)["run"]["data"], "tags")
    assert [one["artifact_path"] for one in json.loads(tags["mlflow.log-model.history"])] == ["m"]


def test_deleted_runs_are_read_but_not_written(client):
    run_id = client.run()
    assert client.post("runs/delete", run_id=run_id) == {} == client.post("runs/delete", run_id=run_id)
    assert client.get("runs/get", run_id=run_id)["run"]["info"]["lifecycle_stage"] == "deleted"
    for path, body in (("set-tag", {"key": "a", "value": "b"}), ("update", {"status": "FAILED"}), ("log-batch", {})):
        assert client.post(f"runs/{path}", run_id=run_id, **body) == INVALID
    assert client.post("runs/restore", run_id=run_id) == {}
    assert client.post("runs/set-tag", run_id=run_id, key="a", value="b") == {}


def test_datasets_are_inputs_of_the_run(client):
    run_id = client.run()
    dataset = {"name": "d", "digest": "1", "source_type": "local", "source": "{}", "schema": "{}"}
    for _ in range(2):
        told = [{"tags": [{"key": "mlflow.data.context", "value": "train"}], "dataset": dataset}]
        assert client.post("runs/log-inputs", run_id=run_id, datasets=told) == {}
    (found,) = client.get("runs/get", run_id=run_id)["run"]["inputs"]["dataset_inputs"]
    assert found == {"tags": [{"key": "mlflow.data.context", "value": "train"}], "dataset": dataset}
    hits = client.post(
        "runs/search", experiment_ids=["0"], filter="datasets.context = 'train' and dataset.name IN ('d', 'e')"
    )
    assert [run["info"]["run_id"] for run in hits["runs"]] == [run_id]


def test_who_may_what(world, client):
    experiment = client.experiment()
    run_id = client.run(experiment)
    from apps.experiments.models import Experiment

    resource = Experiment.objects.get(number=int(experiment)).resource
    viewer = Mlflow(an_api(a_person(world, "vera@example.com", level=Level.VIEW, on=resource)))
    stranger = Mlflow(an_api(a_person(world, "sam@example.com")))
    point = {"run_id": run_id, "key": "k", "value": 1, "timestamp": 1}
    assert client.post("runs/log-metric", **point) == {}
    assert viewer.get("runs/get", run_id=run_id)["run"]["info"]["run_id"] == run_id
    assert viewer.post("runs/log-metric", **point) == DENIED
    assert viewer.post("runs/create", experiment_id=experiment) == DENIED
    assert viewer.post("experiments/delete", experiment_id=experiment) == DENIED
    assert stranger.get("runs/get", run_id=run_id) == MISSING == stranger.get("runs/get", run_id="0" * 32)
    assert stranger.post("runs/log-metric", **point) == MISSING
    assert (
        stranger.get("experiments/get", experiment_id=experiment)
        == MISSING
        == stranger.get("experiments/get", experiment_id="123")
    )
    assert stranger.post("runs/search", experiment_ids=[experiment]) == {}
    assert stranger.post("experiments/create", name="churn") == TAKEN
    names = [found["name"] for found in stranger.post("experiments/search", max_results=10)["experiments"]]
    assert names == ["Default"]
    reading = Mlflow(an_api(world.admin, scopes=["read"]))
    assert reading.get("runs/get", run_id=run_id)["run"] and reading.post("runs/log-metric", **point) == DENIED


def test_strangers_addresses_and_headers(world, client):
    api = world.api
    assert api.get("/health").content == b"OK" and api.get("/version").content == b"3.17.2"
    assert api.get("/api/3.0/mlflow/server-info").json()["workspaces_enabled"] is True
    assert client.get("runs/no-such-thing") == (404, "ENDPOINT_NOT_FOUND")
    assert api.post("/ajax-api/2.0/mlflow/runs/search", {"experiment_ids": ["0"]}).json() == {}
    assert api.get(A + "experiments/get?experiment_id=0", **{"X-MLFLOW-WORKSPACE": "ours"}).status_code == 200
    assert api.get(A + "experiments/get?experiment_id=0", **{"X-MLFLOW-WORKSPACE": "theirs"}).status_code == 404
    refused = type(api)("bh_wrong").get(A + "experiments/get?experiment_id=0")
    assert (refused.status_code, refused.json()["error_code"]) == (401, "UNAUTHENTICATED")
    assert refused["WWW-Authenticate"].startswith("Basic")
    assert type(api)("").get(A + "experiments/get?experiment_id=0").status_code == 401


def test_experiment_search(client):
    for name, tag in (("alpha", "x"), ("beta", "y"), ("Gamma", "x")):
        client.post("experiments/create", name=name, tags=[{"key": "team", "value": tag}])

    def search(**body):
        return [
            found["name"] for found in client.post("experiments/search", max_results=10, **body).get("experiments", [])
        ]

    assert search(filter="name LIKE '%a'") == ["Gamma", "beta", "alpha"]
    assert search(filter="name ILIKE 'g%' AND tags.team = 'x'") == ["Gamma"]
    assert search(filter="tags.team IS NULL") == ["Default"]
    assert search(filter="tag.team != 'x'") == ["beta"]
    assert search(order_by=["name ASC"]) == ["Default", "Gamma", "alpha", "beta"]
    assert client.post("experiments/search") == INVALID
    first = client.post("experiments/search", max_results=3, order_by=["name"])
    assert [found["name"] for found in first["experiments"]] == ["Default", "Gamma", "alpha"]
    rest = client.post("experiments/search", max_results=3, order_by=["name"], page_token=first["next_page_token"])
    assert [found["name"] for found in rest["experiments"]] == ["beta"] and "next_page_token" not in rest
    assert client.post("experiments/search", max_results=3, page_token="junk") == INVALID
