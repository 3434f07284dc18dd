"""A checkout per person: what one changes stays one's own until it is pushed, and nothing is lost on the way."""

from __future__ import annotations

import json

import pytest

from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.models import AuditEntry
from apps.foundation.errors import Conflict, Forbidden, Invalid, NotFound, Stale, TooLarge
from apps.repos import contents, git, operations
from apps.repos.models import Checkout, Draft, Push, Repo
from apps.repos.operations import checkouts
from apps.repos.worktree import Worktree, find_checkout, stand
from tests.builders import World, a_person
from tests.repos.making import a_repo, fill


@pytest.fixture
def repo(world: World) -> Repo:
    repo = a_repo(world.admin)
    fill(repo)
    return repo


@pytest.fixture
def kofi(world: World, repo: Repo) -> Actor:
    return a_person(world, "kofi@example.com", level=Level.EDIT, on=repo.resource)


class Desk:
    """A person at their checkout, in short words."""

    def __init__(self, actor: Actor, repo: Repo) -> None:
        self.actor, self.repo = actor, repo
        operations.open_checkout(actor=actor, repo=repo)

    @property
    def checkout(self) -> Checkout:
        found = find_checkout(self.actor, self.repo)
        assert found is not None
        return found

    @property
    def here(self) -> Worktree:
        return stand(self.repo, self.checkout)

    def do(self, name: str, **more):  # type: ignore[no-untyped-def]
        return getattr(operations, name)(actor=self.actor, checkout=self.checkout, **more)

    def save(self, path: str, text: str | bytes, version: str | None = None) -> Draft | None:
        content = text.encode() if isinstance(text, str) else text
        return self.do("save_file", path=path, content=content, version=version)

    def ship(self, path: str, text: str) -> git.Commit:
        self.save(path, text)
        commit = self.do("commit_drafts", message=f"Change {path}")
        self.do("push_branch")
        return commit


def test_change_commit_push_and_what_is_recorded(world: World, repo: Repo) -> None:
    desk = Desk(world.admin, repo)
    before = repo.git.refs()["main"]
    desk.save("train.py", "print('better')\n")
    desk.save("conf/lgbm.yaml", "leaves: 63\n")
    assert [(i.name, i.mark) for i in desk.here.items()] == [
        ("conf", "M"), ("features", ""), ("README.md", ""), ("logo.bin", ""), ("train.py", "M"),
    ]  # fmt: skip
    assert desk.here.read("train.py").text == "print('better')\n"
    commit = desk.do("commit_drafts", message="Weight summer\n\nBecause rain.", paths=["train.py"])
    assert (commit.subject, commit.body, commit.author_email) == ("Weight summer", "Because rain.", "ada@example.com")
    assert list(desk.here.drafts) == ["conf/lgbm.yaml"] and (desk.here.ahead, desk.here.behind) == (1, 0)
    assert repo.git.refs() == {"main": before}, "a commit is nobody else's before it is pushed"
    push = desk.do("push_branch")
    assert repo.git.refs() == {"main": commit.sha} and push.settled_at and push.moved[0]["new"] == commit.sha
    assert repo.git.file(commit.sha, "train.py").text == "print('better')\n"
    verbs = set(AuditEntry.objects.values_list("verb", flat=True))
    assert {"repos.save_file", "repos.commit_drafts", "repos.push", "repos.refs_moved"} <= verbs
    with pytest.raises(Conflict, match="Nothing to push"):
        desk.do("push_branch")


def test_nobodys_branch_moves_under_another(world: World, repo: Repo, kofi: Actor) -> None:
    ada, other = Desk(world.admin, repo), Desk(kofi, repo)
    stood = other.here.commit
    other.save("README.md", "# Mine\n")
    pushed = ada.ship("train.py", "print(2)\n")
    assert other.here.commit == stood and (other.here.ahead, other.here.behind) == (0, 1)
    assert other.here.read("train.py").text == "print('trained')\n"
    other.do("pull")
    assert other.here.commit == pushed.sha and other.here.read("README.md").text == "# Mine\n"
    with pytest.raises(NotFound):
        operations.save_file(actor=kofi, checkout=ada.checkout, path="x", content=b"", version=None)


def test_pull_merges_what_does_not_meet_and_refuses_what_does(world: World, repo: Repo, kofi: Actor) -> None:
    ada, other = Desk(world.admin, repo), Desk(kofi, repo)
    other.save("README.md", "# Kofi\n")
    mine = other.do("commit_drafts", message="Say who")
    ada.ship("train.py", "print(2)\n")
    with pytest.raises(Conflict, match="Pull first") as refused:
        other.do("push_branch")
    assert refused.value.code == "not_fast_forward" and other.here.commit == mine.sha
    merged = other.do("pull")
    assert merged.parents == (mine.sha, repo.git.refs()["main"]) and other.here.read("train.py").text == "print(2)\n"
    other.do("push_branch")
    # the same lines on both sides
    ada.do("pull")
    ada.save("README.md", "# Ada\n")
    ada.do("commit_drafts", message="Ada")
    other.ship("README.md", "# Kofi again\n")
    stood = ada.here.commit
    with pytest.raises(git.MergeConflict, match=r"README\.md") as clash:
        ada.do("pull")
    assert clash.value.paths == ["README.md"] and ada.here.commit == stood
    # a draft in the way
    other.ship("train.py", "print(3)\n")
    third = Desk(a_person(world, "mia@example.com", level=Level.EDIT, on=repo.resource), repo)
    third.save("train.py", "print('mia')\n")
    other.ship("train.py", "print(4)\n")
    with pytest.raises(Conflict, match=r"change train\.py, and so did you"):
        third.do("pull")
    assert third.here.read("train.py").text == "print('mia')\n"


