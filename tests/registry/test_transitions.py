"""Asking for a move, answering, gates with gatekeepers and two people, going back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from apps.access import operations as access
from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.models import AuditEntry
from apps.access.resources import root_resource
from apps.access.scope import workspace_scope
from apps.foundation.errors import AlreadyExists, Conflict, Forbidden, Invalid, NotFound, Stale
from apps.notifications.models import Notice
from apps.registry import gates, operations, queries, requests, transitions
from apps.registry.models import Gatekeeper, ModelVersion, StageGate, StagePeriod, TransitionRequest
from tests.builders import World, a_person
from tests.registry.live import Live
from tests.registry.makers import a_logged_model, a_model, a_version


def ask(actor: Actor, version: ModelVersion, stage: str = "Production", **more: Any) -> TransitionRequest:
    return transitions.request_transition(actor=actor, model=version.model, version=version, stage=stage, **more)


def approve(actor: Actor, asked: TransitionRequest, **more: Any) -> TransitionRequest:
    return transitions.approve_transition(actor=actor, model=asked.version.model, request=asked, **more)


def stage_of(version: ModelVersion) -> str:
    return ModelVersion.objects.get(pk=version.pk).stage


def test_a_request_is_made_by_users_and_answered_by_others_who_pass_the_gate(world: World) -> None:
    version = a_version(world.admin)
    on = version.model.resource
    vic, mia, eve = (
        a_person(world, f"{name}@example.com", level=level, on=on)
        for name, level in (("vic", Level.VIEW), ("mia", Level.USE), ("eve", Level.EDIT))
    )
    with pytest.raises(Forbidden):
        ask(vic, version)
    asked = ask(mia, version, comment="Better in rain")
    with pytest.raises(AlreadyExists):
        ask(mia, version)
    ask(mia, version, "Staging")
    with pytest.raises(Conflict):
        ask(mia, version, "None")
    for actor in (mia, eve):
        with pytest.raises(Forbidden):
            approve(actor, asked)
    with pytest.raises(Forbidden):
        transitions.cancel_transition(actor=eve, model=version.model, request=asked)
    assert {row.pk for row in requests.waiting_for(world.admin, 9)} >= {asked.pk}
    assert [row.stage for row in requests.waiting_for(eve, 9)] == ["Staging"] and not requests.waiting_for(mia, 9)
    can = {
        name: requests.answers_of(actor, [asked])[asked.pk].names for name, actor in (("m", mia), ("a", world.admin))
    }
    assert can == {"m": ["cancel"], "a": ["approve", "reject", "cancel"]}
    done = approve(world.admin, asked, comment="Looks right")
    assert (done.state, done.answer_label, stage_of(version)) == ("approved", "ada@example.com", "Production")
    with pytest.raises(Conflict):
        transitions.reject_transition(actor=world.admin, model=version.model, request=asked)
    told = set(Notice.objects.filter(kind__startswith="transition").values_list("user__email", "kind"))
    assert told == {
        ("ada@example.com", "transition_request"),
        ("eve@example.com", "transition_request"),
        ("mia@example.com", "transition_answer"),
    }
    verbs = AuditEntry.objects.filter(thing_id=str(version.pk)).order_by("id").values_list("verb", flat=True)
    assert list(verbs)[-3:] == ["registry.request_transition", "registry.move_to_stage", "registry.approve_transition"]


def test_the_author_never_answers_whatever_their_level(world: World) -> None:
    version = a_version(world.admin)
    asked = ask(world.admin, version)
    with pytest.raises(Forbidden) as refused:
        approve(world.admin, asked)
    assert refused.value.code == "author"
    with pytest.raises(Forbidden):
        transitions.reject_transition(actor=world.admin, model=version.model, request=asked)
    assert transitions.cancel_transition(actor=world.admin, model=version.model, request=asked).state == "cancelled"
    ask(world.admin, version)


def test_rejecting_leaves_the_version_and_a_move_settles_what_waits(world: World) -> None:
    version = a_version(world.admin)
    mia, eve = (a_person(world, f"{n}@example.com", level=Level.USE, on=version.model.resource) for n in ("mia", "eve"))
    first = ask(mia, version)
    told = transitions.reject_transition(actor=world.admin, model=version.model, request=first, comment="Not yet")
    assert (told.state, told.answer_comment, stage_of(version)) == ("rejected", "Not yet", "None")
    second, third = ask(mia, version), ask(eve, version)
    approve(world.admin, second)
    third.refresh_from_db()
    assert third.state == "settled" and "ada" in third.answer_label
    last = ask(mia, version, "Archived")
    operations.delete_version(actor=world.admin, model=version.model, version=version)
    last.refresh_from_db()
    assert last.state == "settled"


def test_gatekeepers_pass_with_edit_and_gates_are_kept_over_time(world: World) -> None:
    version = a_version(world.admin)
    model = version.model
    jon, may, sam = (
        a_person(world, f"{n}@example.com", level=Level.EDIT, on=model.resource) for n in ("jon", "may", "sam")
    )
    group = access.create_group(actor=world.admin, root=root_resource(), name="approvers")
    from apps.access.queries import get_membership

    access.add_to_group(actor=world.admin, root=root_resource(), group=group, membership=get_membership(may.user_id))
    asked = ask(sam, version)
    for actor in (jon, may):
        with pytest.raises(Forbidden):
            transitions.reject_transition(actor=actor, model=model, request=asked)
    set_gate: Any = transitions.set_gate
    set_gate(actor=world.admin, model=model, stage="Production", keepers=["jon@example.com", "approvers"])
    assert [len(requests.waiting_for(actor, 9)) for actor in (jon, may, sam)] == [1, 1, 0]
    approve(may, asked)
    operations.move_to_stage(actor=jon, model=model, version=version, stage="Archived")
    set_gate(actor=world.admin, model=model, stage="Production", keepers=["approvers"], two_people=True)
    with pytest.raises(Forbidden):
        operations.move_to_stage(actor=jon, model=model, version=version, stage="Production")
    for name in ("nobody@example.com", ""):
        with pytest.raises(Invalid):
            set_gate(actor=world.admin, model=model, stage="Production", keepers=[name])
    kept = Gatekeeper.objects.filter(model=model)
    assert (kept.count(), kept.filter(valid_to__isnull=True).count(), StageGate.objects.count()) == (2, 1, 1)
    # somebody who lost the level edit keeps no gate
    access.unshare(actor=world.admin, resource=model.resource, grantee=may.user)
    with pytest.raises(NotFound):
        operations.move_to_stage(actor=may, model=model, version=version, stage="Production")


def test_two_people(world: World) -> None:
    version = a_version(world.admin)
    model = version.model
    transitions.set_gate(actor=world.admin, model=model, stage="Production", two_people=True)
    with pytest.raises(Conflict) as refused:
        operations.move_to_stage(actor=world.admin, model=model, version=version, stage="Production")
    assert refused.value.code == "needs_request"
    operations.move_to_stage(actor=world.admin, model=model, version=version, stage="Staging")
    eve = a_person(world, "eve@example.com", level=Level.MANAGE, on=model.resource)
    approve(eve, ask(world.admin, version))
    # moving to where it is already moves nothing, so it asks nobody
    operations.move_to_stage(actor=world.admin, model=model, version=version, stage="Production")
    assert stage_of(version) == "Production" and gates.gates_of([model])[model.pk]["Production"].two_people


def test_rolling_back(world: World) -> None:
    model = a_model(world.admin)
    one, two, three = (a_version(world.admin, model) for _ in range(3))

    def back(actor: Actor, to: ModelVersion) -> ModelVersion:
        return transitions.roll_back(actor=actor, model=model, to=to)

    with pytest.raises(Conflict):
        back(world.admin, one)
    for version in (one, two, three):
        wish: Any = {"model": model, "version": version, "stage": "Production", "archive_existing": True}
        operations.move_to_stage(actor=world.admin, **wish)
    with pytest.raises(Stale):
        back(world.admin, one)
    eve = a_person(world, "eve@example.com", level=Level.EDIT, on=model.resource)
    with pytest.raises(Forbidden):
        back(eve, two)
    assert queries.find_rollback(model) == two
    back(world.admin, two)
    assert [stage_of(version) for version in (one, two, three)] == ["Archived", "Production", "Archived"]
    periods = StagePeriod.objects.filter(version__model=model, stage="Production").order_by("valid_from")
    assert [(period.version_id, period.valid_to is None) for period in periods] == [
        (one.pk, False),
        (two.pk, False),
        (three.pk, False),
        (two.pk, True),
    ]
    operations.delete_version(actor=world.admin, model=model, version=three)
    assert queries.find_rollback(model) == one


def test_through_the_api(world: World) -> None:
    version = a_version(world.admin)
    v1, here = "/api/v1/transition-requests", f"/api/v1/model-versions/{version.pk}/transition-requests"
    made = world.api.post(here, {"stage": "Production", "comment": "please"})
    assert made.status_code == 201
    told = made.json()
    assert (told["from_stage"], told["to_stage"], told["available_actions"]) == ("None", "Production", ["cancel"])
    assert world.api.post(f"{v1}/{told['id']}/approve").status_code == 403
    assert world.api.get(v1).json()["items"] == []
    assert world.api.get(f"{here}?state=waiting").json()["items"][0]["id"] == told["id"]
    assert world.api.get(f"{here}?state=odd").status_code == 422
    assert world.api.post(f"{v1}/{told['id']}/cancel").json()["state"] == "cancelled"
    assert world.api.post(here, {"stage": "Nowhere"}).status_code == 422
    gate = {"stage": "Production", "level": "edit", "two_people": True, "keepers": ["ada@example.com"]}
    said = world.api.post("/api/v1/models/churn/set-gate", gate).json()["gates"]["Production"]
    assert said == {"level": "edit", "two_people": True, "keepers": ["ada@example.com"]}
    assert world.api.post("/api/v1/models/churn/roll-back", {"version": 1}).status_code == 409


def test_people_who_approve_at_once_move_it_once(live: Live) -> None:
    with workspace_scope(live.ours.workspace):
        model = a_model(live.ours.admin, "racer")
        version = a_version(live.ours.admin, model, a_logged_model(live.ours.admin))
        root = root_resource()
        user = access.add_member(actor=live.ours.admin, root=root, email="mia@example.com").user
        access.share(actor=live.ours.admin, resource=model.resource, grantee=user, level=Level.USE)
        asked = ask(Actor(user=user, workspace=live.ours.workspace), version)
    with ThreadPoolExecutor(6) as people:
        answers = list(
            people.map(
                lambda _: (
                    live(
                        "POST",
                        f"/api/v1/transition-requests/{asked.pk}/approve",
                        body="{}",
                        Content_Type="application/json",
                    ).status
                ),
                range(6),
            )
        )
    assert sorted(answers) == [200, 409, 409, 409, 409, 409]
    with workspace_scope(live.ours.workspace):
        assert StagePeriod.objects.filter(version=version, stage="Production").count() == 1
