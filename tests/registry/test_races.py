"""Several people changing one model at the same moment, over the wire."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from apps.access.scope import workspace_scope
from tests.registry.live import Live
from tests.registry.makers import a_logged_model, a_model

V = "/api/2.0/mlflow/model-versions"


def test_numbers_come_once_and_one_version_is_in_production(live: Live) -> None:
    with workspace_scope(live.ours.workspace):
        logged = a_logged_model(live.ours.admin)
        a_model(live.ours.admin)

    def post(path: str, **fields: Any) -> dict[str, Any]:
        answer = live("POST", f"{V}/{path}", body=json.dumps(fields), Content_Type="application/json")
        assert answer.status == 200, answer.body
        found: dict[str, Any] = json.loads(answer.body)["model_version"]
        return found

    with ThreadPoolExecutor(6) as people:
        made = list(people.map(lambda _: post("create", name="churn", source=f"models:/{logged.hex}"), range(12)))
        assert sorted(int(version["version"]) for version in made) == list(range(1, 13))

        def promote(number: int) -> dict[str, Any]:
            wish = {"name": "churn", "version": str(number), "stage": "Production", "archive_existing_versions": True}
            return post("transition-stage", **wish)

        moved = list(people.map(promote, range(1, 13)))
    assert {version["current_stage"] for version in moved} == {"Production"}
    query = "filter=name%3D%27churn%27"
    now = json.loads(live("GET", f"{V}/search?{query}").body)["model_versions"]
    stages = [version["current_stage"] for version in now]
    assert (stages.count("Production"), stages.count("Archived")) == (1, 11)
    tags = json.loads(live("GET", f"/api/2.0/mlflow/logged-models/{logged.hex}").body)["model"]["info"]["tags"]
    noted = json.loads(next(tag["value"] for tag in tags if tag["key"] == "mlflow.modelVersions"))
    assert sorted(one["version"] for one in noted) == list(range(1, 13))