def test_two_tabs_cannot_overwrite_each_other(world: World, repo: Repo) -> None:
    desk = Desk(world.admin, repo)
    opened = desk.here.read("train.py").version
    first = desk.save("train.py", "one\n", opened)
    with pytest.raises(Stale):
        desk.save("train.py", "two\n", opened)
    assert first is not None and first.content is not None
    desk.save("train.py", "three\n", first.content.hex)
    assert desk.here.read("train.py").text == "three\n" and Draft.objects.count() == 1
    with pytest.raises(Stale):
        desk.save("new.py", "x\n", "0" * 40)
    desk.save("new.py", "x\n", "")
    with pytest.raises(Stale):
        desk.save("new.py", "y\n", "")


def test_back_to_the_commit_is_no_change(world: World, repo: Repo, django_capture_on_commit_callbacks) -> None:
    desk = Desk(world.admin, repo)
    with django_capture_on_commit_callbacks(execute=True):
        desk.save("train.py", "other\n")
        kept = contents.path_of(desk.here.drafts["train.py"])
        assert kept is not None and kept.read_bytes() == b"other\n"
        assert desk.save("train.py", "print('trained')\n") is None
    assert not desk.here.drafts and not Draft.objects.exists() and not kept.exists()
    desk.do("delete_file", path="features")
    assert desk.here.drafts["features/rain.sql"].kind == "deleted" and not desk.here.kind_at("features")
    assert desk.do("discard_drafts", paths=["features/rain.sql"]) == 1 and desk.here.kind_at("features") == "folder"


def test_rename_delete_and_a_commit_of_them(world: World, repo: Repo) -> None:
    desk = Desk(world.admin, repo)
    desk.save("features/rain.sql", "select 2\n")
    assert desk.do("rename_file", path="features", to="sql/live") == 1
    assert desk.here.read("sql/live/rain.sql").text == "select 2\n"
    desk.do("delete_file", path="logo.bin")
    with pytest.raises(NotFound):
        desk.here.read("logo.bin")
    commit = desk.do("commit_drafts", message="Tidy")
    assert sorted(e.path for e in repo.git.walk(commit.sha)) == ["README.md", "sql/live/rain.sql", "train.py"]
    with pytest.raises(Conflict, match="already something"):
        desk.do("rename_file", path="train.py", to="README.md")
    with pytest.raises(Invalid):
        desk.do("rename_file", path="sql", to="sql/inner")
    with pytest.raises(NotFound):
        desk.do("rename_file", path="nothing", to="x")


@pytest.mark.parametrize(
    "path", ["", "../x", "/etc/passwd", ".git/config", "a/.GIT/hooks/x", "a//b", "a\nb", "a\\b", "x.", "git~1/x", "a/ b", "x" * 256]
)  # fmt: skip
def test_hostile_paths_are_written_nowhere(world: World, repo: Repo, path: str) -> None:
    desk = Desk(world.admin, repo)
    with pytest.raises(Invalid):
        desk.save(path, "x")
    with pytest.raises((Invalid, NotFound)):
        desk.do("rename_file", path="train.py", to=path)
    assert not Draft.objects.exists()


def test_a_committed_link_leads_nowhere(world: World, repo: Repo, tmp_path) -> None:
    _, copy = fill(a_repo(world.admin, "links"))
    (copy.folder / "etc").symlink_to("/etc")
    (copy.folder / "passwd").symlink_to("/etc/passwd")
    copy.commit("Links", {})
    linked = Repo.objects.get(resource__name="links")
    copy.git("push", "--quiet", str(linked.git.path), "main")
    desk = Desk(world.admin, linked)
    assert desk.here.read("passwd").text == "/etc/passwd", "the link's own text, not what it leads to"
    for path in ("etc/passwd", "passwd/x", "passwd", "etc"):
        with pytest.raises(Conflict):
            desk.save(path, "x")
    with pytest.raises(NotFound):
        desk.here.read("etc/passwd")
    with pytest.raises(Conflict, match="link"):
        desk.do("rename_file", path="passwd", to="train2")
    desk.do("delete_file", path="passwd")
    assert "passwd" not in {e.path for e in linked.git.walk(desk.do("commit_drafts", message="No link").sha)}


