"""Making workspaces, taking people in, tokens and sign-in links, for whoever holds the machine."""

from __future__ import annotations

import argparse
from datetime import timedelta
from importlib import import_module
from typing import Any

from django.db import transaction

from apps.access import audit, operations, signin, tokens, workspaces
from apps.access.actor import system_actor
from apps.access.models import Membership, Token, User, Workspace
from apps.access.operation import operations as all_operations
from apps.access.resources import root_resource
from apps.access.scope import workspace_scope
from apps.foundation.clock import now
from apps.foundation.errors import Invalid, NotFound
from workspace.env import env
from workspace.installation import records

Answer = tuple[int, dict[str, Any], str]
_COMMENT = "by manage.py"


def create_workspace(given: argparse.Namespace) -> Answer:
    """A workspace with its first admin, and a token of theirs."""
    with transaction.atomic():
        admin = _person(given.admin, given.password)
        workspace = workspaces.create_workspace(given.name, admin=admin)
        with workspace_scope(workspace):
            actor = system_actor(workspace)
            audit.record(
                actor, "access.create_workspace", root_resource(), after={"admin": admin.label}, comment=_COMMENT
            )
            token = _token(admin, workspace)[1]
    url = f"{_address()}/w/{workspace.name}/"
    answer = {"workspace": workspace.name, "email": admin.email, "token": token, "url": url}
    return 0, answer, f"{workspace.name} is at {url}\ntoken of {admin.email}: {token}"


def add_user(given: argparse.Namespace) -> Answer:
    """A person as a member, and a token of theirs."""
    workspace = _workspace(given.workspace)
    with transaction.atomic():
        person = _person(given.email, given.password)
        with workspace_scope(workspace):
            actor = system_actor(workspace)
            operations.add_member(
                actor=actor, root=root_resource(), email=person.email or given.email, is_admin=given.admin
            )
            token = _token(person, workspace)[1]
    answer = {"workspace": workspace.name, "email": person.email, "token": token}
    return 0, answer, f"{person.email} is a member of {workspace.name}\ntoken: {token}"


def sign_in_link(given: argparse.Namespace) -> Answer:
    """A link that signs a member in once."""
    workspace = _workspace(given.workspace)
    with workspace_scope(workspace):
        person = _member(given.email).user
        path, link = signin.make_link(workspace, person)
        audit.record(
            system_actor(workspace),
            "access.make_sign_in_link",
            root_resource(),
            after={"of": person.label},
            comment=_COMMENT,
        )
    url = f"{_address()}{path}"
    return (
        0,
        {"url": url, "expires_at": link.expires_at.isoformat()},
        f"{url}\ngood once, until {link.expires_at:%H:%M} UTC",
    )


def create_token(given: argparse.Namespace) -> Answer:
    """A token of a member, with its scopes and end."""
    if given.days is not None and not 1 <= given.days <= 3650:
        raise Invalid("--days is a number from 1 to 3650; without it the token has no end.")
    workspace = _workspace(given.workspace)
    with workspace_scope(workspace):
        token, raw = _token(_member(given.email).user, workspace, days=given.days, scopes=given.scope)
    expires_at = token.expires_at.isoformat() if token.expires_at else None
    answer = {"workspace": workspace.name, "email": given.email, "token": raw, "expires_at": expires_at}
    return 0, answer, raw


def set_up_hint() -> str:
    """How to sign in here: the set-up page and its code while nobody is here yet."""
    if signin.needs_setup():
        return f"{_address()}/setup with the code {signin.setup_code()}, or ./manage.py workspace create NAME --admin EMAIL"
    return f"{_address()}/login, or a one-time link: ./manage.py user link WORKSPACE EMAIL"


def _token(
    person: User, workspace: Workspace, *, days: int | None = None, scopes: list[str] | None = None
) -> tuple[Token, str]:
    if scopes:
        # Rooms file their operations when they are loaded; the routes load them all.
        import_module("workspace.urls")
        tokens.check_scopes(scopes, {name.split(".")[0] for name in all_operations})
    expires_at = now() + timedelta(days=days) if days else None
    token, raw = tokens.new_token(person, name="manage.py", expires_at=expires_at, scopes=scopes or ["all"])
    after = {"of": person.label, "scopes": token.scopes}
    audit.record(system_actor(workspace), "access.create_token", token, after=after, comment=_COMMENT)
    return token, raw


def _person(email: str, password: str | None) -> User:
    known = User.objects.filter(email__iexact=email.strip()).first()
    if known and password is not None and not known.check_password(password):
        raise Invalid(f"{email} has an account with another password; leave out --password.")
    return known or workspaces.find_or_create_person(email, password=password)


def _workspace(name: str) -> Workspace:
    workspace = workspaces.find_workspace(name)
    if workspace is None:
        raise NotFound(
            f"There is no workspace called {name}. Make it: ./manage.py workspace create {name} --admin EMAIL"
        )
    return workspace


def _member(email: str) -> Membership:
    membership = (
        Membership.objects.filter(user__email__iexact=email.strip(), suspended_at=None).select_related("user").first()
    )
    if membership is None:
        raise NotFound(f"{email} is no member here. Take them in: ./manage.py user add WORKSPACE {email}")
    return membership


def _address() -> str:
    return records.read(env.place).url or env.url
