"""Every raw route in front of Django x nobody, a wrong token, the neighbour, a member without a level, the owner, and no database."""

from __future__ import annotations

import io
import uuid
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import connections

from apps.access import operations as access
from apps.access.resources import root_resource
from apps.access.scope import workspace_scope
from apps.access.tokens import new_token
from apps.jobs import operations as jobs
from apps.jobs.models import Attempt
from apps.mlflow_api.hot import HOT
from apps.notifications import stream
from apps.tables import operations as tables
from apps.tables import tickets
from tests.builders import Side
from tests.deployments.endpoints import an_endpoint
from tests.engines_plugin import engines
from tests.jobs.making import a_job
from tests.registry.live import Answer, Live, live, server_port
from tests.registry.makers import a_run, a_version, an_experiment
from tests.repos.making import a_repo
from tests.tables.kit import ROWS, a_table, parquet_bytes
from workspace.asgi import FRONT

__all__ = ["live", "server_port"]
NOWHERE = "0" * 32
# Nothing of anybody's is behind these.
OPEN = {"/static/"}


@dataclass(frozen=True)
class Ask:
    """One request: about a thing, and the same about nothing. `opens` are the statuses that the owner may get."""

    path: str
    absent: str
    method: str = "GET"
    body: Any = None
    absent_body: Any = None
    opens: tuple[int, ...] = (200,)
    basic: bool = False
    of_members: bool = False  # Any member may ask, and is answered about what they may know.
    bearer: bool = field(default=False)  # The address itself is the right, for a while, and dies with its maker's.


def asks(side: Side) -> dict[str, Ask]:
    """A request to every raw route, about things of this side."""
    admin = side.admin
    with workspace_scope(side.workspace):
        experiment = an_experiment(admin)
        run = a_run(admin, experiment).hex
        version = a_version(admin)
        table = a_table(admin)
        write = tables.begin_table_write(actor=admin, table=table)
        repo = a_repo(admin)
        an_endpoint(side)
        ticket = tickets.give(admin, table).files[0].url
        job_run = jobs.run_job(actor=admin, job=a_job(admin, name="waits"))
        Attempt(run=job_run, number=1).save()
    proxy = f"2.0/mlflow-artifacts/artifacts/{experiment.number}/{run}/artifacts/model/MLmodel"
    nothing = f"2.0/mlflow-artifacts/artifacts/999999/{NOWHERE}/artifacts/model/MLmodel"
    logged = "/ajax-api/2.0/mlflow/logged-models/{}/artifacts/files?artifact_file_path=MLmodel"
    named = "/model-versions/get-artifact?name={}&version={}&path=MLmodel"
    part, git = "/api/v1/table-writes/{}/parts/0", "/git/{}/{}.git/info/refs?service=git-upload-pack"
    model = version.model.name
    found = {
        f"{method} {prefix} artifacts": Ask(f"/{prefix}/{proxy}", f"/{prefix}/{nothing}", method, opens=(200, 404))
        for prefix in ("api", "ajax-api")
        for method in ("GET", "PUT")
    }
    found |= {
        "logged model": Ask(logged.format(f"m-{version.logged_model.hex}"), logged.format(f"m-{NOWHERE}")),
        "run file": Ask(
            f"/get-artifact?run_uuid={run}&path=x", f"/get-artifact?run_uuid={NOWHERE}&path=x", opens=(200, 404)
        ),
        "version": Ask(named.format(model, 1), named.format("nothing", 1)),
        "git": Ask(git.format(side.workspace.name, repo.resource.name), git.format("nowhere", "nothing"), basic=True),
        "table file": Ask(ticket, "/api/v1/table-files/nothing", bearer=True),
        "table part": Ask(
            part.format(write.pk),
            part.format(f"{NOWHERE[:8]}-0000-7000-8000-{NOWHERE[:12]}"),
            "PUT",
            parquet_bytes(ROWS),
        ),
        "events": Ask(f"/w/{side.workspace.name}/events?topic=inbox", "/w/nowhere/events?topic=inbox", of_members=True),
        "job log": Ask(
            f"/api/v1/job-runs/{job_run.pk}/log?wait=1", f"/api/v1/job-runs/{uuid.UUID(NOWHERE)}/log?wait=1"
        ),
        "scoring": Ask(
            "/serving-endpoints/delays/invocations",
            "/serving-endpoints/nothing/invocations",
            "POST",
            "{}",
            "{}",
            opens=(503,),
        ),
    }
    for method, path in HOT:
        for prefix in ("api", "ajax-api"):
            address = f"/{prefix}/2.0/mlflow/{path}"
            about, nothing_there = wishes(path, experiment.number, run), wishes(path, 999999, NOWHERE)
            if method == "GET":
                found[f"{prefix} {path}"] = Ask(f"{address}?{about}", f"{address}?{nothing_there}")
            else:
                found[f"{prefix} {path}"] = Ask(address, address, method, about, nothing_there)
    return found


