"""Plain functions that make things through the real operations, so that tests stand on what people do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.test import Client

from apps.access import operations, tokens, workspaces
from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.models import Resource, User, Workspace
from apps.access.resources import root_resource
from apps.access.scope import workspace_scope


@dataclass
class Api:
    """A program with a token: JSON in, JSON out."""

    token: str
    client: Client = field(default_factory=lambda: Client(raise_request_exception=False))

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The response; `response.json()` reads it. A body is sent as JSON."""
        sent = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        content = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
        return self.client.generic(method, path, headers={**sent, **headers}, **content)

    def get(self, path: str, **headers: str) -> Any:
        return self("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self("POST", path, {} if body is None else body, **headers)


@dataclass
class Side:
    """One of the two workspaces, with its admin."""

    workspace: Workspace
    admin: Actor
    api: Api


@dataclass
class World:
    """`ours`, whose scope is open, and `theirs`, a neighbour with the same names."""

    ours: Side
    theirs: Side

    @property
    def admin(self) -> Actor:
        return self.ours.admin

    @property
    def api(self) -> Api:
        return self.ours.api

    def root(self) -> Resource:
        """The root of the workspace whose scope is open."""
        return root_resource()


@contextmanager
def a_world() -> Iterator[World]:
    """Two workspaces with the same admin address, folders and whatever a test puts into both by `for side in ...`."""
    sides = [a_side(name, "ada@example.com") for name in ("ours", "theirs")]
    with workspace_scope(sides[0].workspace):
        yield World(*sides)


def a_side(name: str, admin_email: str) -> Side:
    """A workspace with an admin and a token of theirs."""
    admin = workspaces.find_or_create_person(admin_email)
    workspace = workspaces.create_workspace(name, admin=admin)
    with workspace_scope(workspace):
        actor = Actor(user=admin, workspace=workspace)
        return Side(workspace, actor, an_api(actor))


def an_api(actor: Actor, **options: Any) -> Api:
    """A client that shows a new token of the actor."""
    assert actor.user is not None
    _, raw = tokens.new_token(actor.user, name="test", **options)
    return Api(raw)


def a_person(world: World, email: str, *, level: Level | None = None, on: Resource | None = None) -> Actor:
    """A member of the open workspace, with a level on a resource when one is given."""
    membership = operations.add_member(actor=world.admin, root=root_resource(), email=email)
    user: User = membership.user
    if level is not None and on is not None:
        operations.share(actor=world.admin, resource=on, grantee=user, level=level)
    return Actor(user=user, workspace=world.ours.workspace)


def a_folder(actor: Actor, name: str = "plans", parent: Resource | None = None) -> Resource:
    """A folder at the top, or in another one."""
    return operations.create_folder(actor=actor, parent=parent or root_resource(), name=name)
