"""The boathouse client from an environment of its own against a running installation."""

from __future__ import annotations

import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor

from tests import live

SCRIPT = """
import boathouse, pyarrow as pa
first = boathouse.write_table("main.default.readings", pa.table({"a": [1, 2, 3], "b": ["x", None, "z"]}), mode="overwrite")
second = boathouse.write_table("main.default.readings", pa.table({"a": [4], "b": ["w"]}), mode="append")
assert (first.version, second.version) == (0, 1), (first, second)
now = boathouse.read_table("main.default.readings", filter=[("a", ">=", 2)], columns=["a"])
assert sorted(now["a"].to_pylist()) == [2, 3, 4]
assert boathouse.read_table("main.default.readings", version=0).num_rows == 3
print("fine")
"""


def test_write_and_read_from_outside(installation: live.Installation) -> None:
    token = installation.workspace("client-ops")
    python = live.client_python("pyarrow", "requests", with_boathouse=True)
    assert live.run_client(python, SCRIPT, installation.url, token).strip() == "fine"
    neighbour = installation.workspace("client-lab")
    answer = live.LiveApi(installation.url, neighbour).get("/api/v1/tables/main.default.readings")
    assert answer.status_code == 404


UPLOAD = """
import sys, time, boathouse
client = boathouse.Client()

def upload(table, content, **options):
    write = client.post("table-writes", {"table": table, "file_name": "rows.csv"})
    client.request("PUT", write["file_url"], data=content.encode())
    client.post(f"table-writes/{write['id']}/parse", options)
    end = time.time() + 60
    while (write := client.get(f"table-writes/{write['id']}"))["state"] == "parsing" and time.time() < end:
        time.sleep(0.1)
    return write, client.post(f"table-writes/{write['id']}/commit", {"mode": "append"})

_, made = upload("main.default.flights", "day,delay,carrier\\n2013-01-01,2.5,UA\\n2013-01-02,,AA\\n2013-01-03,4,UA\\n")
assert made["rows"] == 3 and made["version"] == 0
got = boathouse.read_table("main.default.flights")
assert [str(f.type) for f in got.schema] == ["date32[day]", "double", "string"], got.schema
try:
    upload("main.default.flights", "day,delay,carrier\\n2013-01-04,1,UA\\n2013-13-01,1,UA\\n2013-01-05,late,UA\\n")
    raise SystemExit("bad rows were taken")
except boathouse.BoathouseError as error:
    assert error.status == 422 and "line 3, day" in str(error) and "line 4, delay" in str(error), error
assert boathouse.read_table("main.default.flights").num_rows == 3
print("fine")
"""


def test_uploaded_files_are_read_by_a_guest_and_bad_rows_named(installation: live.Installation) -> None:
    python = live.client_python("pyarrow", "requests", with_boathouse=True)
    token = installation.workspace("upload-ops")
    assert live.run_client(python, UPLOAD, installation.url, token).strip() == "fine"


WRITER = """
import sys, boathouse
who, many = int(sys.argv[1]), int(sys.argv[2])
for i in range(many):
    made = boathouse.write_table("main.default.shared", {"n": [who * 1000 + i]}, key=f"{who}-{i}")
    print(who * 1000 + i, made.version, flush=True)
"""


def test_four_writers_lose_nothing_while_web_is_killed(installation: live.Installation) -> None:
    python = live.client_python("pyarrow", "requests", with_boathouse=True)
    token = installation.workspace("writer-ops")
    make = 'import boathouse, pyarrow as pa\nboathouse.write_table("main.default.shared", pa.table({"n": pa.array([], pa.int64())}))'
    live.run_client(python, make, installation.url, token)
    with ThreadPoolExecutor(4) as pool:
        runs = [
            pool.submit(live.run_client, python, WRITER, installation.url, token, str(who), "12") for who in range(4)
        ]
        for _ in range(4):
            time.sleep(1)
            pids = [pid for name, pid in installation.manage("pids").items() if name.startswith("web")]
            os.kill(random.choice(pids), signal.SIGKILL)
        acknowledged = [line.split() for run in runs for line in run.result().splitlines()]
    api = live.LiveApi(installation.url, token)
    stored: list[int] = []
    for version in range(1, 49):
        shown = api.get(f"/api/v1/tables/main.default.shared/preview?version={version}&limit=1").json()
        stored.append(shown["items"][0][0])
    assert sorted(stored) == sorted(who * 1000 + i for who in range(4) for i in range(12))
    assert {(int(value), int(version)) for value, version in acknowledged} == {
        (value, version) for version, value in enumerate(stored, 1)
    }
    assert api.get("/api/v1/tables/main.default.shared").json()["rows"] == 48


PARTS = """
import boathouse, pyarrow as pa
for part in range(6):
    boathouse.write_table("main.default.parts", pa.table({"a": list(range(1000)), "b": ["x"] * 1000}), mode="append")
noise = pa.array([hash((i, "noise")) for i in range(800_000)], pa.int64())
boathouse.write_table("main.default.large", pa.table({"noise": noise}), mode="append")
"""
READS = "import boathouse; print(boathouse.read_table('main.default.{}').num_rows)"


def test_a_process_that_ends_right_after_a_read_ends_well(installation: live.Installation) -> None:
    """Arrow's threads let go of what they read a moment later: one process in twelve was aborted by that."""
    python = live.client_python("pyarrow", "requests", with_boathouse=True)
    token = installation.workspace("ending-ops")
    live.run_client(python, PARTS, installation.url, token)
    with ThreadPoolExecutor(4) as pool:
        wanted = ["parts", "parts", "parts", "large"] * 9
        runs = [pool.submit(live.run_client, python, READS.format(name), installation.url, token) for name in wanted]
        assert {run.result().strip() for run in runs} == {"6000", "800000"}
