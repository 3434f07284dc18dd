"""The story of an endpoint, whole and under load: from a client's log_model to a table that holds every answer, whoever is killed."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import requests

from tests import live

ADDRESS = "/serving-endpoints/arrival-delay/invocations"
TABLE = "main.default.arrival_delay_payload"
COLUMNS = ["distance", "dep_delay", "carrier"]
ROWS = [[1400.0, 2.0, "UA"], [1089.0, -6.5, "AA"], [733.25, 0.0, "UA"]]
RECORDS = [dict(zip(COLUMNS, row, strict=True)) for row in ROWS]
BY_COLUMN = {name: [row[place] for row in ROWS] for place, name in enumerate(COLUMNS)}
CSV = "\n".join(",".join(map(str, row)) for row in [COLUMNS, *ROWS]) + "\n"
JSON_FORMATS = [
    {"dataframe_split": {"columns": COLUMNS, "data": ROWS}},
    {"dataframe_records": RECORDS},
    {"instances": RECORDS},
    {"inputs": BY_COLUMN},
]

REGISTER = """
import json, sys, warnings; warnings.filterwarnings("ignore")
import mlflow, numpy as np, pandas as pd
from mlflow.models import infer_signature
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
rng = np.random.default_rng(0)
X = pd.DataFrame(rng.normal(size=(300, 2)), columns=["distance", "dep_delay"])
X["carrier"] = rng.choice(["AA", "UA"], 300)
asked = pd.DataFrame(json.loads(sys.argv[1]))
needs = [f"mlflow=={mlflow.__version__}", "scikit-learn", "pandas", "numpy", "cloudpickle"]
mlflow.set_experiment("arrivals")
told = {}
for version, times in (("1", 2.0), ("2", 5.0)):
    steps = make_column_transformer((OneHotEncoder(), ["carrier"]), remainder="passthrough"), LinearRegression()
    model = make_pipeline(*steps).fit(X, X.dep_delay * times + X.distance + (X.carrier == "UA"))
    more = {"signature": infer_signature(X, model.predict(X)), "input_example": X[:2], "pip_requirements": needs}
    with mlflow.start_run():
        mlflow.sklearn.log_model(model, name="model", registered_model_name="delay", serialization_format="cloudpickle", **more)
    told[version] = model.predict(asked).tolist()
mlflow.MlflowClient().transition_model_version_stage("delay", "1", "Production")
print(json.dumps(told))
"""

MOVE = """
import mlflow
mlflow.MlflowClient().transition_model_version_stage("delay", "2", "Production", archive_existing_versions=True)
"""

READ = f"""
import boathouse, json
rows = boathouse.read_table("{TABLE}", columns=["databricks_request_id", "model_version", "response"])
print(json.dumps(rows.to_pydict()))
"""


class Load:
    """Clients that ask without a pause; what they were answered, and what broke under them."""

    def __init__(self, url: str, token: str, expected: dict[str, list[float]], clients: int = 3) -> None:
        self.acknowledged: dict[str, str] = {}
        self.wrong: Counter[str] = Counter()
        self.broken = 0
        self._url, self._token, self._expected = url, token, expected
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(place,)) for place in range(clients)]
        for thread in self._threads:
            thread.start()

    def _run(self, place: int) -> None:
        session = requests.Session()
        while not self._over.is_set():
            try:
                reply = ask(self._url, self._token, json=JSON_FORMATS[place], session=session)
            except requests.RequestException:
                self.broken += 1
                continue
            version = reply.headers.get("served-model-name", "").rpartition("-")[2]
            if reply.status_code == 200 and reply.json() == {"predictions": self._expected.get(version)}:
                self.acknowledged[reply.headers["x-request-id"]] = version
            else:
                self.wrong[f"{reply.status_code} {version} {reply.text[:200]}"] += 1

    def end(self) -> None:
        """Let every client take its last answer."""
        self._over.set()
        for thread in self._threads:
            thread.join()


def ask(url: str, token: str, *, session: Any = requests, kind: str = "", **body: Any) -> requests.Response:
    """One scoring request."""
    headers = {"Authorization": f"Bearer {token}", **({"Content-Type": kind} if kind else {})}
    return session.post(url + ADDRESS, headers=headers, timeout=60, **body)


def wait_until(holds: Callable[[], bool], seconds: float, every: float = 0.3) -> float:
    """How long it took; fails when it takes longer than it may."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, f"not so within {seconds} seconds"
        time.sleep(every)
    return time.monotonic() - began


