"""Kills with -9 while several clients score: what was acknowledged, and what of it the inference table does not hold.

    python -m bench.kills_scoring [--kills 20] [--clients 6] [--victims postgres,sandboxd]

Starts an installation of its own with a linear model. Every answer's id is kept by its client; at the end they are compared with the
table's. Ends with 1 when an acknowledged id is missing or there twice, when an answer was wrong, or when scoring did not come back.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from http.client import HTTPConnection, HTTPException
from typing import Any

from bench.b5_scoring import CLIENT, MODELS, wait_for
from tests import live

BACK_SECONDS = 180
READ = """
import json, boathouse
table = boathouse.read_table("main.default.linear_payload", columns=["databricks_request_id"])
print(json.dumps(table.column("databricks_request_id").to_pylist()))
"""


class Clients:
    """Clients that ask again and again, each over a connection of its own, and remember every id they were answered with."""

    def __init__(self, port: int, token: str, count: int) -> None:
        self.acknowledged: list[str] = []
        self.refused: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._port, self._token = port, token
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(number,)) for number in range(count)]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Stop asking."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _work(self, number: int) -> None:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=60)
        asked, answer = 0, None
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        row = [float(number + place) for place in range(10)]
        while not self._over.is_set():
            asked += 1
            body: dict[str, Any] = {"dataframe_split": {"columns": [f"f{n}" for n in range(10)], "data": [row]}}
            body["client_request_id"] = f"{number}-{asked}"
            try:
                connection.request("POST", "/serving-endpoints/linear/invocations", json.dumps(body), headers)
                reply = connection.getresponse()
                content = reply.read()
            except (OSError, HTTPException) as error:
                self.refused[type(error).__name__] += 1
                connection.close()
                continue
            if reply.status != 200:
                self.refused[str(reply.status)] += 1
                time.sleep(0.05)
                continue
            answer = answer or content
            if content != answer:
                self.wrong.append(content.decode())
            self.acknowledged.append(reply.headers["x-request-id"])


def kill(installation: live.Installation, victim: str, clients: Clients) -> float:
    """Kill a process; the seconds until another one runs in its place and requests are answered again."""
    before = installation.manage("pids")[victim]
    began = time.monotonic()
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: installation.manage("pids").get(victim, before) != before, BACK_SECONDS)
    answered = len(clients.acknowledged)
    wait_for(lambda: len(clients.acknowledged) > answered + 10, BACK_SECONDS)
    return time.monotonic() - began


def main() -> int:
    """Kill, compare, print; 0 when nothing is missing."""
    given = argparse.ArgumentParser()
    given.add_argument("--kills", type=int, default=20)
    given.add_argument("--clients", type=int, default=6)
    given.add_argument("--victims", default="postgres,sandboxd")
    wish = given.parse_args()
    installation = live.start()
    try:
        token = installation.workspace("kills")
        api = live.LiveApi(installation.url, token)
        with tempfile.TemporaryDirectory() as folder:
            live.run_client(live.client_python(*CLIENT), MODELS, installation.url, token, folder, "linear", seconds=900)
        target = {"name": "linear", "model": "linear", "follows": "version", "value": "1"}
        assert (made := api.post("/api/v1/endpoints", target)).status_code == 201, made.text
        wait_for(lambda: api.get("/api/v1/endpoints/linear").json()["state"] == "ready", 900)
        clients = Clients(installation.port, token, wish.clients)
        try:
            for victim in wish.victims.split(","):
                took = []
                for _ in range(wish.kills):
                    time.sleep(random.uniform(0.5, 4))
                    took.append(kill(installation, victim, clients))
                    print(f"# {victim}: back after {took[-1]:.1f} s, {len(clients.acknowledged)} answers", flush=True)
                print(
                    f"{victim}: {len(took)} kills, back after {statistics.median(took):.1f} s, at most {max(took):.1f} s"
                )
        finally:
            clients.end()
        acknowledged = set(clients.acknowledged)
        reader = live.client_python("pyarrow", "requests", with_boathouse=True)
        until = time.monotonic() + 120
        while True:
            logged = Counter(json.loads(live.run_client(reader, READ, installation.url, token, seconds=120)))
            missing, twice = acknowledged - logged.keys(), [key for key, times in logged.items() if times > 1]
            if not missing or time.monotonic() > until:
                break
            time.sleep(2)
        print(
            f"{len(acknowledged)} acknowledged, {len(missing)} missing, {len(twice)} twice, {len(clients.wrong)} wrong answers,"
            f" {len(logged)} rows; refused or broken: {dict(clients.refused)}"
        )
        return int(bool(missing or twice or clients.wrong or len(acknowledged) != len(clients.acknowledged)))
    finally:
        live.end(installation)


if __name__ == "__main__":
    sys.exit(main())
