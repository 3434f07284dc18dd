"""Everything a person can do is one function marked @operation: checked, transactional, locked, recorded, listed."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db import models, transaction

from apps.access import audit
from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.policy import authorise
from apps.access.resources import root_resource
from apps.foundation.errors import Forbidden

F = TypeVar("F", bound=Callable[..., Any])


class Unrecorded(RuntimeError):
    """An operation ended without an audit entry. Call audit.record() in it."""


@dataclass(frozen=True)
class Operation:
    """One line of the list that is the permission table, the audit vocabulary, the event names and a reference page."""

    name: str
    needs: Level | None
    on: str
    summary: str
    function: Callable[..., Any]


operations: dict[str, Operation] = {}


def operation(*, needs: Level | None, on: str, open_to_makers: bool = False) -> Callable[[F], F]:
    """Make a function an operation that needs a level on its argument `on` (a row; the workspace's root for `on="root"`).

    Arguments are keyword-only; `actor` is one of them. `open_to_makers` lets any member create inside a container that is so.
    `needs=None` is for what is the actor's own (`thing.user`), and for whoever manages the workspace.
    """

    def wrap(function: F) -> F:
        room = function.__module__.split(".")[1]
        name = f"{room}.{function.__name__}"
        parameters = inspect.signature(function).parameters
        if (
            "actor" not in parameters
            or on not in parameters
            or any(p.kind is not p.KEYWORD_ONLY for p in parameters.values())
        ):
            raise TypeError(f"{name}: arguments are keyword-only, with actor and {on} among them")

        @functools.wraps(function)
        def run(*, actor: Actor, **arguments: Any) -> Any:
            thing: models.Model = arguments[on]
            with transaction.atomic():
                if needs is None:
                    _own(actor, thing, room)
                elif not (
                    open_to_makers and getattr(thing, "open_to_makers", False) and actor.allows(room, writing=True)
                ):
                    authorise(actor, needs, thing, room=room)
                _lock(thing)
                with audit.recording() as entries:
                    outcome = function(actor=actor, **arguments)
                if not entries:
                    raise Unrecorded(name)
            return outcome

        if name in operations:
            raise TypeError(f"two operations are called {name}")
        operations[name] = Operation(name, needs, on, (function.__doc__ or "").strip().splitlines()[0], run)
        return run  # type: ignore[return-value]

    return wrap


def _own(actor: Actor, thing: models.Model, room: str) -> None:
    if actor.is_system:
        return
    if thing.user_id != actor.user_id:  # type: ignore[attr-defined]
        authorise(actor, Level.MANAGE, root_resource(), room=room)
    elif not actor.allows(room, writing=True):
        raise Forbidden("The scopes of this token do not cover this.", code="scope")


def _lock(thing: models.Model) -> None:
    """Lock and refresh the row, so that two people changing one thing queue up and `before` is true."""
    rows = type(thing).objects.select_for_update(of=("self",), no_key=True)  # type: ignore[attr-defined]
    thing.refresh_from_db(from_queryset=rows)
