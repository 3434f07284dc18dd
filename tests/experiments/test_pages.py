"""Pages of experiments: what was logged over the wire is there to see, to filter, to order and to compare."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

import pytest
from django.test import Client

from apps.access.levels import Level
from apps.experiments import artifacts
from apps.experiments.language import parse_query
from apps.experiments.models import Experiment, Run
from apps.experiments.pages.address import order_of
from apps.experiments.queries import get_run
from apps.foundation.clock import now
from apps.foundation.errors import Invalid
from tests.builders import World, a_person

NASTY = "<script>alert(1)</script>"


class Door:
    """The MLflow door as its clients use it."""

    def __init__(self, world: World) -> None:
        self.api = world.api

    def __call__(self, path: str, **body: Any) -> Any:
        answer = self.api("POST", f"/api/2.0/mlflow/{path}", body)
        assert answer.status_code == 200, answer.content
        return json.loads(answer.content or b"{}")

    def run(self, experiment: str, name: str, rmse: float, **params: str) -> str:
        """A finished run with a curve."""
        made = self("runs/create", experiment_id=experiment, run_name=name, start_time=1_700_000_000_000, user_id="ada")
        key = made["run"]["info"]["run_id"]
        points = [{"key": "rmse", "value": rmse + 3 - step, "timestamp": 1, "step": step} for step in range(4)]
        given = [{"key": k, "value": v} for k, v in params.items()]
        self("runs/log-batch", run_id=key, metrics=points, params=given, tags=[{"key": "note", "value": NASTY}])
        self("runs/update", run_id=key, status="FINISHED", end_time=1_700_000_060_000)
        return str(key)


@pytest.fixture
def door(world: World) -> Door:
    return Door(world)


@pytest.fixture
def ada(world: World) -> Client:
    client = Client()
    client.force_login(world.admin.user)
    return client


@pytest.fixture
def made(door: Door) -> dict[str, Any]:
    number = door("experiments/create", name="/flight-delays/arrival-delay")["experiment_id"]
    runs = [door.run(number, "quiet-heron", 14.31, model="lightgbm"), door.run(number, NASTY, 16.5, model="ridge")]
    return {"here": f"/w/ours/experiments/{Experiment.objects.get(number=number).pk}", "runs": runs}


def text_of(answer: Any) -> str:
    assert answer.status_code == 200, (answer.status_code, answer.content[-400:])
    return answer.content.decode()


def main_of(answer: Any) -> str:
    return text_of(answer).partition("<main")[2].partition("</main>")[0]


def test_runs_are_listed_filtered_and_ordered(made: dict[str, Any], ada: Client) -> None:
    here = made["here"]
    assert "arrival-delay" in text_of(ada.get("/w/ours/experiments"))
    every = main_of(ada.get(here))
    assert "quiet-heron" in every and "14.31" in every and "lightgbm" in every and NASTY not in every
    assert "ridge" not in main_of(ada.get(f"{here}?f=metrics.rmse<15")).partition("<tbody")[2]
    assert "quiet-heron" not in main_of(ada.get(f"{here}?f=params.model%3Dridge")).partition("<tbody")[2]
    assert "No run matches" in text_of(ada.get(f"{here}?q=nothing+like+this"))
    ordered = main_of(ada.get(f"{here}?order=-metrics.rmse"))
    assert ordered.index("16.5") < ordered.rindex("14.31")
    wrong = main_of(ada.get(f"{here}?f=colour:red"))
    assert "no field colour" in wrong and "quiet-heron" in wrong
    assert ada.get(f"{here}?page_token=forged").status_code == 422


def test_an_experiment_goes_by_its_number(made: dict[str, Any], ada: Client) -> None:
    number = Experiment.objects.get(resource__name="arrival-delay").number
    assert ada.get(f"/w/ours/experiments/{number}").headers["Location"] == made["here"]
    assert ada.get("/w/ours/experiments/12345").status_code == 404


def test_a_run_with_curves_and_its_comparison(made: dict[str, Any], ada: Client) -> None:
    first, second = made["runs"]
    shown = text_of(ada.get(f"/w/ours/runs/{first}"))
    assert "bh-curve" in shown and "lightgbm" in shown and NASTY not in shown
    assert f"/w/ours/runs/{first}/curve?key=rmse" in text_of(ada.get(f"/w/ours/runs/{first}/metrics"))
    curve = ada.get(f"/w/ours/runs/{first}/curve?key=rmse").json()["curves"][0]
    assert [point[2] for point in curve["points"]] == [pytest.approx(14.31 + 3 - step) for step in range(4)]
    compared = main_of(ada.get(f"{made['here']}/compare?run={first}&run={second}"))
    assert "14.31" in compared and "ridge" in compared and NASTY not in compared
    assert "At least" not in compared and ada.get(f"{made['here']}/compare?run={'0' * 32}").status_code == 404
    ada.post(f"/w/ours/runs/{second}", {"act": "delete"})
    assert "ridge" not in main_of(ada.get(made["here"])).partition("<tbody")[2]
    assert "ridge" in main_of(ada.get(f"{made['here']}?stage=deleted"))


def test_artifacts_are_seen_as_text_picture_or_download(world: World, made: dict[str, Any], ada: Client) -> None:
    run = get_run(world.admin, made["runs"][0])
    for path, content in {
        "notes/a.txt": NASTY.encode(),
        "plot.png": b"\x89PNG\0",
        "evil.svg": b"<svg onload=alert(1)>",
        "page.html": NASTY.encode(),
    }.items():
        artifacts.save(artifacts.run_place(world.admin, run, path), content)
    here = f"/w/ours/runs/{run.hex}"
    assert "plot.png" in text_of(ada.get(f"{here}/artifacts"))
    assert "&lt;script&gt;" in text_of(ada.get(f"{here}/artifacts?path=notes/a.txt")) and NASTY not in text_of(
        ada.get(f"{here}/artifacts?path=notes/a.txt")
    )
    picture = ada.get(f"{here}/artifact?path=plot.png")
    assert picture["Content-Type"] == "image/png" and "sandbox" in picture["Content-Security-Policy"]
    for path in ("evil.svg", "page.html", "notes/a.txt"):
        answer = ada.get(f"{here}/artifact?path={path}")
        assert (
            answer["Content-Disposition"].startswith("attachment")
            and answer["Content-Type"] == "application/octet-stream"
        )
    for path in ("../../x", "/etc/passwd", "%2e%2e/x", "notes/../../x"):
        assert ada.get(f"{here}/artifact", {"path": path}).status_code in (404, 422), path


def test_who_may_look(world: World, made: dict[str, Any]) -> None:
    run = Run.objects.get(name="quiet-heron")
    experiment = run.experiment
    mia = a_person(world, "mia@example.com", level=Level.VIEW, on=experiment.resource)
    client = Client()
    client.force_login(mia.user)
    assert client.get(f"/w/ours/runs/{run.hex}").status_code == 200
    assert client.post(f"/w/ours/runs/{run.hex}", {"act": "delete"}).status_code == 403
    assert client.get(f"{made['here']}/settings").status_code == 403


def test_a_typed_search_becomes_conditions() -> None:
    def asked(text: str) -> list[tuple[str, str, str, Any]]:
        return [(str(c.entity), c.key, str(c.operator), c.value) for c in parse_query([text], now()).where]

    assert asked('metrics.rmse < 15 and params.months = "1-3"') == [
        ("metric", "rmse", "<", 15.0),
        ("param", "months", "=", "1-3"),
    ]
    assert asked("-status:failed heron") == [
        ("attribute", "status", "!=", "FAILED"),
        ("attribute", "run_name", "ILIKE", "%heron%"),
    ]
    assert asked("params.model in (ridge, 'light gbm')") == [("param", "model", "IN", ("ridge", "light gbm"))]
    assert asked("tags.`odd key` is not null") == [("tag", "odd key", "IS NOT NULL", None)]
    assert asked("attributes.status = 'FINISHED'") == [("attribute", "status", "=", "FINISHED")]
    (fresh,) = asked("created:<7d")
    assert fresh[2] == ">" and fresh[3] < now().timestamp() * 1000 - 6 * 86_400_000
    for wrong, near in (
        ("metrics.rmse<x", "number"),
        ("params.a<1", "text"),
        ("paramz.a=1", "params.a"),
        ("colour:red", "field"),
    ):
        query = parse_query([wrong], now())
        assert query.where == () and near in query.problems[0], wrong
    assert order_of("-metrics.rmse")[0].ascending is False and order_of("nonsense") == ()


@pytest.mark.parametrize("piece", ["a.", "a=", "a in (", "`", '"', "a.`b", "a.a in ('x',", "is not null ", "-a:b "])
def test_a_search_is_read_in_one_pass(piece: str) -> None:
    began = time.perf_counter()
    with contextlib.suppress(Invalid):
        parse_query([(piece * 4_000)[:4_000]], now())
    assert time.perf_counter() - began < 0.5
    with pytest.raises(Invalid):
        parse_query([piece * 4_001], now())
