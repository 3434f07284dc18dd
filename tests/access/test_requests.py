"""Asking for access, and answering."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from apps.access import operations, queries
from apps.access.levels import Level
from apps.access.policy import level_of
from apps.foundation.clock import now
from apps.foundation.errors import Conflict, Forbidden, Invalid, NotFound
from tests.builders import World, a_folder, a_person, an_api


def test_asked_for_and_given(world: World) -> None:
    folder = a_folder(world.admin)
    kofi = a_person(world, "kofi@example.com", level=Level.DISCOVER, on=folder)
    first = operations.request_access(actor=kofi, resource=folder, level=Level.VIEW, reason="for May")
    again = operations.request_access(actor=kofi, resource=folder, level=Level.EDIT, days=7)
    assert again.pk == first.pk and list(queries.list_access_requests(world.admin)) == [again]
    with pytest.raises(Forbidden):
        operations.grant_access_request(actor=kofi, access_request=again)
    operations.grant_access_request(actor=world.admin, access_request=again, level=Level.VIEW, answer="view is enough")
    assert level_of(kofi, folder) == Level.VIEW
    assert folder.user_grants.get(user=kofi.user).expires_at is not None
    with pytest.raises(Conflict):
        operations.decline_access_request(actor=world.admin, access_request=again)
    with pytest.raises(Invalid):
        operations.request_access(actor=kofi, resource=folder, level=Level.VIEW)


def test_a_grant_never_lowers_what_the_person_has(world: World) -> None:
    folder = a_folder(world.admin)
    kofi = a_person(world, "kofi@example.com", level=Level.DISCOVER, on=folder)
    wish = operations.request_access(actor=kofi, resource=folder, level=Level.VIEW)
    operations.share(actor=world.admin, resource=folder, grantee=kofi.user, level=Level.MANAGE)
    operations.grant_access_request(actor=world.admin, access_request=wish)
    assert level_of(kofi, folder) == Level.MANAGE


def test_nor_what_the_person_has_for_a_while(world: World) -> None:
    folder, week = a_folder(world.admin), now() + timedelta(days=7)
    kofi = a_person(world, "kofi@example.com", level=Level.DISCOVER, on=folder)
    wish = operations.request_access(actor=kofi, resource=folder, level=Level.VIEW)
    operations.share(actor=world.admin, resource=folder, grantee=kofi.user, level=Level.MANAGE, expires_at=week)
    operations.grant_access_request(actor=world.admin, access_request=wish)
    assert level_of(kofi, folder) == Level.MANAGE


def test_a_grant_that_has_ended_is_given_anew(world: World) -> None:
    folder = a_folder(world.admin)
    kofi = a_person(world, "kofi@example.com", level=Level.DISCOVER, on=folder)
    wish = operations.request_access(actor=kofi, resource=folder, level=Level.VIEW)
    folder.user_grants.filter(user=kofi.user).update(level=Level.MANAGE, expires_at=now() - timedelta(days=1))
    operations.grant_access_request(actor=world.admin, access_request=wish)
    assert level_of(kofi, folder) == Level.VIEW


def test_what_one_may_not_know_of_cannot_be_asked_for(world: World) -> None:
    folder = a_folder(world.admin)
    kofi = a_person(world, "kofi@example.com")
    with pytest.raises(NotFound):
        operations.request_access(actor=kofi, resource=folder, level=Level.VIEW)
    secret = an_api(kofi).post(f"/api/v1/resources/{folder.pk}/request-access", {"level": "view"})
    assert secret.status_code == 404


def test_only_the_person_and_managers_know_of_a_request(world: World) -> None:
    folder = a_folder(world.admin)
    kofi = a_person(world, "kofi@example.com", level=Level.DISCOVER, on=folder)
    ben = a_person(world, "ben@example.com", level=Level.EDIT, on=folder)
    wish = operations.request_access(actor=kofi, resource=folder, level=Level.VIEW)
    assert an_api(ben).post(f"/api/v1/access-requests/{wish.pk}/grant").status_code == 404
    assert an_api(ben).get("/api/v1/access-requests?mine=true").json()["items"] == []
    assert len(an_api(kofi).get("/api/v1/access-requests?mine=true").json()["items"]) == 1
    assert an_api(kofi).post(f"/api/v1/access-requests/{wish.pk}/withdraw").json()["state"] == "withdrawn"


def test_from_the_page_that_says_no_to_the_dialog_that_says_yes(world: World) -> None:
    folder = a_folder(world.admin)
    kofi = a_person(world, "kofi@example.com", level=Level.DISCOVER, on=folder)
    asker, owner = Client(), Client()
    asker.force_login(kofi.user)
    owner.force_login(world.admin.user)
    refused = asker.get(f"/w/ours/share/{folder.pk}")
    assert refused.status_code == 403 and f"/w/ours/ask/{folder.pk}" in refused.text
    sent = {"level": "view", "days": "30", "reason": "for the plan of May"}
    assert asker.post(f"/w/ours/ask/{folder.pk}", sent).status_code == 303
    assert "for the plan of May" in owner.get("/w/ours/").text
    dialog = owner.get(f"/w/ours/share/{folder.pk}").text
    assert "for the plan of May" in dialog
    wish = queries.list_access_requests(world.admin).get()
    answered = owner.post(f"/w/ours/share/{folder.pk}", {"act": "grant", "request_id": str(wish.pk)})
    assert answered.status_code == 200 and "for the plan of May" not in answered.text
    assert asker.get(f"/w/ours/share/{folder.pk}").status_code == 200


def test_foresees_what_a_grant_changes(world: World) -> None:
    folder = a_folder(world.admin)
    group = operations.create_group(actor=world.admin, root=world.root(), name="pilots")
    for email, level in (("a@example.com", Level.EDIT), ("b@example.com", Level.DISCOVER), ("c@example.com", None)):
        person = a_person(world, email, level=level, on=folder if level else None)
        member = queries.get_membership(person.user_id)
        operations.add_to_group(actor=world.admin, root=world.root(), group=group, membership=member)
    effect = queries.foresee(folder, group, Level.VIEW)
    assert (effect.gaining, effect.unchanged) == (2, 1)
    assert queries.foresee(folder, person.user, Level.VIEW) == queries.Effect(None, 1, 0)
    operations.share(actor=world.admin, resource=folder, grantee=group, level=Level.VIEW)
    assert queries.foresee(folder, group, Level.VIEW).gaining == 0
    assert queries.count_reached(folder) == 4


def test_near_names_are_only_those_one_may_know_of(world: World) -> None:
    seen, hidden = a_folder(world.admin, "planes-public"), a_folder(world.admin, "planes-secret")
    kofi = a_person(world, "kofi@example.com", level=Level.DISCOVER, on=seen)
    browser = Client()
    browser.force_login(kofi.user)
    page = browser.get("/w/ours/tables/planes-publ")
    assert page.status_code == 404 and seen.path in page.text and hidden.path not in page.text
