"""The scorer answers what `mlflow models serve` answers, to the byte, whichever way it takes, alone or with others."""

from __future__ import annotations

import json
from pathlib import Path

from tests import live

SCRIPT = Path(__file__).with_name("scorer_against_mlflow.py")
CLIENT = ("mlflow", "scikit-learn", "orjson")


def test_every_request_is_answered_as_mlflow_answers_it() -> None:
    python = live.client_python(*CLIENT)
    guest = str(live.CHECKOUT / "apps" / "sandbox")
    told = live.run_client(python, SCRIPT.read_text(), "", "", guest, str(live.free_port()), seconds=900)
    *differences, paths, last = told.strip().splitlines()
    assert not differences, "\n".join(differences)
    assert int(last.split()[1]) > 1500
    ways = json.loads(paths)
    assert ways["linear"] == ["linear", "none"] and ways["forest"] == ["array", "whole"]
    assert ways["pipeline"] == ["frame", "transforms"] and ways["boosted"] == ["array", "whole"]
    assert ways["tensor"][0] == "tensor" and ways["moody"][0] == "frame" and ways["params"][0] == "mlflow"
