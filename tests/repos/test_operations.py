"""Repositories through operations and API, and pushes whose web process died."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apps.access.models import AuditEntry
from apps.foundation.clock import now
from apps.foundation.errors import AlreadyExists, Conflict, Invalid
from apps.repos import operations
from apps.repos.models import Push, Repo
from apps.repos.pushes import Command
from apps.repos.tasks import settle_lost_pushes
from tests.builders import World
from tests.repos.making import a_repo, fill


# The test client is no event loop; the web server is one.
@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")
def test_create_and_read_through_the_api(world: World) -> None:
    made = world.api.post("/api/v1/repos", {"name": "flight-delays", "description": "Delays"}).json()
    assert made["path"] == "/flight-delays" and made["clone_url"].endswith("/git/ours/flight-delays.git")
    place = f"/api/v1/repos/{made['id']}"
    assert world.api.get(f"{place}/branches").json() == {"items": [], "next_token": None}
    assert world.api.get(f"{place}/tree").status_code == 404
    repo = Repo.objects.get(pk=made["id"])
    first, copy = fill(repo)
    second = copy.commit("Second", {"train.py": "print(2)\n"})
    copy.git("push", "--quiet", str(repo.git.path), "main", "main:dev")
    tree = world.api.get(f"{place}/tree?ref=main").json()
    assert [e["name"] for e in tree["items"]] == ["features", "README.md", "logo.bin", "train.py"] and tree[
        "commit"
    ] == second
    assert world.api.get(f"{place}/file?path=train.py&ref={first}").json()["text"] == "print('trained')\n"
    raw = world.api.get(f"{place}/raw?path=logo.bin")
    assert b"".join(raw) == b"\x00\x01\x02" and raw["Content-Disposition"].startswith("attachment")
    page = world.api.get(f"{place}/commits?page_size=1").json()
    assert [c["sha"] for c in page["items"]] == [second]
    rest = world.api.get(f"{place}/commits?page_size=1&page_token={page['next_token']}").json()
    assert [c["sha"] for c in rest["items"]] == [first] and rest["next_token"] is None
    diff = world.api.get(f"{place}/diff?head=main").json()
    assert diff["base"] == first and [line["kind"] for line in diff["files"][0]["hunks"][0]["lines"]] == ["del", "add"]
    branches = world.api.get(f"{place}/branches?page_size=1").json()
    assert [(b["name"], b["ahead"], b["is_default"]) for b in branches["items"]] == [("dev", 0, False)]
    more = world.api.get(f"{place}/branches?page_size=1&page_token={branches['next_token']}").json()
    assert [b["name"] for b in more["items"]] == ["main"]


@pytest.mark.parametrize(
    "query",
    ["ref=--output=x", "ref=..", "ref=main&path=../../x", "ref=main&path=/etc/passwd", "ref=a b", "path=.git/config"],
)
def test_hostile_questions_are_answered_not_obeyed(world: World, query: str) -> None:
    repo = a_repo(world.admin)
    fill(repo)
    for what in ("tree", "file", "raw", "commits", "commit"):
        answer = world.api.get(f"/api/v1/repos/{repo.pk}/{what}?{query}")
        assert answer.status_code in ((200, 404, 422) if what == "commit" else (404, 422)), (what, answer.content)
        assert b"git" not in answer.content.lower() or answer.status_code == 422


def test_branches_by_operation(world: World) -> None:
    repo = a_repo(world.admin)
    with pytest.raises(AlreadyExists):
        a_repo(world.admin)
    commit, _ = fill(repo)
    operations.create_branch(actor=world.admin, repo=repo, name="dev")
    with pytest.raises(Conflict):
        operations.delete_branch(actor=world.admin, repo=repo, name="main", commit=commit)
    operations.set_default_branch(actor=world.admin, repo=repo, branch="dev")
    operations.delete_branch(actor=world.admin, repo=repo, name="main", commit=commit)
    assert repo.git.refs() == {"dev": commit}
    with pytest.raises(Conflict):
        operations.set_default_branch(actor=world.admin, repo=repo, branch="gone")
    with pytest.raises(Invalid):
        operations.create_repo(actor=world.admin, parent=world.root(), name="x", default_branch="--bad")


def test_a_push_nobody_settled_is_settled_from_what_git_remembers(world: World, drain) -> None:
    repo = a_repo(world.admin)
    first, copy = fill(repo)
    second = copy.commit("Second", {"a": "b"})
    wanted = (Command(first, second, "refs/heads/main"), Command("0" * 40, second, "refs/heads/never"))
    push = operations.push(actor=world.admin, repo=repo, commands=wanted)
    copy.git("push", "--quiet", str(repo.git.path), "main")  # and here the web process dies
    Push.objects.filter(pk=push.pk).update(started_at=now() - timedelta(minutes=5))
    assert settle_lost_pushes() == 1
    drain()
    push.refresh_from_db()
    assert [m["ref"] for m in push.moved] == ["refs/heads/main"] and push.settled_at is None
    entry = AuditEntry.objects.get(verb="repos.refs_moved")
    assert entry.actor_label == "ada@example.com" and entry.after == {"refs/heads/main": second}
    Push.objects.filter(pk=push.pk).update(started_at=now() - timedelta(hours=2))
    settle_lost_pushes()
    drain()
    push.refresh_from_db()
    assert push.settled_at is not None and AuditEntry.objects.filter(verb="repos.refs_moved").count() == 1