def wishes(path: str, experiment: int, run: str) -> str:
    """What the tracking routes are asked, about a run."""
    if path == "metrics/get-history":
        return f"run_id={run}&metric_key=m"
    if path == "runs/get":
        return f"run_id={run}"
    return {
        "runs/create": f'{{"experiment_id": "{experiment}"}}',
        "runs/log-metric": f'{{"run_id": "{run}", "key": "m", "value": 1, "timestamp": 1}}',
        "runs/log-parameter": f'{{"run_id": "{run}", "key": "p", "value": "1"}}',
        "runs/set-tag": f'{{"run_id": "{run}", "key": "t", "value": "1"}}',
        "runs/log-batch": f'{{"run_id": "{run}", "tags": [{{"key": "b", "value": "1"}}]}}',
        "runs/update": f'{{"run_id": "{run}", "run_name": "other"}}',
        "runs/search": f'{{"experiment_ids": ["{experiment}"]}}',
        "experiments/search": f'{{"max_results": 9, "filter": "experiment_id = \'{experiment}\'"}}',
    }[path]


def send(live: Live, ask: Ask, token: str, *, absent: bool = False) -> Answer:
    """The answer to a request with this token, or with none."""
    path, body = (ask.absent, ask.absent_body) if absent else (ask.path, ask.body)
    headers = {"Content_Type": "application/json"} if ask.method == "POST" else {}
    if ask.basic and token:
        headers["Authorization"] = f"Basic {b64encode(f'x:{token}'.encode()).decode()}"
        token = ""
    return live(ask.method, path, token=token, body=io.BytesIO(body) if isinstance(body, bytes) else body, **headers)


def someone(side: Side, email: str) -> str:
    """The token of a member without any level."""
    with workspace_scope(side.workspace):
        member = access.add_member(actor=side.admin, root=root_resource(), email=email)
        return new_token(member.user, name="t")[1]


def test_every_route_is_asked(live: Live) -> None:
    paths = [ask.path for ask in asks(live.ours).values()]
    unasked = [
        prefix for prefix, _ in FRONT if prefix not in OPEN and not any(path.startswith(prefix) for path in paths)
    ]
    assert unasked == [], "write an Ask for each of these"


def test_only_who_may_gets_in(live: Live) -> None:
    ours, mia = live.ours, someone(live.ours, "mia@example.com")
    for name, ask in asks(ours).items():
        if ask.bearer:
            assert send(live, ask, "", absent=True).status in (401, 403, 404), name
            continue
        for nobody in ("", "bh_wrong"):
            answer = send(live, ask, nobody)
            assert answer.status == 401, (name, nobody, answer)
        for other in (live.theirs.api.token, *(() if ask.of_members else (mia,))):
            answer, absent = send(live, ask, other), send(live, ask, other, absent=True)
            assert answer.status == absent.status, (name, answer, absent)
            assert answer.status in (400, 403, 404) or answer.body == b"{}", (name, answer)
        answer = send(live, ask, ours.api.token)
        assert answer.status in ask.opens, (name, answer)


def test_without_a_database_all_say_when_to_try_again(live: Live) -> None:
    for name, ask in (wanted := asks(live.ours)).items():
        assert send(live, ask, live.ours.api.token).status in (*ask.opens, 409), name
    with database_away(), ThreadPoolExecutor(len(wanted)) as pool:
        # At once: a route may wait some seconds for a database that only restarts.
        answers = list(pool.map(lambda ask: send(live, ask, live.ours.api.token), wanted.values()))
    for name, answer in zip(wanted, answers, strict=True):
        assert (answer.status, "retry-after" in answer.headers) == (503, True), (name, answer)
    for name, ask in wanted.items():
        assert send(live, ask, live.ours.api.token).status in (*ask.opens, 409), name


@contextmanager
def database_away() -> Iterator[None]:
    """PostgreSQL is stopped."""
    connections.close_all()
    engines.postgres.stop()
    try:
        yield
    finally:
        engines.postgres.start()


@pytest.fixture(autouse=True)
def _short_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream of events ends as soon as it has begun, or nobody could read it to its end."""
    monkeypatch.setattr(stream, "LIFE_SECONDS", 0.0)


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")