def test_switch_takes_changes_along_or_keeps_them(world: World, repo: Repo) -> None:
    desk = Desk(world.admin, repo)
    desk.save("train.py", "draft\n")
    desk.do("switch_branch", branch="summer", create=True)
    assert desk.here.branch == "summer" and desk.here.read("train.py").text == "draft\n"
    desk.do("switch_branch", branch="main", keep=True)
    assert desk.here.read("train.py").text == "print('trained')\n" and not desk.here.drafts
    desk.do("switch_branch", branch="summer")
    desk.do("commit_drafts", message="Summer")
    assert desk.here.to_push and "summer" not in repo.git.refs()
    desk.save("train.py", "more\n")
    with pytest.raises(Conflict, match="differs on main too"):
        desk.do("switch_branch", branch="main")
    with pytest.raises(Conflict, match="already a branch"):
        desk.do("switch_branch", branch="main", create=True)
    with pytest.raises(NotFound):
        desk.do("switch_branch", branch="never")
    for bad in ("--force", "a..b", "refs/heads/../x", ""):
        with pytest.raises(Invalid):
            desk.do("switch_branch", branch=bad, create=True)
    desk.do("switch_branch", branch="main", keep=True)
    with pytest.raises(Conflict, match="nowhere else"):
        desk.do("forget_branch", branch="summer")
    desk.do("switch_branch", branch="summer")
    desk.do("discard_drafts", paths=["train.py"])
    desk.do("push_branch")
    assert repo.git.refs()["summer"] == desk.here.commit
    desk.do("switch_branch", branch="main")
    desk.do("forget_branch", branch="summer")
    assert set(repo.git.refs(desk.checkout.refs)) == {"main"}


def test_the_first_commit_of_an_empty_repo_is_made_here(world: World) -> None:
    empty = a_repo(world.admin, "empty")
    desk = Desk(world.admin, empty)
    desk.save("README.md", "# New\n", "")
    commit = desk.do("commit_drafts", message="Begin")
    desk.do("push_branch")
    assert empty.git.refs() == {"main": commit.sha} and not desk.here.to_push


def test_what_a_push_would_refuse_is_refused_at_the_commit(world: World, repo: Repo) -> None:
    desk = Desk(world.admin, repo)
    stood = desk.here.commit
    desk.save(".gitmodules", '[submodule "x"]\n\tpath = x\n\turl = --upload-pack=touch /tmp/owned\n')
    with pytest.raises(Invalid, match="gitmodules"):
        desk.do("commit_drafts", message="Look, a module")
    assert desk.here.commit == stood and list(desk.here.drafts) == [".gitmodules"]
    assert not list((repo.git.path / "objects").glob("tmp_objdir-*"))


def test_messages_and_names_cannot_break_a_commit(world: World, repo: Repo, kofi: Actor) -> None:
    assert kofi.user is not None
    kofi.user.name = "Kofi <root@x>\nparent 0000\0"
    desk = Desk(kofi, repo)
    desk.save("a.txt", "a")
    for message in ("", "  \n ", "a\0b", "x" * 30_000):
        with pytest.raises(Invalid):
            desk.do("commit_drafts", message=message)
    commit = desk.do("commit_drafts", message="--amend\r\nx")
    assert (commit.author_name, commit.subject) == ("Kofi root@xparent 0000", "--amend x")


def test_limits_are_said(world: World, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(world.admin, repo)
    monkeypatch.setattr(checkouts, "FILE_BYTES", 10)
    with pytest.raises(TooLarge):
        desk.save("big", "x" * 11)
    monkeypatch.setattr(checkouts, "CHECKOUT_BYTES", 15)
    desk.save("one", "x" * 10)
    with pytest.raises(TooLarge):
        desk.save("two", "x" * 10)
    desk.save("one", "y" * 10)
    monkeypatch.setattr(checkouts, "CHECKOUT_DRAFTS", 1)
    with pytest.raises(TooLarge):
        desk.save("three", "x")


def test_readers_have_no_checkout(world: World, repo: Repo) -> None:
    mia = a_person(world, "mia@example.com", level=Level.VIEW, on=repo.resource)
    with pytest.raises(Forbidden):
        operations.open_checkout(actor=mia, repo=repo)


def test_large_notebook_outputs_are_cleared_when_asked(world: World, repo: Repo) -> None:
    desk = Desk(world.admin, repo)
    outputs = [{"output_type": "stream", "text": "x" * (1 << 20)}, {"output_type": "stream", "text": "small"}]
    cell = {"cell_type": "code", "id": "a", "source": "1", "outputs": outputs}
    desk.save("look.ipynb", json.dumps({"nbformat": 4, "cells": [cell]}))
    commit = desk.do("commit_drafts", message="Look", clear_outputs=True)
    kept = json.loads(repo.git.file(commit.sha, "look.ipynb").text)
    assert [out["text"] for out in kept["cells"][0]["outputs"]] == ["small"] and not desk.here.drafts


def test_what_a_killed_process_left_is_swept(world: World, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(world.admin, repo)
    draft = desk.save("a", "kept")
    left = contents.write(desk.checkout, b"left")
    assert contents.sweep(desk.checkout) == 0
    monkeypatch.setattr(contents, "LEFTOVER_SECONDS", -60)
    assert contents.sweep(desk.checkout) == 1
    assert (
        draft is not None and contents.read(draft, 10) == b"kept" and not contents._path(desk.checkout, left).exists()
    )
    assert Push.objects.count() == 0
