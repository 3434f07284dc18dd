"""B1: tracking ingest over raw MLflow REST, identical bytes to both. Run: python -m bench.b1_ingest"""

from __future__ import annotations

import argparse
import itertools
import time
from concurrent.futures import ThreadPoolExecutor

import orjson

from bench.tracking import HEADER, A, Server, both, compare

_numbers = itertools.count()


def new_run(server: Server) -> str:
    """The id of a new run in an experiment of its own."""
    name = f"ingest-{next(_numbers)}"
    experiment = orjson.loads(server("POST", A + "experiments/create", {"name": name}))["experiment_id"]
    return orjson.loads(server("POST", A + "runs/create", {"experiment_id": experiment, "start_time": 1}))["run"][
        "info"
    ]["run_id"]


def main() -> None:
    """Prints one line per kind of request."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="part of the names of the lines to measure")
    wish = parser.parse_args()
    with both() as (ours, peer):
        runs = {server.name: new_run(server) for server in (ours, peer)}
        steps = itertools.count()

        def single(server: Server) -> None:
            body = {
                "run_id": runs[server.name],
                "key": "loss",
                "value": 0.5,
                "timestamp": int(time.time() * 1000),
                "step": next(steps),
            }
            server("POST", A + "runs/log-metric", body)

        def batch(server: Server) -> None:
            start = next(steps) * 1000
            points = [
                {"key": f"m{n % 20}", "value": n / 7, "timestamp": 1_700_000_000_000, "step": start + n}
                for n in range(1000)
            ]
            server("POST", A + "runs/log-batch", {"run_id": runs[server.name], "metrics": points})

        def tag(server: Server) -> None:
            server("POST", A + "runs/set-tag", {"run_id": runs[server.name], "key": "note", "value": str(next(steps))})

        def get(server: Server) -> None:
            server("GET", A + f"runs/get?run_id={runs[server.name]}")

        def eight(server: Server) -> None:
            def work(_: int) -> None:
                mine = server.another()
                for _ in range(25):
                    single(mine)

            with ThreadPoolExecutor(8) as pool:
                list(pool.map(work, range(8)))

        def run_of_a_sweep(server: Server) -> None:
            run = orjson.loads(server("POST", A + "runs/create", {"experiment_id": "0", "start_time": 1}))["run"][
                "info"
            ]["run_id"]
            server(
                "POST",
                A + "runs/log-batch",
                {"run_id": run, "params": [{"key": f"p{n}", "value": "1"} for n in range(5)]},
            )
            for step in range(5):
                for key in ("loss", "accuracy", "auc"):
                    server(
                        "POST",
                        A + "runs/log-metric",
                        {"run_id": run, "key": key, "value": step, "timestamp": 1, "step": step},
                    )
            server("GET", A + f"runs/get?run_id={run}")
            server("POST", A + "runs/update", {"run_id": run, "status": "FINISHED", "end_time": 2})

        print(HEADER, flush=True)
        for title, work, times in (
            ("log-metric, 1 client", single, 60),
            ("200 log-metric from 8 clients", eight, 1),
            ("set-tag", tag, 40),
            ("runs/get", get, 40),
            ("log-batch of 1,000 metrics", batch, 5),
            ("one run of a sweep (19 requests)", run_of_a_sweep, 5),
        ):
            if wish.only in title:
                compare(title, ours, peer, work, times, wish.rounds)


if __name__ == "__main__":
    main()
