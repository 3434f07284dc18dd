"""Sessions in the database, each with its person, so that they can be listed and revoked at once."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore

from apps.access.models import Session


class SessionStore(DatabaseStore):
    """Django's database sessions, on our table."""

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        row: Any = super().create_model_instance(data)
        row.user_id = data.get(SESSION_KEY)
        row.user_agent = data.get("user_agent", "")[:300]
        row.address = data.get("address")
        return row


def number_of(session: Session) -> str:
    """What a session is called where it is listed; its key never leaves the server."""
    return hashlib.sha256(b"session:" + session.session_key.encode()).hexdigest()[:16]


def browser_of(session: Session) -> str:
    """The browser and system in a person's words: `Firefox on Linux`."""
    agent = session.user_agent
    browser = next((name for name in ("Edg", "Firefox", "Chrome", "Safari") if name in agent), "")
    system = re.search(r"Windows|Mac OS X|Android|iPhone|iPad|Linux", agent)
    name = {"Edg": "Edge", "": "A program"}.get(browser, browser)
    return f"{name} on {system[0]}" if system else name
