"""Endpoints of the groups `artifacts` and `artifacts-proxy`, except the bytes themselves, which `streams` carries."""

from __future__ import annotations

from typing import Any

from apps.access.actor import Actor
from apps.experiments import artifacts
from apps.experiments.artifacts import Place
from apps.foundation.errors import Invalid
from apps.mlflow_api.messages import artifacts as asked
from apps.mlflow_api.routing import Route
from apps.mlflow_api.stores import place_to_read, place_to_write
from apps.mlflow_api.translate.registry import present
from apps.registry.sources import get_run

Answer = dict[str, Any]


def entries(place: Place, below: str = "") -> list[Answer]:
    """The entries of a folder; their paths begin with `below`."""
    found = []
    for entry in artifacts.list_entries(place):
        path = f"{below.rstrip('/')}/{entry.name}" if below.rstrip("/") else entry.name
        found.append(present({"path": path, "is_dir": entry.is_dir, "file_size": entry.size}))
    return found


def list_folder(actor: Actor, message: asked.ListFolder) -> Answer:
    return present({"files": entries(place_to_read(actor, message.path))})


def list_run_files(actor: Actor, message: asked.ListRunFiles) -> Answer:
    run = get_run(actor, message.run_id or message.run_uuid)
    files = entries(artifacts.run_place(actor, run, message.path), message.path)
    return present({"root_uri": run.artifact_uri, "files": files})


def delete_files(actor: Actor, message: asked.FilePath) -> None:
    artifacts.delete(place_to_write(actor, message.artifact_path))


def read_or_put(actor: Actor, message: asked.FilePath) -> None:
    raise Invalid("The bytes of artifacts pass by the streaming server only.")


def no_multipart(actor: Actor, message: asked.FilePath) -> None:
    # 501 is what makes clients send the file in one piece instead.
    raise Invalid("This server takes files of any size in one request.", code="not_implemented")


_F = "2.0/mlflow-artifacts"
ROUTES = [
    Route("GET", "2.0/mlflow/artifacts/list", asked.ListRunFiles, list_run_files),
    Route("GET", f"{_F}/artifacts", asked.ListFolder, list_folder),
    Route("DELETE", f"{_F}/artifacts/<path:artifact_path>", asked.FilePath, delete_files, reads_body=False),
    Route("GET", f"{_F}/artifacts/<path:artifact_path>", asked.FilePath, read_or_put, reads_body=False),
    Route("PUT", f"{_F}/artifacts/<path:artifact_path>", asked.FilePath, read_or_put, reads_body=False),
    *(
        Route("POST", f"{_F}/mpu/{step}/<path:artifact_path>", asked.FilePath, no_multipart, reads_body=False)
        for step in ("create", "complete", "abort")
    ),
    Route("GET", f"{_F}/presigned/<path:artifact_path>", asked.FilePath, no_multipart, reads_body=False),
]
