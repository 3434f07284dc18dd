"""Unmodified clients in an environment of their own, against a live server."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.registry.live import Live, live, server_port
from workspace.demo.story import client_environment

__all__ = ["live", "server_port"]
HERE = Path(__file__).parent
Client = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def client_python() -> Path:
    """The Python of the clients' environment; kept between sessions while its lock stays the same."""
    return client_environment(Path(tempfile.gettempdir()) / f"boathouse-clients-{os.getuid()}")


@pytest.fixture
def run_client(live: Live, client_python: Path, tmp_path: Path) -> Client:
    """Run a script of this folder as a client of ours; it prints one JSON object, which is returned."""

    def run(script: str, *, token: str = "", **values: str) -> dict[str, Any]:
        said = {
            "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{live.port}",
            "MLFLOW_TRACKING_TOKEN": token or live.ours.api.token,
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
            "GIT_PYTHON_REFRESH": "quiet",
            "HOME": str(tmp_path),
            "PATH": os.environ["PATH"],
            **values,
        }
        done = subprocess.run(
            [str(client_python), str(HERE / script)],
            env=said,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-6000:]}"
        found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        return found

    return run
