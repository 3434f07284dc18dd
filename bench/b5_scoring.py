"""B5: REST scoring, beside `mlflow models serve`, with authentication, permission check and inference log on.

    python -m bench.b5_scoring [--seconds 3] [--repetitions 5] [--models linear,pyfunc,forest]

Starts an installation of its own and, from a client's environment, registers the same models that mlflow serves. Ours and theirs
take turns; the figures are medians. CPU is that of all processes behind the address, database included.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import django
import uvloop

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "workspace.settings")
django.setup()

from tests import live  # noqa: E402

CLIENT = ("mlflow", "scikit-learn", "orjson")
POINTS = ((1, 1), (1, 16), (100, 16))
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

MODELS = """
import sys, warnings; warnings.filterwarnings("ignore")
import mlflow, numpy as np, pandas as pd
from mlflow.models import infer_signature
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression
rng = np.random.default_rng(0)
X = pd.DataFrame(rng.normal(size=(2000, 10)), columns=[f"f{i}" for i in range(10)])
y = X.sum(axis=1) + rng.normal(size=2000)
class Sum(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input["f0"] * 2 + model_input["f1"]
needs = [f"mlflow=={mlflow.__version__}", "scikit-learn", "pandas", "numpy", "cloudpickle"]
shared = {"signature": infer_signature(X, y.to_numpy()), "input_example": X[:3], "pip_requirements": needs}
made = {"linear": LinearRegression, "forest": lambda: RandomForestRegressor(100, n_jobs=1), "pyfunc": Sum}
mlflow.set_experiment("bench")
for name in sys.argv[2].split(","):
    model = made[name]()
    with mlflow.start_run():
        if name == "pyfunc":
            mlflow.pyfunc.save_model(f"{sys.argv[1]}/{name}", python_model=model, **shared)
            mlflow.pyfunc.log_model(name="model", python_model=model, registered_model_name=name, **shared)
        else:
            more = {**shared, "serialization_format": "cloudpickle"}
            mlflow.sklearn.save_model(model.fit(X, y), f"{sys.argv[1]}/{name}", **more)
            mlflow.sklearn.log_model(model, name="model", registered_model_name=name, **more)
"""


def body_of(rows: int) -> bytes:
    """A request of so many rows of ten numbers."""
    table = [[round(0.1 * place + row / 7, 6) for place in range(10)] for row in range(rows)]
    return json.dumps({"dataframe_split": {"columns": [f"f{place}" for place in range(10)], "data": table}}).encode()


async def client(port: int, request: bytes, until: float, took: list[float]) -> None:
    """Ask again and again on one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while (began := time.perf_counter()) < until:
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        body = await reader.readexactly(length)
        if not head.startswith(b"http/1.1 200"):
            raise RuntimeError(f"{head!r} {body[:500]!r}")
        took.append(time.perf_counter() - began)
    writer.close()


def load(port: int, path: str, token: str, rows: int, clients: int, seconds: float) -> list[float]:
    """How long each request took, of so many clients for so long."""
    body = body_of(rows)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    took: list[float] = []

    async def all_clients() -> None:
        until = time.perf_counter() + seconds
        await asyncio.gather(*(client(port, head.encode() + body, until, took) for _ in range(clients)))

    uvloop.run(all_clients())
    return took


def cpu_ms(roots: list[int]) -> float:
    """CPU milliseconds so far of these processes and everything below them."""
    children: dict[int, list[int]] = {}
    used: dict[int, float] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                children.setdefault(int(fields[1]), []).append(int(entry.name))
                used[int(entry.name)] = (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")
    todo, seen = list(roots), set()
    while todo:
        if (pid := todo.pop()) not in seen:
            seen.add(pid)
            todo += children.get(pid, [])
    return sum(used.get(pid, 0.0) for pid in seen)


def wait_for(ready: Callable[[], bool], seconds: float = 300) -> None:
    """Wait until something holds."""
    until = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > until:
            raise TimeoutError
        time.sleep(0.3)


def serve(python: Path, folder: Path, port: int) -> subprocess.Popen[bytes]:
    """`mlflow models serve` of a model's folder, ready."""
    env = {**os.environ, **ONE_THREAD, "PATH": f"{python.parent}:{os.environ['PATH']}"}
    env["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "true"
    argv = [
        str(python),
        "-m",
        "mlflow",
        "models",
        "serve",
        "-m",
        str(folder),
        "-p",
        str(port),
        "--env-manager",
        "local",
    ]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(argv, env=env, stdout=quiet, stderr=quiet, start_new_session=True)

    def answers() -> bool:
        with suppress(OSError):
            return urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=2).status == 200
        return False

    wait_for(answers)
    return process


def main() -> None:
    """Measure and print."""
    given = argparse.ArgumentParser()
    given.add_argument("--seconds", type=float, default=3)
    given.add_argument("--repetitions", type=int, default=5)
    given.add_argument("--models", default="linear,pyfunc,forest")
    wish = given.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="boathouse-b5-"))
    python = live.client_python(*CLIENT)
    installation = live.start()
    peer = None
    try:
        token = installation.workspace("bench")
        live.run_client(python, MODELS, installation.url, token, str(folder), wish.models)
        api = live.LiveApi(installation.url, token)
        print(
            "| model, rows, clients | ours rps | mlflow rps | ratio | ours p50 ms | mlflow p50 | ours CPU-ms | mlflow CPU-ms |"
        )
        print("|---|---:|---:|---:|---:|---:|---:|---:|")
        for name in wish.models.split(","):
            target = {"name": name, "model": name, "follows": "version", "value": "1"}
            assert (made := api.post("/api/v1/endpoints", target)).status_code == 201, made.text
            wait_for(lambda name=name: api.get(f"/api/v1/endpoints/{name}").json()["state"] == "ready")
            port = live.free_port()
            peer = serve(python, folder / name, port)
            ours = (
                installation.port,
                f"/serving-endpoints/{name}/invocations",
                list(installation.manage("pids").values()),
            )
            sides = {"ours": ours, "mlflow": (port, "/invocations", [peer.pid])}
            for rows, clients in POINTS:
                found: dict[str, list[tuple[float, float, float]]] = {"ours": [], "mlflow": []}
                for repetition in range(wish.repetitions + 1):
                    for side, (at, path, roots) in sides.items():
                        before = cpu_ms(roots)
                        took = load(at, path, token, rows, clients, wish.seconds if repetition else 1)
                        spent = cpu_ms(roots) - before
                        if repetition:
                            rps = len(took) / wish.seconds
                            found[side].append((rps, statistics.median(took) * 1000, spent / len(took)))
                mine, other = (
                    [statistics.median(column) for column in zip(*found[side], strict=True)] for side in sides
                )
                print(
                    f"| {name}, {rows}, {clients} | {mine[0]:.0f} | {other[0]:.1f} | **{mine[0] / other[0]:.1f}** "
                    f"| {mine[1]:.1f} | {other[1]:.1f} | {mine[2]:.2f} | {other[2]:.1f} |",
                    flush=True,
                )
            os.killpg(peer.pid, 15)
            peer.wait()
            peer = None
    finally:
        if peer is not None:
            os.killpg(peer.pid, 15)
        live.end(installation)


if __name__ == "__main__":
    main()
