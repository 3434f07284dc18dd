"""Pages of endpoints: what they show, and a new one made from its form; minutes become rows once."""

from __future__ import annotations

import time
from typing import Any

import redis
from django.conf import settings
from django.test import Client

from apps.access import operations as access
from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.workspaces import get_group
from apps.deployments import minutes, operations
from apps.deployments.counters import UNKEPT, minute_key
from apps.deployments.models import Endpoint, EndpointMinute
from apps.registry import operations as registry
from apps.registry import transitions
from tests.builders import World, a_person
from tests.deployments.kit import a_served_model, a_served_version


def browser(actor: Actor) -> Client:
    client = Client(raise_request_exception=True)
    client.force_login(actor.user)
    return client


def test_sections(world: World, drain: Any) -> None:
    endpoint = a_served_model(world.ours)["thing"]
    client = browser(world.admin)
    here = f"/w/ours/endpoints/{endpoint.pk}"
    for address, shown in {
        here: ["Traffic", "Latency p99", "bh-chart", "Replicas"],
        f"{here}?window=7d": ["7 d"],
        f"{here}?window=odd": ["1 h"],
        f"{here}/playground": ["JavaScript", "Same request from code"],
        f"{here}/requests": ["No requests yet"],
        f"{here}/configs": ["Configurations", "the first"],
        f"{here}/log": ["Newest replica"],
        f"{here}/settings": ["Delete endpoint"],
        "/w/ours/endpoints": [endpoint.name],
    }.items():
        answer = client.get(address)
        text = answer.content.decode()
        assert answer.status_code == 200 and all(word in text for word in shown), (address, text[-3000:])
    assert client.get(f"{here}/requests/00000000-0000-7000-8000-000000000000").status_code == 404
    mia = a_person(world, "mia@example.com")
    assert browser(mia).get(here).status_code == 404
    access.share(actor=world.admin, resource=endpoint.resource, grantee=mia.user, level=Level.VIEW)
    text = browser(mia).get(f"{here}/requests").content.decode()
    assert "not shown to you" in text
    assert browser(mia).get(f"{here}/log").status_code == 403


def test_a_request_for_the_stage_it_follows_stands_on_its_page(world: World, drain: Any) -> None:
    made = a_served_model(world.ours)
    endpoint: Endpoint = made["thing"]
    version = made["version"]
    registry.move_to_stage(actor=world.admin, model=version.model, version=version, stage="None")
    operations.update_config(
        actor=world.admin, endpoint=endpoint, model=version.model, follows="stage", value="Production", replicas=1
    )
    transitions.request_transition(actor=world.admin, model=version.model, version=version, stage="Production")
    here = f"/w/ours/endpoints/{endpoint.pk}"
    client = browser(world.admin)
    assert "asks to move v1 to Production" in client.get(here).content.decode()
    assert "serves" in client.get(f"{here}/configs").content.decode()
    # who may not view the model does not hear of its requests
    access.unshare(actor=world.admin, resource=version.model.resource, grantee=get_group("everyone"))
    mia = a_person(world, "mia@example.com", level=Level.VIEW, on=endpoint.resource)
    assert "asks to move" not in browser(mia).get(here).content.decode()


def test_a_new_endpoint_from_its_form(world: World, drain: Any) -> None:
    version = a_served_version(world.ours)
    name = version.model.name
    client = browser(world.admin)
    assert "Model" in client.get("/w/ours/endpoints/new").content.decode()
    text = client.get(f"/w/ours/endpoints/new?model={name}").content.decode()
    assert "Before it starts" in text and "version:1" in text
    wish = {"model": name, "name": "arrivals", "target": "version:1", "folder": "/", "replicas": "1"}
    for wrong in (
        {"target": "version:9"},
        {"target": "odd"},
        {"replicas": "x"},
        {"folder": "/nowhere"},
        {"name": "a b"},
    ):
        answer = client.post(f"/w/ours/endpoints/new?model={name}", {**wish, **wrong})
        assert answer.status_code == 422, (wrong, answer.status_code)
        assert "arrivals" in answer.content.decode() or "name" in wrong
    made = client.post("/w/ours/endpoints/new", wish)
    endpoint = Endpoint.objects.get(name="arrivals")
    assert made.status_code == 303 and made["Location"].endswith(str(endpoint.pk))
    assert client.post("/w/ours/endpoints/new", wish).status_code == 409
    access.unshare(actor=world.admin, resource=version.model.resource, grantee=get_group("everyone"))
    mia = a_person(world, "mia@example.com")
    assert browser(mia).get(f"/w/ours/endpoints/new?model={name}").status_code == 422


def test_minutes_become_rows_once(world: World, drain: Any) -> None:
    endpoint = a_served_model(world.ours)["thing"]
    minute = int(time.time() // 60) - 5
    with redis.from_url(settings.REDIS_URL) as client:
        client.hset(
            minute_key(str(endpoint.pk), minute),
            mapping={"requests": 100, "refused": 3, "errors": 1, "le4": 90, "le9": 10},
        )
        client.sadd(UNKEPT, f"{endpoint.pk}:{minute}", f"00000000-0000-7000-8000-000000000000:{minute}")
        minutes.keep()
        client.sadd(UNKEPT, f"{endpoint.pk}:{minute}")
        minutes.keep()
        assert not client.smembers(UNKEPT)
        client.delete(minute_key(str(endpoint.pk), minute))
    (row,) = EndpointMinute.objects.all()
    assert (row.requests, row.refused, row.errors, row.buckets) == (100, 3, 1, {"4": 90, "9": 10})
    points = minutes.series(endpoint, 60)
    assert len(points) == 60 and sum(point.requests for point in points) == 100
    (busy,) = (point for point in points if point.requests)
    assert (busy.at, busy.quantile(0.5), busy.quantile(0.99)) == (minute, 6.11, 48.0)
    assert sum(point.requests for point in minutes.series(endpoint, 7 * 24 * 60)) == 100
