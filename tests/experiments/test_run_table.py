"""The run table and the run page at work: groups, views, live values, completion, CSV, many runs at once; curves that keep their spikes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import Client

from apps.access.levels import Level
from apps.access.scope import workspace_scope
from apps.experiments import curves, language, operations, queries, table
from apps.experiments.columns import column, columns_of
from apps.experiments.models import Experiment, Run, RunView
from apps.experiments.pages.address import order_of
from apps.experiments.search import RunSearch
from apps.foundation.clock import now
from apps.foundation.errors import Forbidden, Invalid, NotFound
from tests.builders import World, a_person
from tests.experiments.test_pages import NASTY, Door, main_of, text_of


def streamed(answer: Any) -> str:
    """The text of an answer that streams."""

    async def collect() -> bytes:
        return b"".join([piece async for piece in answer.streaming_content])

    return async_to_sync(collect)().decode()


@pytest.fixture
def ada(world: World) -> Client:
    client = Client()
    client.force_login(world.admin.user)
    return client


@pytest.fixture
def sweep(world: World) -> dict[str, Any]:
    """Twelve runs of three models, the best of them ridge; and the door they came through."""
    door = Door(world)
    number = door("experiments/create", name="/sweep")["experiment_id"]
    runs = [
        door.run(number, f"try-{i}", 14.0 + i / 10, model=["ridge", "mlp", "gbm"][i % 3], seed="7") for i in range(12)
    ]
    experiment = Experiment.objects.get(number=number)
    return {"door": door, "runs": runs, "experiment": experiment, "here": f"/w/ours/experiments/{experiment.pk}"}


def test_columns_are_those_asked_for_and_what_is_equal_everywhere_is_left_out(
    sweep: dict[str, Any], ada: Client
) -> None:
    usual = main_of(ada.get(sweep["here"]))
    assert 'data-column="params.model"' in usual and 'data-column="params.seed"' not in usual and "1 hidden" in usual
    assert 'data-column="params.seed"' in main_of(ada.get(f"{sweep['here']}?equal=show"))
    few = main_of(ada.get(f"{sweep['here']}?c=params.model&c=metrics.rmse&c=nonsense"))
    assert "data-column=" in few and 'data-column="created"' not in few
    assert few.index('data-column="metrics.rmse"') < few.index('data-column="params.model"')
    assert "The best run of this experiment" in few and few.count('class="bar best"') == 1
    chooser = text_of(ada.get(f"{sweep['here']}/columns?find=mod", headers={"HX-Request": "true"}))
    assert "params.model" in chooser and "params.seed" not in chooser
    with pytest.raises(Invalid):
        columns_of(f"metrics.m{i}" for i in range(61))


def test_groups_tell_mean_spread_and_best(sweep: dict[str, Any], ada: Client, world: World) -> None:
    shown = main_of(ada.get(f"{sweep['here']}?group=params.model"))
    assert "3 groups" in shown and "params.model+%3D+ridge" in shown
    search = RunSearch((sweep["experiment"].number,))
    by, metric = column("params.model"), column("metrics.rmse")
    assert by and metric
    groups, more = table.find_groups(table.open_search(world.admin, search), search, by, [metric])
    ridge = next(group for group in groups if group.value == "ridge")
    count, mean, spread, low, high = ridge.figures[0]
    assert (more, ridge.count, count) == (False, 4, 4) and (low, high) == (pytest.approx(14.0), pytest.approx(14.9))
    assert mean == pytest.approx(14.45) and spread == pytest.approx(0.3873, abs=1e-3)
    sweep["door"].run(str(sweep["experiment"].number), "bare", 20.0)
    groups, _ = table.find_groups(table.open_search(world.admin, search), search, by, [])
    assert {group.value: group.count for group in groups}[None] == 1


def test_pages_by_a_text_are_whole_and_agree_with_the_general_plan(sweep: dict[str, Any], world: World) -> None:
    for order in ("params.model", "-params.model", "name", "-status", "tags.note"):
        for text in ("", "metrics.rmse < 14.75", "params.model != mlp"):
            where = language.parse_query([text], now()).where
            seen: list[str] = []
            token = ""
            for _ in range(9):
                search = RunSearch((sweep["experiment"].number,), where, order_of(order), size=2, token=token)
                rows, token = table.find_page(world.admin, search, [])
                seen += [row.hex for row in rows]
                if not token:
                    break
            whole, _ = table.find_page(
                world.admin, RunSearch((sweep["experiment"].number,), where, order_of(order), size=200), []
            )
            assert seen == [row.hex for row in whole], (order, text)
            assert len(seen) == table.count(table.open_search(world.admin, search), search)


def test_a_view_is_kept_for_oneself_or_for_all(sweep: dict[str, Any], ada: Client, world: World) -> None:
    here = sweep["here"]
    kept = "f=params.model+%3D+ridge&c=metrics.rmse&page_token=x&evil=1"
    assert ada.post(f"{here}/views", {"name": "Ridge", "kept": kept, "shared": "on"}).status_code == 303
    ada.post(f"{here}/views", {"name": "Mine", "kept": "order=name"})
    view = RunView.objects.get(name="Ridge")
    assert view.address == "f=params.model+%3D+ridge&c=metrics.rmse"
    assert "Ridge" in main_of(ada.get(here))
    assert ada.get(f"{here}/count").json() == {"": 12, str(view.pk): 4, str(RunView.objects.get(name="Mine").pk): 12}
    ben = a_person(world, "ben@example.com", level=Level.VIEW, on=sweep["experiment"].resource)
    other = Client()
    other.force_login(ben.user)
    seen = main_of(other.get(here))
    assert "Ridge" in seen and ">Mine" not in seen.replace("\n", "").replace(" ", "")
    with pytest.raises(Forbidden):
        operations.save_view(actor=ben, experiment=sweep["experiment"], name="x", address="", shared=True)
    with pytest.raises(NotFound):
        operations.delete_view(actor=ben, experiment=sweep["experiment"], view=RunView.objects.get(name="Mine"))
    assert other.post(f"{here}/views", {"act": "delete", "view": str(view.pk)}).status_code == 403
    ada.post(f"{here}/views", {"act": "delete", "view": str(view.pk)})
    assert not RunView.objects.filter(name="Ridge").exists()


def test_running_runs_are_told_anew_and_new_ones_are_counted(sweep: dict[str, Any], ada: Client) -> None:
    door, number, here = sweep["door"], str(sweep["experiment"].number), sweep["here"]
    newest = Run.objects.order_by("-id").values_list("id", flat=True).first()
    run = door("runs/create", experiment_id=number, run_name="going", start_time=1_700_000_000_000)["run"]["info"][
        "run_id"
    ]
    door("runs/log-batch", run_id=run, metrics=[{"key": "rmse", "value": 13.25, "timestamp": 1, "step": 0}])
    told = text_of(ada.get(f"{here}/live?c=metrics.rmse&since={newest}&run={run}"))
    assert 'data-fresh="1"' in told and "13.25" in told and "data-live" in told
    door("runs/update", run_id=run, status="FINISHED", end_time=1_700_000_060_000)
    assert "data-live" not in text_of(ada.get(f"{here}/live?c=metrics.rmse&run={run}"))


def test_the_search_box_offers_fields_keys_and_values(sweep: dict[str, Any], ada: Client) -> None:
    def offered(query: str) -> list[str]:
        return [item["text"] for item in ada.get(f"{sweep['here']}/complete?{query}").json()["items"]]

    assert "status" in offered("text=st") and "metrics.rmse" in offered("text=rms")
    assert offered("text=params.mo") == ["params.model"]
    assert offered("field=params.model&text=") == ["gbm", "mlp", "ridge"] and offered("field=status&text=fa") == [
        "failed"
    ]


def test_many_runs_are_tagged_archived_and_brought_back(sweep: dict[str, Any], ada: Client, world: World) -> None:
    here, chosen = sweep["here"], sweep["runs"][:3]
    ada.post(f"{here}/change", {"act": "tag", "run": chosen, "key": "purpose", "value": NASTY})
    assert "purpose" in text_of(ada.get(f"/w/ours/runs/{chosen[0]}")) and NASTY not in text_of(
        ada.get(f"/w/ours/runs/{chosen[0]}")
    )
    ada.post(f"{here}/change", {"act": "delete", "run": chosen})
    assert "try-0<" not in main_of(ada.get(here)) and "try-0<" in main_of(ada.get(f"{here}?stage=deleted"))
    ada.post(f"{here}/change", {"act": "restore", "run": chosen})
    assert "try-0<" in main_of(ada.get(here))
    elsewhere = sweep["door"]("experiments/create", name="/other")["experiment_id"]
    stranger = sweep["door"].run(elsewhere, "stranger", 1.0)
    assert ada.post(f"{here}/change", {"act": "delete", "run": [stranger]}).status_code == 404
    viewer = a_person(world, "vi@example.com", level=Level.VIEW, on=sweep["experiment"].resource)
    with pytest.raises(Forbidden):
        operations.delete_runs(
            actor=viewer, experiment=sweep["experiment"], runs=queries.get_runs(viewer, sweep["experiment"], chosen)
        )
    go = ada.post(f"{here}/change", {"act": "compare", "run": chosen[:2], "kept": "f=params.model+%3D+mlp&c=status"})
    assert go.headers["Location"].startswith(f"{here}/compare?f=") and go.headers["Location"].count("run=") == 2


def test_csv_has_what_the_table_shows_and_no_formulas(sweep: dict[str, Any], ada: Client) -> None:
    sweep["door"].run(str(sweep["experiment"].number), "=1+1", 30.0, model="-5")
    body = streamed(ada.get(f"{sweep['here']}/csv?c=metrics.rmse&c=params.model"))
    lines = body.splitlines()
    assert lines[0] == "run_id,name,metrics.rmse,params.model" and len(lines) == 14
    assert any("'=1+1" in line and line.endswith(",-5") for line in lines)
    page = streamed(ada.get(f"{sweep['here']}/csv?only=page&size=25&f=params.model+%3D+ridge"))
    assert len(page.splitlines()) == 5


def test_a_spike_of_one_step_is_never_thinned_away(world: World) -> None:
    door = Door(world)
    number = door("experiments/create", name="/spiky")["experiment_id"]
    run = door("runs/create", experiment_id=number, start_time=1)["run"]["info"]["run_id"]
    values = [1.0] * 3_000
    values[1_234], values[2_345] = 99.0, -7.0
    for start in range(0, 3_000, 1_000):
        batch = [{"key": "loss", "value": v, "timestamp": 1 + i, "step": i} for i, v in enumerate(values)][
            start : start + 1_000
        ]
        door("runs/log-batch", run_id=run, metrics=batch)
    with workspace_scope(world.admin.workspace):
        found = queries.get_run(world.admin, run)
        thin = curves.curve(found, "loss", size=100)
        assert thin.thinned and len(thin.points) <= 102 and thin.total == 3_000
        assert (1_234, 1_234, 99.0) in thin.points and (2_345, 2_345, -7.0) in thin.points
        part = curves.curve(found, "loss", low=1_200, high=1_260, size=100)
        assert len(part.points) == 61 and not part.thinned


def test_a_run_says_what_changed_and_how_it_stands(sweep: dict[str, Any], ada: Client) -> None:
    first, last = sweep["runs"][0], sweep["runs"][-1]
    ada.post(f"{sweep['here']}/settings", {"act": "goal", "metric": "rmse", "way": "min"})
    shown = text_of(ada.get(f"/w/ours/runs/{last}?baseline={first}"))
    assert "chosen by you" in shown and "gbm" in shown and ">changed<" in shown and "+1.1" in shown
    assert "best of 12" in text_of(ada.get(f"/w/ours/runs/{first}"))
    ada.post(f"{sweep['here']}/settings", {"act": "goal", "metric": "rmse", "way": "max"})
    assert "best of 12" in text_of(ada.get(f"/w/ours/runs/{last}"))
    ada.post(f"/w/ours/runs/{last}", {"act": "note", "text": f"# What\n\n{NASTY}"})
    noted = text_of(ada.get(f"/w/ours/runs/{last}"))
    assert "<h2>What</h2>" in noted and NASTY not in noted


def test_compare_has_axes_that_vary_and_marks_what_differs(sweep: dict[str, Any], ada: Client) -> None:
    one, two = sweep["runs"][:2]
    found = ada.get(f"{sweep['here']}/compare/data?run={one}&run={two}").json()
    assert found["picked"] == 2 and len(found["runs"]) == 12 and found["runs"][0][0] == one
    assert "params.model" in found["chosen"] and "params.seed" not in found["chosen"]
    history = ada.get(f"{sweep['here']}/compare/history?metric=rmse&run={one}").json()
    assert [point[0] for point in history["runs"][0]["points"]] == [0, 1, 2, 3]
    shown = main_of(ada.get(f"{sweep['here']}/compare?run={one}&run={two}&base={two}"))
    assert shown.index("try-1") < shown.index("try-0") and "chg" in shown and ">seed<" not in shown
    assert ">seed<" in main_of(ada.get(f"{sweep['here']}/compare?run={one}&run={two}&all=on"))
    for part in ("metrics", "tags", "code", "data"):
        assert ada.get(f"{sweep['here']}/compare?run={one}&run={two}&part={part}").status_code == 200


def test_an_experiment_is_deleted_and_restored_from_the_list(sweep: dict[str, Any], ada: Client) -> None:
    here = "/w/ours/experiments"
    ada.post(here, {"act": "delete", "experiment": str(sweep["experiment"].pk)})
    assert ">sweep<" not in main_of(ada.get(here)).replace("\n", "").replace(" ", "")
    assert "sweep" in main_of(ada.get(f"{here}?stage=deleted"))
    ada.post(here, {"act": "restore", "experiment": str(sweep["experiment"].pk)})
    assert "sweep" in main_of(ada.get(f"{here}?order=name"))


def test_files_are_looked_into_by_kind(world: World, sweep: dict[str, Any], ada: Client) -> None:
    from apps.experiments import artifacts

    run = queries.get_run(world.admin, sweep["runs"][0])
    files = {
        "a.csv": b"name,value\n<b>x</b>,1\n",
        "shares.json": json.dumps({"dep_delay": 0.6, "hour": 0.1}).encode(),
        "page.html": NASTY.encode(),
        "card.md": b"# Title\n",
        "deep.json": b"[" * 100_000,
    }
    for path, content in files.items():
        artifacts.save(artifacts.run_place(world.admin, run, path), content)
    here = f"/w/ours/runs/{run.hex}"
    table_ = text_of(ada.get(f"{here}/artifacts?path=a.csv"))
    assert "&lt;b&gt;x" in table_ and "<b>x</b>" not in table_
    assert "barline" in text_of(ada.get(f"{here}/artifacts?path=shares.json"))
    assert "<h2>Title</h2>" in text_of(ada.get(f"{here}/artifacts?path=card.md"))
    assert ada.get(f"{here}/artifacts?path=deep.json").status_code == 200
    framed = text_of(ada.get(f"{here}/artifacts?path=page.html"))
    assert (
        "<iframe" in framed
        and " sandbox " in framed
        and "allow-" not in framed.partition("<iframe")[2].partition(">")[0]
    )
    page = ada.get(f"{here}/artifact?path=page.html&frame=on")
    assert page["Content-Type"].startswith("text/html") and page["Content-Security-Policy"].startswith("sandbox;")
    assert (
        "script-src" not in page["Content-Security-Policy"] and "default-src 'none'" in page["Content-Security-Policy"]
    )
    assert ada.get(f"{here}/artifact?path=a.csv&frame=on")["Content-Disposition"].startswith("attachment")
