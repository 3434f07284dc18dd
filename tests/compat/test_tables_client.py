"""The boathouse client from an environment of its own against a running installation."""

from __future__ import annotations

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
