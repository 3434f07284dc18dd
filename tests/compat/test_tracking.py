"""Experiments and runs by the unmodified mlflow client, through the ingest path in front of Django."""

from __future__ import annotations

from tests.compat.conftest import Client
from tests.registry.live import Live


def test_tracking_by_the_mlflow_client(live: Live, run_client: Client) -> None:
    assert run_client("client_tracking.py") == {"seen": "fine"}
