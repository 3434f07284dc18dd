"""Signing in: throttled, without a hint, links once, set-up once."""

from __future__ import annotations

import pytest
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest
from django.test import Client, RequestFactory

from apps.access import operations, signin
from apps.access.models import Session, SignInLink, User
from apps.access.queries import get_membership
from apps.access.resources import root_resource
from apps.foundation.clock import now
from apps.foundation.errors import Conflict, Invalid, NotFound, TooMany
from tests.builders import World, a_person


def a_request() -> HttpRequest:
    request = RequestFactory().post("/login")
    SessionMiddleware(lambda _: None).process_request(request)  # type: ignore[arg-type]
    return request


def with_password(user: User) -> User:
    user.set_password("a long enough secret")
    user.save()
    return user


def test_guessing_is_slowed_down_and_says_nothing(world: World) -> None:
    with_password(world.admin.user)
    for email in ("ada@example.com", "nobody@example.com"):
        for _ in range(signin.FAILURES_PER_ACCOUNT):
            with pytest.raises(Invalid) as refusal:
                signin.sign_in(a_request(), email=email, password="wrong")
            assert refusal.value.message == signin.WRONG
        with pytest.raises(TooMany):
            signin.sign_in(a_request(), email=email, password="a long enough secret")


def test_a_session_has_its_person_and_ends_with_suspension(world: World) -> None:
    ben = a_person(world, "ben@example.com")
    with_password(ben.user)
    request = a_request()
    assert signin.sign_in(request, email="Ben@Example.com", password="a long enough secret") == ben.user
    request.session.save()
    assert Session.objects.get(session_key=request.session.session_key).user == ben.user
    client = Client()
    client.cookies["sessionid"] = request.session.session_key
    headers = {"X-Boathouse-Workspace": "ours"}
    assert client.get("/api/v1/whoami", headers=headers).json()["label"] == "ben@example.com"
    operations.suspend_member(actor=world.admin, root=root_resource(), membership=get_membership(ben.user_id))
    assert client.get("/api/v1/whoami", headers=headers).status_code == 404


def test_a_link_works_once_and_for_a_while(world: World) -> None:
    path, _ = signin.make_link(world.ours.workspace, world.admin.user)
    raw = path.rsplit("/", 1)[1]
    assert signin.sign_in_by_link(a_request(), raw) == world.ours.workspace
    for used in (raw, "", "x" * 43):
        with pytest.raises(NotFound):
            signin.sign_in_by_link(a_request(), used)
    path, _ = signin.make_link(world.ours.workspace, world.admin.user)
    SignInLink.objects.update(expires_at=now())
    with pytest.raises(NotFound):
        signin.sign_in_by_link(a_request(), path.rsplit("/", 1)[1])


def test_set_up_makes_the_first_admin_only(db: None) -> None:
    request = a_request()
    wish = {"email": "first@example.com", "password": "a long enough secret", "workspace": "first-ops"}
    with pytest.raises(Invalid):
        signin.set_up(request, code="00000000", **wish)
    assert signin.set_up(request, code=signin.setup_code(), **wish).name == "first-ops"
    with pytest.raises(Conflict):
        signin.set_up(request, code=signin.setup_code(), **wish)
