"""Who acts: a person, a service principal, a run key, or the installation itself."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from apps.access.models import User, Workspace


@dataclass(frozen=True)
class Actor:
    """Somebody in one workspace. `activity` names what a run key belongs to (`job_run:<id>`); `scopes` narrow a token."""

    user: User | None
    workspace: Workspace
    token_id: uuid.UUID | None = None
    scopes: tuple[str, ...] = ("all",)
    activity: str = ""

    @property
    def is_system(self) -> bool:
        """Whether the installation itself acts (made by tasks and commands only)."""
        return self.user is None

    @property
    def label(self) -> str:
        """The e-mail address, the service principal's name, or `boathouse`."""
        return self.user.label if self.user else "boathouse"

    @property
    def user_id(self) -> uuid.UUID | None:
        """The account's id; None for the installation itself."""
        return self.user.pk if self.user else None

    def allows(self, room: str, *, writing: bool) -> bool:
        """Whether the token's scopes cover this: `all`, `read`, `<room>`, `<room>:read`."""
        for scope in self.scopes:
            name, _, limit = scope.partition(":")
            if name == "read":
                name, limit = "all", "read"
            if name in ("all", room) and not (writing and limit == "read"):
                return True
        return False


def system_actor(workspace: Workspace) -> Actor:
    """The installation itself, for its own upkeep inside tasks and commands; never for a request."""
    return Actor(user=None, workspace=workspace)
