"""The tutorial, block by block, as a newcomer runs it."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests import live

PAGE = Path(__file__).parents[2] / "docs" / "tutorials" / "first-model.md"
BLOCKS = re.findall(r"```(python|bash)\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_first_model(installation: live.Installation, tmp_path: Path) -> None:
    token = installation.workspace("harbour", "you@example.com")
    python = live.client_python("mlflow-skinny", "scikit-learn", "pandas", with_boathouse=True)
    env = {
        "PATH": f"{python.parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "BOATHOUSE_URL": installation.url,
        "BOATHOUSE_TOKEN": token,
        "MLFLOW_TRACKING_URI": installation.url,
        "MLFLOW_TRACKING_TOKEN": token,
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    assert len(BLOCKS) >= 6
    for language, block in BLOCKS:
        command = ["bash", "-euc", block] if language == "bash" else [str(python), "-c", block]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=600)
        if done.returncode != 0:
            pytest.fail(f"{block}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
