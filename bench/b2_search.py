"""B2: tracking queries, at several sizes of one experiment. Run: python -m bench.b2_search --runs 5000 50000

Runs have 20 metrics, 20 params and 5 tags. Both stores are filled with SQL (over the API it would take the peer hours), Boathouse's
summaries by its own functions; what is measured is the API.
"""

from __future__ import annotations

import argparse
import random
from typing import Any

import orjson

from bench.tracking import HEADER, A, Server, both, compare

METRICS, PARAMS, TAGS = 20, 20, 5
FILTER = "metrics.m0 > 0.5 and params.p0 = '7'"


def fill_ours(number: int, runs: int) -> None:
    """Runs of an experiment, as the ingest functions would have stored them."""
    from django.db import connections

    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "insert into experiments_run (workspace_id, experiment_id, experiment_number, uuid, name, claimed_user, status, start_time,"
            " end_time, created_at, activity) select e.workspace_id, e.resource_id, e.number, gen_random_uuid(), 'run-' || i, 'bench',"
            " 'FINISHED', 1700000000000 + i * 1000, 1700000000000 + i * 1000 + 60000, now(), ''"
            " from experiments_experiment e, generate_series(1, %s) i where e.number = %s",
            [runs, number],
        )
        mine = "from experiments_run r, generate_series(0, %s) k where r.experiment_number = %s order by r.id, k"
        cursor.execute(
            "insert into experiments_runmetric (workspace_id, experiment_number, run_id, key, value, step, timestamp)"
            f" select r.workspace_id, r.experiment_number, r.id, 'm' || k, random(), 0, r.start_time {mine}",
            [METRICS - 1, number],
        )
        for table, letter, count in (("runparam", "p", PARAMS), ("runtag", "t", TAGS)):
            cursor.execute(
                f"insert into experiments_{table} (workspace_id, experiment_number, run_id, key, value)"
                f" select r.workspace_id, r.experiment_number, r.id, %s || k, floor(random() * 10)::int::text {mine}",
                [letter, count - 1, number],
            )
        cursor.execute(
            "insert into experiments_runsummary (run_id, workspace_id, metrics, params, tags, inputs, outputs, metric_count)"
            " select r.id, r.workspace_id, experiments_metrics_text(r.id), experiments_params_text(r.id), experiments_tags_text(r.id),"
            " '', '', %s from experiments_run r where r.experiment_number = %s",
            [METRICS, number],
        )
        cursor.execute("vacuum analyze")


def fill_peer(experiment: int, runs: int) -> None:
    """The same in MLflow's tables."""
    from django.db import connections

    with connections["owner"].cursor() as cursor:
        cursor.execute("set search_path = mlflow")
        cursor.execute(
            "insert into runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, end_time,"
            " source_version, lifecycle_stage, artifact_uri, experiment_id) select replace(gen_random_uuid()::text, '-', ''), 'run-' || i,"
            " 'UNKNOWN', '', '', 'bench', 'FINISHED', 1700000000000 + i * 1000, 1700000000000 + i * 1000 + 60000, '', 'active',"
            " 'mlflow-artifacts:/x', %s from generate_series(1, %s) i",
            [experiment, runs],
        )
        mine = "from runs r, generate_series(0, %s) k where r.experiment_id = %s"
        cursor.execute(
            "insert into latest_metrics (run_uuid, key, value, timestamp, step, is_nan)"
            f" select r.run_uuid, 'm' || k, random(), r.start_time, 0, false {mine}",
            [METRICS - 1, experiment],
        )
        cursor.execute(
            f"insert into params (run_uuid, key, value) select r.run_uuid, 'p' || k, floor(random() * 10)::int::text {mine}",
            [PARAMS - 1, experiment],
        )
        cursor.execute(
            f"insert into tags (run_uuid, key, value) select r.run_uuid, 't' || k, floor(random() * 10)::int::text {mine}",
            [TAGS - 1, experiment],
        )
        cursor.execute("vacuum analyze")
        cursor.execute("reset search_path")


def fill_history(ours: Server, peer: Server, points: int) -> dict[str, str]:
    """One run each with a long metric, logged through the API by Boathouse and by SQL into the peer."""
    from django.db import connections

    runs = {}
    for server in (ours, peer):
        body = {"experiment_id": "0", "start_time": 1}
        runs[server.name] = orjson.loads(server("POST", A + "runs/create", body))["run"]["info"]["run_id"]
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "insert into experiments_metricpoint (workspace_id, run_id, key, timestamp, step, value) select r.workspace_id, r.id, 'loss',"
            " 1700000000000 + i, i, random() from experiments_run r, generate_series(1, %s) i where r.uuid = %s::uuid",
            [points, runs[ours.name]],
        )
        cursor.execute(
            "insert into mlflow.metrics (key, value, timestamp, run_uuid, step, is_nan)"
            " select 'loss', random(), 1700000000000 + i, %s, i, false from generate_series(1, %s) i",
            [runs[peer.name], points],
        )
    return runs


def ask(experiments: dict[str, str], **body: Any) -> Any:
    """A search of each server's own experiment."""

    def search(server: Server) -> None:
        answer = server("POST", A + "runs/search", {"experiment_ids": [experiments[server.name]], **body})
        if b'"runs"' not in answer:
            raise RuntimeError(f"{server.name} found nothing")

    return search


def main() -> None:
    """Prints one line per query and size."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, nargs="*", default=[5_000, 50_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--experiments", type=int, default=1_000)
    parser.add_argument("--points", type=int, default=100_000)
    wish = parser.parse_args()
    with both() as (ours, peer):
        print(HEADER, flush=True)
        for runs in wish.runs:
            experiments = {}
            for server in (ours, peer):
                made = orjson.loads(
                    server("POST", A + "experiments/create", {"name": f"of {runs} runs {random.random()}"})
                )
                experiments[server.name] = made["experiment_id"]
            fill_ours(int(experiments[ours.name]), runs)
            fill_peer(int(experiments[peer.name]), runs)
            order = ["metrics.m1 DESC"]
            page = ask(experiments, filter=FILTER, order_by=order, max_results=100)
            whole = ask(experiments, filter=FILTER, order_by=order, max_results=1000)
            compare(f"{runs:,} runs: filtered page of 100", ours, peer, page, 3, wish.rounds)
            compare(f"{runs:,} runs: filtered page of 1,000", ours, peer, whole, 1, wish.rounds)
            compare(f"{runs:,} runs: newest 100", ours, peer, ask(experiments, max_results=100), 3, wish.rounds)
        if wish.points:
            histories = fill_history(ours, peer, wish.points)

            def history(server: Server) -> None:
                server("GET", A + f"metrics/get-history?run_id={histories[server.name]}&metric_key=loss")

            compare(f"history of {wish.points:,} points", ours, peer, history, 1, wish.rounds)
        for server in (ours, peer):
            for number in range(wish.experiments):
                server("POST", A + "experiments/create", {"name": f"experiment {number}"})
        for size, times in ((100, 20), (1000, 10)):
            compare(
                f"{size:,} of {wish.experiments:,} experiments",
                ours,
                peer,
                lambda server, size=size: server("POST", A + "experiments/search", {"max_results": size}) and None,
                times,
                wish.rounds,
            )


if __name__ == "__main__":
    main()