def test_every_answer_is_right_and_kept_while_versions_move_and_processes_die(installation: live.Installation) -> None:
    token = installation.workspace("endpoint-story")
    api = live.LiveApi(installation.url, token)
    python = live.client_python("mlflow", "scikit-learn", "orjson")
    told = live.run_client(python, REGISTER, installation.url, token, json.dumps(RECORDS))
    expected = json.loads(told.splitlines()[-1])
    target = {"name": "arrival-delay", "model": "delay", "follows": "stage", "value": "Production"}
    assert (made := api.post("/api/v1/endpoints", target)).status_code == 201, made.text

    def serves(version: str) -> bool:
        found = api.get("/api/v1/endpoints/arrival-delay").json()
        assert found["state"] != "failed", found["reason"]
        return found["state"] == "ready" and found["serving"]["version"] == version

    wait_until(lambda: serves("1"), 240)
    kept = _ask_in_every_format(installation.url, token, expected["1"])

    load = Load(installation.url, token, expected)
    try:
        live.run_client(python, MOVE, installation.url, token)
        wait_until(lambda: serves("2"), 120)
        wait_until(lambda: "2" in load.acknowledged.values(), 10)
        assert not load.wrong and not load.broken, (load.wrong, load.broken)
        assert set(load.acknowledged.values()) == {"1", "2"}

        before = installation.manage("pids")
        killed = [name for name in before if name == "web-1" or name.startswith("worker-")]
        assert len(killed) >= 2, before
        for name in killed:
            os.kill(before[name], signal.SIGKILL)
        at_the_kill = len(load.acknowledged)
        wait_until(lambda: _came_back(installation, before, killed), 60, every=1)
    finally:
        load.end()
    # whoever was connected to the killed process sees the connection break, and nothing else
    assert not load.wrong and load.broken <= 3, (load.wrong, load.broken)
    assert len(load.acknowledged) > at_the_kill
    acknowledged = {**load.acknowledged, **dict.fromkeys(kept, "1")}

    wait_until(lambda: api.get(f"/api/v1/tables/{TABLE}").json()["rows"] >= len(acknowledged), 10)
    reader = live.client_python("pyarrow", "requests", with_boathouse=True)
    rows = json.loads(live.run_client(reader, READ, installation.url, token))
    ids = rows["databricks_request_id"]
    assert len(ids) == len(set(ids)), "an answer is there twice"
    logged = dict(zip(ids, rows["model_version"], strict=True))
    assert acknowledged.items() <= logged.items(), "an acknowledged answer is missing"
    for request_id, response in zip(ids, rows["response"], strict=True):
        if request_id in load.acknowledged:
            assert json.loads(response) == {"predictions": expected[logged[request_id]]}
    assert api("DELETE", "/api/v1/endpoints/arrival-delay").status_code == 204


def _ask_in_every_format(url: str, token: str, predictions: list[float]) -> list[str]:
    """The request ids of one answer per format, each of which is what the client's own model predicts."""
    replies = [ask(url, token, json=body) for body in JSON_FORMATS]
    replies.append(ask(url, token, data=CSV, kind="text/csv"))
    for reply in replies:
        assert (reply.status_code, reply.json()) == (200, {"predictions": predictions}), reply.text
    sink = pa.BufferOutputStream()
    table = pa.table(BY_COLUMN)
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    stream_kind = "application/vnd.apache.arrow.stream"
    reply = ask(url, token, data=sink.getvalue().to_pybytes(), kind=stream_kind)
    assert (reply.status_code, reply.headers["content-type"]) == (200, stream_kind), reply.text
    assert pa.ipc.open_stream(reply.content).read_all()["prediction"].to_pylist() == predictions
    refused = ask(url, token, json={"dataframe_split": {"columns": ["distance"], "data": [[1.0]]}})
    assert refused.status_code == 400 and "dep_delay" in refused.json()["message"]
    assert ask(url, "bh_unknown", json=JSON_FORMATS[0]).status_code == 401
    return [answer.headers["x-request-id"] for answer in [*replies, reply]]


def _came_back(installation: live.Installation, before: dict[str, int], killed: list[str]) -> bool:
    now = installation.manage("pids")
    return all(now.get(name, before[name]) != before[name] for name in killed)
