"""Run by a client's Python: the same requests to our scorer and to `mlflow models serve`, for models of several kinds.

Prints one JSON line per difference, then `compared <count>`. Knows nothing of the server's packages.
"""

import atexit
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")
GUEST = sys.argv[1]
sys.path.insert(0, GUEST)
os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "true"
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

import mlflow  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import pyarrow as pa  # noqa: E402
from guest.scorer import frames  # noqa: E402
from mlflow.models import infer_signature  # noqa: E402
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema  # noqa: E402
from sklearn.compose import make_column_transformer  # noqa: E402
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor  # noqa: E402
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import OneHotEncoder, StandardScaler  # noqa: E402

rng = np.random.default_rng(3)
X = pd.DataFrame(rng.normal(size=(400, 4)), columns=list("abcd"))
X["n"] = rng.integers(0, 50, 400)
X["f"] = X.a.astype("float32")
y = X.a * 2 - X.b + X.n / 7 + rng.normal(size=400)
C = X.assign(carrier=rng.choice(["AA", "UA", "Ünï"], 400))
DELAYS = [1.5, None, 3.25]


class Doubling(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input["a"] * (params or {}).get("times", 2)


class Moody(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        if (model_input["a"] > 100).any():
            raise ValueError("a is over 100")
        return pd.DataFrame({"low": model_input["a"] - 1, "what": ["x"] * len(model_input)})


class Nans(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return np.where(model_input["a"] > 0, np.nan, np.inf)


def save(folder, name, model, frame, sklearn=True, signature=None, **more):
    path = folder / name
    more["pip_requirements"] = ["mlflow", "scikit-learn"]  # asked for, it takes seconds to infer them
    if sklearn:
        signature = signature or infer_signature(frame, model.predict(frame))
        mlflow.sklearn.save_model(
            model, path, signature=signature, input_example=frame[:3], serialization_format="cloudpickle", **more
        )
    else:
        mlflow.pyfunc.save_model(path, python_model=model, signature=signature, input_example=frame[:3], **more)
    return path


def models(folder):
    numbers = X[list("abcd") + ["n"]]
    outputs = infer_signature(numbers, y)
    transform = make_column_transformer((StandardScaler(), ["a", "n"]), (OneHotEncoder(), ["carrier"]))
    yield save(folder, "linear", LinearRegression().fit(numbers, y), numbers), numbers
    yield save(folder, "ridge_float32", Ridge().fit(X, y), X), X
    yield save(folder, "forest", RandomForestRegressor(20, random_state=1).fit(numbers, y), numbers), numbers
    yield save(folder, "boosted", HistGradientBoostingRegressor(max_iter=20).fit(numbers, y), numbers), numbers
    yield save(folder, "pipeline", make_pipeline(transform, Ridge()).fit(C, y), C), C
    classes = make_pipeline(StandardScaler(), LogisticRegression()).fit(numbers, np.where(y > 0, "late", "ok"))
    yield save(folder, "classes", classes, numbers), numbers
    yield save(folder, "chances", classes, numbers, pyfunc_predict_fn="predict_proba"), numbers
    matrix = LinearRegression().fit(numbers.to_numpy(), y)
    yield save(folder, "tensor", matrix, numbers.to_numpy(), signature=infer_signature(numbers.to_numpy(), y)), numbers
    params = ParamSchema([ParamSpec("times", "double", 2.0)])
    with_params = mlflow.models.ModelSignature(outputs.inputs, outputs.outputs, params)
    yield save(folder, "params", Doubling(), numbers, sklearn=False, signature=with_params), numbers
    yield save(folder, "moody", Moody(), numbers, sklearn=False, signature=outputs), numbers
    yield save(folder, "nans", Nans(), numbers, sklearn=False, signature=outputs), numbers
    optional = mlflow.models.ModelSignature(
        Schema(
            [ColSpec("double", "a"), ColSpec("datetime", "at", required=False), ColSpec("string", "s", required=False)]
        )
    )
    yield save(folder, "optional", Moody(), X[["a"]], sklearn=False, signature=optional), X[["a"]]


def requests_for(frame):
    """(content type, body) of everything a caller may think of."""
    columns = list(frame.columns)
    cells = json.loads(frame[:5].to_json(orient="values", double_precision=15))
    records = [dict(zip(columns, row, strict=False)) for row in cells]
    by_column = {name: [row[place] for row in cells] for place, name in enumerate(columns)}
    turned = columns[::-1]
    one = {"columns": columns, "data": cells[:1]}
    yield from (
        {"dataframe_split": {"columns": columns, "data": cells}},
        {"dataframe_split": one},
        {"dataframe_split": {"columns": columns, "data": cells, "index": [9, 8, 7, 6, 5]}},
        {"dataframe_split": {"columns": turned, "data": [row[::-1] for row in cells]}},
        {"dataframe_split": {"columns": [*columns, "more"], "data": [[*row, 1] for row in cells]}},
        {"dataframe_split": {"columns": [*columns, columns[0]], "data": [[*row, row[0]] for row in cells]}},
        {"dataframe_split": {"columns": columns[:-1], "data": [row[:-1] for row in cells]}},
        {"dataframe_split": {"columns": columns, "data": [row[:-1] for row in cells]}},
        {"dataframe_split": {"columns": columns, "data": []}},
        {"dataframe_split": {"columns": columns}},
        {"dataframe_split": {"data": cells}},
        {"dataframe_split": cells},
        {"dataframe_split": {**one, "extra": 1}},
        {"dataframe_records": records},
        {"dataframe_records": records[:1]},
        {"dataframe_records": [{**row, "more": "x"} for row in records]},
        {"dataframe_records": [records[0], {key: records[1][key] for key in columns[1:]}]},
        {"dataframe_records": records[0]},
        {"dataframe_records": []},
        {"instances": records},
        {"instances": cells},
        {"instances": [{"a": 1.0}]},
        {"instances": []},
        {"instances": 5},
        {"inputs": by_column},
        {"inputs": {key: values[0] for key, values in by_column.items()}},
        {"inputs": {**by_column, columns[0]: by_column[columns[0]][:2]}},
        {"inputs": records},
        {"inputs": cells},
        {"inputs": "text"},
        {"inputs": by_column, "instances": records},
        {"predict": cells},
        {"dataframe_split": one, "params": {"times": 3.0}},
        {"dataframe_split": one, "params": {"times": "many"}},
        {"dataframe_split": one, "params": {"other": 1}},
        {"dataframe_split": one, "params": [1]},
        {"dataframe_split": one, "client_request_id": "mine"},
        {},
        [],
        7,
        "text",
        None,
    )
    for odd in (
        None,
        True,
        "1.5",
        "x",
        3,
        3.0,
        2.5,
        2**40,
        2**63,
        2**70,
        -1,
        [1],
        {"b": 1},
        float("nan"),
        float("inf"),
        101.0,
        1e-300,
    ):
        for place in (0, len(columns) - 1):
            row = [*cells[0]]
            row[place] = odd
            yield {"dataframe_split": {"columns": columns, "data": [row, cells[1]]}}
            yield {"dataframe_records": [dict(zip(columns, row, strict=False))]}
            yield {"inputs": {name: [row[spot]] for spot, name in enumerate(columns)}}
            yield {"instances": [dict(zip(columns, row, strict=False))]}
    for at in ("2024-01-02", "2024-01-02T03:04:05", "not a day", 5):
        yield {"dataframe_records": [{**records[0], "at": at}]}


RAW = [
    ("application/json", b""),
    ("application/json", b"{"),
    ("application/json", b"\xff\xfe"),
    ("application/json", b"[" * 100_000),
    ("application/json; charset=utf-8", b'{"inputs": []}'),
    ("application/json; charset=latin-1", b"{}"),
    ("application/json; format=split", b"{}"),
    ("text/csv", b"a,b,c,d,n\n1,2,3,4,5\n6,7,8,9,10\n"),
    ("text/csv", b"a,b\n1\n2,3,4\n"),
    ("text/csv", b"a,b,c,d,n\nx,2,3,4,5\n"),
    ("text/csv", b""),
    ("text/plain", b"hello"),
    ("application/xml", b"<a/>"),
]


class Ours:
    """Our scorer, started as its launcher does."""

    def __init__(self, path, folder):
        self.socket = str(folder / "score.sock")
        Path(self.socket).unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.socket)
        listener.listen(16)
        env = {**ONE_THREAD, "PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": GUEST}
        env["BOATHOUSE_LISTEN_FD"] = str(listener.fileno())
        command = [sys.executable, "-m", "guest.scorer", str(path)]
        log = open(folder / "scorer.log", "w")
        self.process = subprocess.Popen(command, env=env, pass_fds=[listener.fileno()], stdout=log, stderr=log)
        listener.close()
        until = time.monotonic() + 90
        while (report := self.report())["state"] != "ready":
            if self.process.poll() is not None or time.monotonic() > until:
                raise SystemExit((folder / "scorer.log").read_text())
            time.sleep(0.1)
        self.facts = report
        self.link = self.connect(b"S")
        self.reader = frames.FrameReader()
        self.waiting = []
        assert self.next().kind == frames.HELLO

    def connect(self, wish):
        link = socket.socket(socket.AF_UNIX)
        link.connect(self.socket)
        link.sendall(wish)
        return link

    def report(self):
        with self.connect(b"H") as link:
            return json.loads(link.makefile().readline())

    def next(self):
        while not self.waiting:
            self.waiting += self.reader.feed(self.link.recv(1 << 16))
        return self.waiting.pop(0)

    def ask(self, content_type, body):
        (answer,) = self.ask_all([(content_type, body)])
        return answer

    def ask_all(self, requests):
        self.link.sendall(b"".join(frames.encode_score(place, *request) for place, request in enumerate(requests)))
        found = {}
        while len(found) < len(requests):
            frame = self.next()
            found[frame.request_id] = frames.decode_answer(frame.payload)
        return [found[place] for place in range(len(requests))]

    def end(self):
        with self.connect(b"D"):
            pass
        self.link.close()
        assert self.process.wait(20) == 0, "it does not end when it is drained"


class Theirs:
    """`mlflow models serve`."""

    def __init__(self, path, port):
        self.url = f"http://127.0.0.1:{port}"
        command = [
            sys.executable,
            "-m",
            "mlflow",
            "models",
            "serve",
            "-m",
            str(path),
            "-p",
            str(port),
            "--env-manager",
            "local",
        ]
        env = {**os.environ, **ONE_THREAD, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(command, env=env, stdout=quiet, stderr=quiet, start_new_session=True)
        until = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(self.url + "/ping", timeout=2)
                return
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)

    def ask(self, content_type, body):
        request = urllib.request.Request(self.url + "/invocations", body, {"Content-Type": content_type})
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return reply.status, reply.headers.get_content_type(), reply.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers.get_content_type(), error.read()

    def end(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, 15)
            self.process.wait()


def same(ours, theirs):
    """The same status, and the same predictions to the last digit, or the same kind of error for the same reason."""
    if theirs[0] == 500:  # what MLflow does not catch: we say what is wrong instead
        return ours[0] in (400, 500)
    if ours[0] != theirs[0]:
        return False
    if ours[0] == 200:
        return ours[2] == theirs[2]
    if ours[1] != "application/json":
        return ours[2] == theirs[2]
    mine, other = json.loads(ours[2]), json.loads(theirs[2])
    return mine["error_code"] == other["error_code"] and mine["message"][:60] == other["message"][:60]


def main():
    folder = Path(tempfile.mkdtemp(prefix="bh-"))
    port = int(sys.argv[2])
    wanted = set(sys.argv[3].split(",")) if len(sys.argv) > 3 else None
    count, paths = 0, {}
    for path, frame in models(folder):
        if wanted and path.name not in wanted:
            continue
        ours = Ours(path, folder)
        theirs = Theirs(path, port)
        atexit.register(theirs.end)
        paths[path.name] = (ours.facts["path"], ours.facts["batching"])
        asked = [("application/json", json.dumps(body).encode()) for body in requests_for(frame)] + RAW
        expected = [theirs.ask(*request) for request in asked]
        alone = [ours.ask(*request) for request in asked]
        together = ours.ask_all(asked)
        for request, theirs_said, ours_said, with_others in zip(asked, expected, alone, together, strict=True):
            count += 1
            if not same(ours_said, theirs_said) or with_others != ours_said:
                shown = [str(part)[:300] for part in (request, theirs_said, ours_said, with_others)]
                print(json.dumps([path.name, *shown]))
        loaded = mlflow.pyfunc.load_model(str(path))
        data = np.ascontiguousarray(frame.to_numpy()) if path.name == "tensor" else frame
        if path.name in ("linear", "ridge_float32", "forest", "boosted", "pipeline", "classes", "chances", "tensor"):
            local = loaded.predict(data).tolist()
            form = (
                {"inputs": data.tolist()}
                if path.name == "tensor"
                else {"dataframe_split": frame.to_dict(orient="split", index=False)}
            )
            told = json.loads(ours.ask("application/json", json.dumps(form).encode())[2])["predictions"]
            assert told == local, f"{path.name}: predictions differ from load_model"
            if path.name != "tensor":
                sink = pa.BufferOutputStream()
                table = pa.Table.from_pandas(frame, preserve_index=False)
                with pa.ipc.new_stream(sink, table.schema) as writer:
                    writer.write_table(table)
                status, kind, body = ours.ask(frames.ARROW_STREAM, sink.getvalue().to_pybytes())
                assert (status, kind) == (200, frames.ARROW_STREAM), body[:500]
                arrow = pa.ipc.open_stream(body).read_all()["prediction"].to_pylist()
                assert arrow == local, f"{path.name}: Arrow predictions differ"
        assert ours.report()["answered"] > len(asked)
        theirs.end()
        ours.end()
    print(json.dumps(paths))
    print("compared", count)


main()
