"""Steps with their links, figures and times on the terminal, and the little HTTP that the story needs."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests


class StoryFailed(Exception):
    """A step did not do what it says; the message is for the reader."""


class Step:
    """One step: `say` adds a figure, `link` an address of a page."""

    def __init__(self, url: str, workspace: str) -> None:
        self.url, self.workspace = url, workspace

    def say(self, text: str) -> None:
        """A line below the step's title."""
        print(f"   {text}", flush=True)

    def link(self, path: str) -> None:
        """The page where this can be looked at."""
        self.say(f"{self.url}/w/{self.workspace}/{path}")


class Teller:
    """Numbers the steps and takes their time."""

    def __init__(self, url: str, workspace: str) -> None:
        self.url, self.workspace, self.number = url, workspace, 0

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """A step around whatever is done inside."""
        self.number += 1
        print(f"\n{self.number:>2} {title}", flush=True)
        began = time.monotonic()
        yield Step(self.url, self.workspace)
        print(f"   {time.monotonic() - began:.1f} s", flush=True)


class Api:
    """The native API as one person or program."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url, token
        self.http = requests.Session()
        self.http.headers["Authorization"] = f"Bearer {token}"

    def ask(self, method: str, path: str, body: Any = None, **query: Any) -> requests.Response:
        """The raw response."""
        return self.http.request(method, f"{self.url}{path}", json=body, params=query or None, timeout=120)

    def get(self, path: str, **query: Any) -> Any:
        """The answer of a GET. Raises StoryFailed."""
        return self._read(self.ask("GET", f"/api/v1{path}", **query))

    def post(self, path: str, body: Any = None) -> Any:
        """The answer of a POST. Raises StoryFailed."""
        return self._read(self.ask("POST", f"/api/v1{path}", {} if body is None else body))

    def patch(self, path: str, body: Any) -> Any:
        """The answer of a PATCH. Raises StoryFailed."""
        return self._read(self.ask("PATCH", f"/api/v1{path}", body))

    def find(self, path: str, name: str, **query: Any) -> Any | None:
        """The item of a list that has this name or path, or None."""
        token = None
        while True:
            page = self.get(path, page_size=200, **({"page_token": token} if token else {}), **query)
            for item in page["items"]:
                if name in (item.get("name"), item.get("path")):
                    return item
            token = page["next_token"]
            if not token:
                return None

    def share(self, resource_id: str, level: str, *, user_id: str = "", group_id: str = "") -> None:
        """Give a person or group a level."""
        kind = "group" if group_id else "person"
        self.post(
            f"/resources/{resource_id}/share", {"grantee_kind": kind, "grantee_id": group_id or user_id, "level": level}
        )

    def _read(self, response: requests.Response) -> Any:
        if response.status_code >= 400:
            raise StoryFailed(f"{response.request.method} {response.url}: {response.status_code} {response.text[:800]}")
        return response.json() if response.content else None


def wait_for(what: str, look: Any, seconds: float) -> Any:
    """The first true answer of `look()`. Raises StoryFailed after some seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = look()
        if found:
            return found
        time.sleep(0.3)
    raise StoryFailed(f"waited {seconds:.0f} s in vain for {what}")


def main(story: Any) -> None:
    """Run a story and end with 1 and its words when it fails."""
    try:
        story()
    except StoryFailed as failure:
        print(f"\nThe story stopped: {failure}", file=sys.stderr)
        sys.exit(1)
