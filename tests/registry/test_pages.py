"""Pages of the registry: what they show and what their buttons do, for those who may."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from apps.access.actor import Actor
from apps.access.levels import Level
from apps.registry import operations, queries
from tests.builders import World, a_person
from tests.registry.makers import a_model, a_version


def browser(actor: Actor) -> Client:
    client = Client(raise_request_exception=True)
    client.force_login(actor.user)
    return client


def test_list_model_and_version(world: World) -> None:
    version = a_version(world.admin)
    operations.set_alias(actor=world.admin, model=version.model, alias="champion", version=version)
    operations.move_to_stage(actor=world.admin, model=version.model, version=version, stage="Production")
    client = browser(world.admin)
    for address, shown in {
        "models": ["churn", "v1", "champion"],
        "models?q=chu": ["churn"],
        "models?q=none": ["No model"],
        f"models/{version.model.pk}": ["Production", "champion", "rmse"],
        "models/churn": ["Production"],
        "models/churn/history": ["Production", "champion"],
        "models/churn/requests": ["Nothing was asked yet"],
        "models/churn/settings": ["Gates", "two people"],
        "models/churn/versions/1": ["models:/churn/1", "rmse", "sklearn 1.9.1"],
        "models/churn/versions/1/schema": ["distance", "double", "required"],
        "models/churn/versions/1/artifacts": ["MLmodel", "model.skops"],
        "models/churn/versions/1/artifacts?path=requirements.txt": ["scikit-learn==1.9.1"],
        "models/churn/versions/1/activity": ["registered v1", "pointed @champion", "moved v1 to"],
        "models/churn/versions/1/activity?show=aliases": ["pointed @champion"],
        "models/churn/compare?v=1": ["There is no other version"],
    }.items():
        answer = client.get(f"/w/ours/{address}")
        text = answer.content.decode()
        assert answer.status_code == 200 and all(word in text for word in shown), (address, text[:3000])
    file = client.get("/w/ours/models/churn/versions/1/file?path=MLmodel")
    assert b"mlflow.sklearn" in b"".join(file.streaming_content) and "attachment" in file["Content-Disposition"]
    assert client.get("/w/ours/models/churn/versions/1/file?path=../x").status_code == 422
    assert client.get("/w/ours/models/churn/versions/7").status_code == 404
    assert browser(a_person(world, "mia@example.com")).get("/w/ours/models/churn").status_code == 404


def test_buttons(world: World) -> None:
    client = browser(world.admin)
    made = client.post("/w/ours/models", {"name": "churn", "description": "who leaves"})
    assert made.status_code == 303
    taken = client.post("/w/ours/models", {"name": "churn"})
    assert taken.status_code == 409 and "already a model" in taken.content.decode()
    model = queries.get_model(world.admin, "churn")
    source = a_version(world.admin, a_model(world.admin, "other"))
    assert client.post("/w/ours/models/churn", {"source": "models:/other/1"}).status_code == 303
    assert client.post("/w/ours/models/churn", {"source": "/etc/passwd"}).status_code == 422
    here = "/w/ours/models/churn/versions/1"

    def press(**said: str) -> Any:
        return client.post(here, said).status_code

    assert press(act="move", stage="Production", comment="good", archive="on") == 303
    assert press(act="alias", alias="champion") == 303
    assert press(act="alias", alias="v1") == 422
    assert press(act="describe", description="first") == 303
    assert press(act="other") == 422
    version = queries.numbered(model, 1)
    assert (version.stage, version.current_aliases, version.description) == ("Production", ["champion"], "first")
    assert press(act="unalias", alias="champion") == 303
    assert client.post("/w/ours/models/churn/settings", {"stage": "Staging", "level": "manage"}).status_code == 303
    assert press(act="delete") == 303
    assert not queries.versions_of(model).exists() and source.version == 1


@pytest.mark.parametrize(
    ("level", "stage", "status"),
    [(Level.VIEW, "Staging", 403), (Level.EDIT, "Production", 403), (Level.EDIT, "Staging", 303)],
)
def test_gates_hold_for_buttons(world: World, level: Level, stage: str, status: int) -> None:
    version = a_version(world.admin)
    mia = a_person(world, "mia@example.com", level=level, on=version.model.resource)
    client = browser(mia)
    shown = client.get("/w/ours/models/churn/versions/1").content.decode()
    assert ("Move version" in shown) == (level >= Level.EDIT) and "Delete version" not in shown
    assert client.post("/w/ours/models/churn/versions/1", {"act": "move", "stage": stage}).status_code == status
