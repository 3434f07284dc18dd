"""Registered models, versions, logged models, files."""

from __future__ import annotations

from typing import Any

from apps.access.levels import Level
from tests.isolation.mlflow.kit import DoorExample, Things

VIEW, EDIT, MANAGE = Level.VIEW, Level.EDIT, Level.MANAGE
_M, _V, _L, _F = (
    f"2.0/{part}"
    for part in ("mlflow/registered-models", "mlflow/model-versions", "mlflow/logged-models", "mlflow-artifacts")
)


def model(method: str, path: str, needs: Level, **more: Any) -> DoorExample:
    return DoorExample(method, f"{_M}/{path}", lambda t: {"name": t.name, **more}, needs, "model")


def version(method: str, path: str, needs: Level, **more: Any) -> DoorExample:
    return DoorExample(method, f"{_V}/{path}", lambda t: {"name": t.name, "version": "1", **more}, needs, "model")


def logged(method: str, path: str, needs: Level, **more: Any) -> DoorExample:
    return DoorExample(method, f"{_L}/<str:model_id>{path}", lambda t: {"model_id": t.model_id, **more}, needs)


def file(things: Things) -> dict[str, str]:
    return {"artifact_path": f"{things.experiment}/models/{things.model_id}/artifacts/MLmodel"}


EXAMPLES = [
    DoorExample("POST", f"{_M}/create", lambda t: {"name": "made_by_the_walk"}),
    model("GET", "get", VIEW),
    model("POST", "rename", MANAGE, new_name="another"),
    model("PATCH", "update", EDIT, description="new"),
    model("DELETE", "delete", MANAGE),
    model("GET", "get-latest-versions", VIEW),
    model("POST", "get-latest-versions", VIEW),
    DoorExample("GET", f"{_M}/search"),
    model("POST", "set-tag", EDIT, key="k", value="v"),
    model("DELETE", "delete-tag", EDIT, key="team"),
    model("POST", "alias", EDIT, alias="other", version="1"),
    model("DELETE", "alias", EDIT, alias="champion"),
    model("GET", "alias", VIEW, alias="champion"),
    DoorExample("POST", f"{_V}/create", lambda t: {"name": t.name, "source": f"models:/{t.name}/1"}, EDIT, "model"),
    version("GET", "get", VIEW),
    version("GET", "get-download-uri", VIEW),
    version("PATCH", "update", EDIT, description="new"),
    version("DELETE", "delete", MANAGE),
    version("POST", "transition-stage", EDIT, stage="Staging"),
    DoorExample("GET", f"{_V}/search"),
    version("POST", "set-tag", EDIT, key="k", value="v"),
    version("DELETE", "delete-tag", EDIT, key="team"),
    DoorExample("POST", _L, lambda t: {"experiment_id": t.experiment, "name": "another"}, EDIT),
    DoorExample("POST", f"{_L}/search", lambda t: {"experiment_ids": [t.experiment]}),
    logged("GET", "", VIEW),
    logged("PATCH", "", EDIT, status="LOGGED_MODEL_READY"),
    logged("DELETE", "", EDIT),
    logged("POST", "/params", EDIT, params=[{"key": "k", "value": "v"}]),
    logged("PATCH", "/tags", EDIT, tags=[{"key": "k", "value": "v"}]),
    logged("DELETE", "/tags/<path:tag_key>", EDIT, tag_key="mlflow.modelVersions"),
    logged("GET", "/artifacts/directories", VIEW),
    DoorExample(
        "POST", "2.0/mlflow/runs/outputs", lambda t: {"run_id": t.run, "models": [{"model_id": t.model_id}]}, EDIT
    ),
    DoorExample("GET", "2.0/mlflow/artifacts/list", lambda t: {"run_id": t.run}, VIEW),
    DoorExample("GET", f"{_F}/artifacts", lambda t: {"path": f"{t.experiment}/models/{t.model_id}/artifacts"}, VIEW),
    DoorExample("DELETE", f"{_F}/artifacts/<path:artifact_path>", file, EDIT),
]
# These answer before Django, or answer everybody alike; tests/registry/test_artifact_routes.py asks them as everybody.
ELSEWHERE = {
    ("GET", f"{_F}/artifacts/<path:artifact_path>"),
    ("PUT", f"{_F}/artifacts/<path:artifact_path>"),
    ("GET", f"{_F}/presigned/<path:artifact_path>"),
    *(("POST", f"{_F}/mpu/{step}/<path:artifact_path>") for step in ("create", "complete", "abort")),
}
