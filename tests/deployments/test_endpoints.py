"""What people do with endpoints, and what the reconciler makes of it, with a sandbox that a test holds in its hands."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from apps.access import operations as access
from apps.access.levels import Level
from apps.access.models import AuditEntry
from apps.access.resources import restore_resource, root_resource
from apps.access.workspaces import get_group
from apps.deployments import operations, preparation, probes, reconciler, traffic, versions
from apps.deployments.models import Endpoint, EndpointState, Replica, ReplicaState, ServedState, ServedVersion
from apps.foundation.clock import now
from apps.foundation.errors import AlreadyExists, Conflict, Forbidden, Invalid, NotFound
from apps.lineage.models import LineageEdge
from apps.registry import operations as registry
from apps.registry.models import ModelVersion
from apps.sandbox.launchers import GuestSpec, GuestState
from tests.builders import World, a_person
from tests.deployments.kit import a_served_model, a_served_version, reread, wish
from tests.registry.makers import a_logged_model, a_version


class Hands:
    """A sandbox whose guests become ready, die or stay silent as a test says."""

    def __init__(self) -> None:
        self.guests: dict[uuid.UUID, GuestState] = {}
        self.specs: dict[uuid.UUID, GuestSpec] = {}
        self.healthy: set[str] = set()
        self.drained: list[str] = []

    def launch(self, spec: GuestSpec) -> GuestState:
        self.specs.setdefault(spec.id, spec)
        return self.guests.setdefault(spec.id, GuestState(spec.id, "running"))

    def check(self, guest_id: uuid.UUID) -> GuestState | None:
        return self.guests.get(guest_id)

    def stop(self, guest_id: uuid.UUID, **_: Any) -> GuestState:
        self.guests[guest_id] = GuestState(guest_id, "exited", code=0, reason="stopped")
        return self.guests[guest_id]

    def read_output(self, guest_id: uuid.UUID, offset: int = 0, size: int = 0) -> bytes:
        return b"Traceback: the model is broken"

    def die(self, replica: Replica) -> None:
        self.guests[replica.pk] = GuestState(replica.pk, "exited", code=1)

    def all_ready(self) -> None:
        self.healthy |= {spec.listen_socket for spec in self.specs.values()}

    def health(self, path: str) -> dict[str, Any] | None:
        return {"state": "ready", "answered": 1} if path in self.healthy else {"state": "loading"}

    def drain(self, path: str) -> dict[str, Any]:
        self.drained.append(path)
        for guest_id, spec in self.specs.items():
            if spec.listen_socket == path:
                self.guests[guest_id] = GuestState(guest_id, "exited", code=0)
        return {"state": "draining"}


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch, world: World, drain: Any) -> Hands:
    made = Hands()
    monkeypatch.setattr(reconciler, "sandbox", lambda: made)
    monkeypatch.setattr(probes, "health", made.health)
    monkeypatch.setattr(probes, "drain", made.drain)
    monkeypatch.setattr(preparation, "queue", lambda workspace_id, served_id: prepare(served_id))
    return made


def prepare(served_id: Any) -> None:
    served = ServedVersion.objects.get(pk=served_id)
    if "broken" in served.endpoint.resource.description:
        traffic.fail(served, "There is no package of this name.")
    else:
        served.state, served.environment, served.folder = ServedState.STARTING, "/environment", "/model"
        served.save()


def step(world: World, endpoint: Endpoint, times: int = 1) -> Endpoint:
    for _ in range(times):
        reconciler.reconcile(world.ours.workspace, endpoint.pk)
    return reread(endpoint)


def served_now(endpoint: Endpoint) -> str:
    return json.loads(endpoint.routing)["model_version"] if endpoint.routing else ""


def an_endpoint(world: World, **changes: Any) -> tuple[ModelVersion, Endpoint]:
    version = a_served_version(world.ours)
    told = {**wish(version), "model": version.model, **changes}
    made = operations.create_endpoint(actor=world.admin, parent=root_resource(), **told)
    return version, made


def running(world: World, hands: Hands, **changes: Any) -> tuple[ModelVersion, Endpoint]:
    version, endpoint = an_endpoint(world, **changes)
    step(world, endpoint, 2)
    hands.all_ready()
    return version, step(world, endpoint)


def a_second(world: World, version: ModelVersion) -> ModelVersion:
    experiment = version.model  # another version of the same model
    return a_version(world.admin, experiment, a_logged_model(world.admin, _experiment()))


def _experiment() -> Any:
    from apps.experiments.models import Experiment

    return Experiment.objects.first()


def test_an_endpoint_starts_serves_and_leaves_traces(world: World, hands: Hands) -> None:
    version, endpoint = an_endpoint(world, replicas=2)
    assert (endpoint.state, served_now(endpoint)) == (EndpointState.STARTING, "")
    assert endpoint.inference_table.path == f"{version.model.resource.path.rpartition('.')[0]}.delays_payload"
    endpoint = step(world, endpoint, 2)
    assert endpoint.state == EndpointState.STARTING and len(hands.specs) == 2
    endpoint = step(world, endpoint, 3)
    assert len(hands.specs) == 2, "launched once"
    hands.all_ready()
    endpoint = step(world, endpoint)
    assert (endpoint.state, endpoint.reason, served_now(endpoint)) == (EndpointState.READY, "", "1")
    assert sorted(json.loads(endpoint.routing)["sockets"]) == sorted(s.listen_socket for s in hands.specs.values())
    edge = LineageEdge.objects.select_related("source").get(target__kind="endpoint", target__key=str(endpoint.pk))
    assert (edge.source.kind, edge.source.version) == ("model_version", "1")
    assert AuditEntry.objects.filter(verb="deployments.create_endpoint").exists()


def test_it_follows_a_stage_and_the_old_answers_until_the_new_is_ready(world: World, hands: Hands) -> None:
    version = a_served_version(world.ours)
    registry.move_to_stage(actor=world.admin, model=version.model, version=version, stage="Production")
    told = {**wish(version), "model": version.model, "follows": "stage", "value": "production"}
    endpoint = operations.create_endpoint(actor=world.admin, parent=root_resource(), **told)
    step(world, endpoint, 2)
    hands.all_ready()
    endpoint = step(world, endpoint)
    assert served_now(endpoint) == "1"
    second = a_second(world, version)
    registry.move_to_stage(
        actor=world.admin, model=version.model, version=second, stage="Production", archive_existing=True
    )
    endpoint = step(world, endpoint, 3)
    assert (endpoint.state, served_now(endpoint), hands.drained) == (EndpointState.UPDATING, "1", [])
    hands.all_ready()
    endpoint = step(world, endpoint)
    assert (endpoint.state, served_now(endpoint)) == (EndpointState.READY, "2")
    assert len(hands.drained) == 1
    endpoint = step(world, endpoint)
    first = ServedVersion.objects.get(model_version="1")
    assert (first.state, first.valid_to is not None) == (ServedState.ENDED, True)


def test_a_dead_replica_leaves_traffic_at_once_and_is_replaced(world: World, hands: Hands) -> None:
    _, endpoint = running(world, hands, replicas=2)
    dead = Replica.objects.filter(state=ReplicaState.READY).first()
    hands.die(dead)
    endpoint = step(world, endpoint)
    assert dead.socket not in endpoint.routing and len(json.loads(endpoint.routing)["sockets"]) == 1
    dead.refresh_from_db()
    assert dead.state == ReplicaState.FAILED and "code 1" in dead.reason and "broken" in dead.reason
    Replica.objects.filter(pk=dead.pk).update(ended_at=now().replace(year=2020))
    step(world, endpoint)
    hands.all_ready()
    endpoint = step(world, endpoint)
    assert len(json.loads(endpoint.routing)["sockets"]) == 2


def test_a_version_that_cannot_be_served_leaves_the_old_one_in_traffic(world: World, hands: Hands) -> None:
    version, endpoint = running(world, hands)
    a_second(world, version)
    endpoint.resource.description = "broken from now on"
    endpoint.resource.save()
    operations.update_config(
        actor=world.admin, endpoint=endpoint, model=version.model, follows="version", value="2", replicas=1
    )
    endpoint = step(world, endpoint, 3)
    assert (endpoint.state, served_now(endpoint)) == (EndpointState.READY, "1")
    assert "no package" in endpoint.reason and "still answers" in endpoint.reason
    endpoint.resource.description = ""
    endpoint.resource.save()
    assert step(world, endpoint, 3).routing == endpoint.routing, "not tried again by itself"
    operations.start_endpoint(actor=world.admin, endpoint=endpoint)
    step(world, endpoint, 2)
    hands.all_ready()
    assert served_now(step(world, endpoint)) == "2"


def test_a_version_whose_replicas_only_die_fails_with_what_they_said(world: World, hands: Hands) -> None:
    _, endpoint = an_endpoint(world)
    for _ in range(traffic.ATTEMPTS):
        step(world, endpoint, 2)
        for replica in Replica.objects.filter(state=ReplicaState.STARTING):
            hands.die(replica)
        step(world, endpoint)
        Replica.objects.filter(state=ReplicaState.FAILED).update(ended_at=now().replace(year=2020))
    endpoint = step(world, endpoint)
    assert endpoint.state == EndpointState.FAILED and "the model is broken" in endpoint.reason
    count = len(hands.specs)
    step(world, endpoint, 3)
    assert len(hands.specs) == count, "it is not started for ever"


def test_stopping_empties_the_route_at_once_and_starting_brings_it_back(world: World, hands: Hands) -> None:
    _, endpoint = running(world, hands)
    endpoint = operations.stop_endpoint(actor=world.admin, endpoint=endpoint)
    assert endpoint.routing == ""
    endpoint = step(world, endpoint, 2)
    assert endpoint.state == EndpointState.STOPPED
    assert all(guest.is_final for guest in hands.guests.values())
    with pytest.raises(Conflict):
        operations.stop_endpoint(actor=world.admin, endpoint=endpoint)
    operations.start_endpoint(actor=world.admin, endpoint=endpoint)
    step(world, endpoint, 2)
    hands.all_ready()
    assert step(world, endpoint).state == EndpointState.READY


def test_a_deleted_endpoint_ends_gives_its_name_back_and_can_be_restored(world: World, hands: Hands) -> None:
    version, endpoint = running(world, hands)
    operations.delete_endpoint(actor=world.admin, endpoint=endpoint)
    endpoint = step(world, endpoint, 2)
    assert (endpoint.name, endpoint.state) == (None, EndpointState.STOPPED)
    told = {**wish(version), "model": version.model}
    again = operations.create_endpoint(actor=world.admin, parent=root_resource(), **told)
    assert again.inference_table == endpoint.inference_table, "the table that the first left goes on"
    operations.delete_endpoint(actor=world.admin, endpoint=again)
    step(world, again, 2)
    restore_resource(endpoint.resource)
    endpoint = step(world, endpoint, 2)
    assert endpoint.name == "delays"
    hands.all_ready()
    assert step(world, endpoint, 2).state == EndpointState.READY


def test_who_configured_it_must_still_be_allowed_to_use_the_model(world: World, hands: Hands) -> None:
    version = a_served_version(world.ours)
    mo = a_person(world, "mo@example.com", level=Level.EDIT, on=root_resource())
    told = {**wish(version), "model": version.model}
    endpoint = operations.create_endpoint(actor=mo, parent=root_resource(), **told)
    assert versions.resolve(endpoint.config)[0] is not None
    access.unshare(actor=world.admin, resource=root_resource(), grantee=mo.user)
    access.unshare(actor=world.admin, resource=version.model.resource, grantee=get_group("everyone"))
    wanted, why = versions.resolve(endpoint.config)
    assert wanted is None and "mo@example.com" in why


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"name": "with space"}, Invalid),
        ({"name": "../up"}, Invalid),
        ({"name": ""}, Invalid),
        ({"name": "x" * 64}, Invalid),
        ({"follows": "moon"}, Invalid),
        ({"value": "99"}, Invalid),
        ({"value": "nine"}, Invalid),
        ({"follows": "stage", "value": "Nowhere"}, Invalid),
        ({"follows": "alias", "value": "a b"}, Invalid),
        ({"replicas": 0}, Invalid),
        ({"replicas": 17}, Invalid),
        ({"inference_table": "no_such.schema.x"}, NotFound),
        ({"inference_table": "short"}, Invalid),
    ],
)
def test_wishes_that_cannot_be_met_say_why(world: World, drain: Any, changes: dict[str, Any], error: type) -> None:
    with pytest.raises(error):
        an_endpoint(world, **changes)
    assert not Endpoint.objects.exists()


def test_names_are_unique_in_a_workspace_and_models_need_use(world: World, drain: Any) -> None:
    version, _ = an_endpoint(world)
    folder = access.create_folder(actor=world.admin, parent=root_resource(), name="plans")
    told = {**wish(version), "model": version.model}
    with pytest.raises(AlreadyExists):
        operations.create_endpoint(actor=world.admin, parent=folder, **told)
    hidden = a_version(world.admin, None, a_logged_model(world.admin, _experiment()))
    mo = a_person(world, "mo@example.com", level=Level.EDIT, on=folder)
    with pytest.raises((NotFound, Forbidden)):
        operations.create_endpoint(actor=mo, parent=folder, **{**told, "name": "more", "model": hidden.model})


def test_the_neighbour_has_its_own_of_the_same_name(world: World, drain: Any) -> None:
    from apps.access.scope import workspace_scope

    ours = a_served_model(world.ours)["thing"]
    with workspace_scope(world.theirs.workspace):
        theirs = a_served_model(world.theirs)["thing"]
    assert (ours.name, ours.pk) == (theirs.name, ours.pk) and ours.pk != theirs.pk
    answer = world.api.get("/api/v1/endpoints/delays").json()
    assert answer["id"] == str(ours.pk)
    assert [item["id"] for item in world.api.get("/api/v1/endpoints").json()["items"]] == [str(ours.pk)]
