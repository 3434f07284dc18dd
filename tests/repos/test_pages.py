"""Pages of repositories: what was pushed is there to read, at any commit, and hostile content stays text."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from apps.access.levels import Level
from apps.access.resources import root_resource
from apps.repos import operations
from apps.repos.models import Repo
from tests.builders import World, a_folder, a_person

from .gitclient import working_copy

NASTY = "<script>alert(1)</script>"


@pytest.fixture
def repo(world: World, tmp_path: Any) -> Repo:
    folder = a_folder(world.admin, "flight-delays")
    repo = operations.create_repo(actor=world.admin, parent=folder, name="flight-delays")
    copy = working_copy(tmp_path / "copy")
    copy.commit("Start", {"train.py": "a = 1\nb = 2\n", "README.md": f"# Hello\n\n{NASTY} [x](javascript:alert(1))\n"})
    copy.commit(
        f"Weight {NASTY}",
        {"train.py": "a = 1\nb = 20\n", "features/rain.sql": f"select '{NASTY}'\n", "logo.bin": b"\0\1"},
    )
    copy.git("branch", "other", "HEAD~1")
    copy.git("push", "--quiet", str(repo.git.path), "main", "other")
    return repo


@pytest.fixture
def ada(world: World) -> Client:
    client = Client()
    client.force_login(world.admin.user)
    return client


def test_files_commits_and_differences(repo: Repo, ada: Client) -> None:
    here = f"/w/ours/repos/{repo.pk}"
    top = ada.get(here).content.decode()
    assert "train.py" in top and "<h2>Hello</h2>" in top
    assert "b" in ada.get(f"{here}?path=train.py").content.decode()
    assert 'id="L2"' in ada.get(f"{here}?path=train.py&ref=other").content.decode()
    assert "Not text" in ada.get(f"{here}?path=logo.bin").content.decode()
    commits = ada.get(f"{here}/commits").content.decode()
    assert "Start" in commits and '<span class="addw"><span class="tok-number">20</span></span>' in commits
    compared = ada.get(f"{here}/compare?base=other&head=main").content.decode()
    assert "features/rain.sql" in compared and "added" in compared
    branches = ada.get(f"{here}/branches").content.decode()
    assert "other" in branches
    assert ada.get(f"{here}?path=nothing/here").status_code == 404
    assert ada.get(f"{here}?ref=--upload-pack=x").status_code in (404, 422)
    assert ada.get(f"{here}?path=../../etc/passwd").status_code in (404, 422)


@pytest.mark.parametrize(
    "place",
    ["", "?path=README.md", "?path=features/rain.sql", "/commits", "/compare?base=other&head=main", "/branches"],
)
def test_what_was_pushed_stays_text(repo: Repo, ada: Client, place: str) -> None:
    page = ada.get(f"/w/ours/repos/{repo.pk}{place}").content.decode()
    assert "<script>alert" not in page and 'href="javascript:' not in page


def test_a_repo_goes_by_its_path(repo: Repo, ada: Client) -> None:
    answer = ada.get("/w/ours/repos/flight-delays/flight-delays")
    assert answer.headers["Location"] == f"/w/ours/repos/{repo.pk}"
    assert ada.get("/w/ours/repos/flight-delays/nothing").status_code == 404


def test_a_file_is_a_download_never_a_page(repo: Repo, ada: Client) -> None:
    answer = ada.get(f"/w/ours/repos/{repo.pk}/raw?path=README.md")
    assert (
        answer["Content-Disposition"].startswith("attachment") and answer["Content-Type"] == "application/octet-stream"
    )


def test_make_branch_and_repo_by_form(world: World, repo: Repo, ada: Client) -> None:
    here = f"/w/ours/repos/{repo.pk}"
    ada.post(f"{here}/branches", {"act": "create", "name": "summer", "ref": "main"})
    assert "summer" in repo.git.refs()
    assert ada.post(f"{here}/branches", {"act": "create", "name": "bad..name", "ref": "main"}).status_code == 422
    tip = repo.git.refs()["summer"]
    ada.post(f"{here}/branches", {"act": "delete", "name": "summer", "commit": tip})
    assert "summer" not in repo.git.refs()
    made = ada.post("/w/ours/repos", {"name": "second", "folder": "/flight-delays"})
    assert made.status_code == 303 and "git push boathouse main" in ada.get(made.headers["Location"]).content.decode()
    wrong = ada.post("/w/ours/repos", {"name": "third", "folder": "/nowhere"})
    assert wrong.status_code == 422 and "f-folder-err" in wrong.content.decode()


def test_readers_read_and_change_nothing(world: World, repo: Repo) -> None:
    mia = a_person(world, "mia@example.com", level=Level.VIEW, on=repo.resource)
    client = Client()
    client.force_login(mia.user)
    here = f"/w/ours/repos/{repo.pk}"
    assert client.get(here).status_code == 200 and "New branch" not in client.get(f"{here}/branches").content.decode()
    assert client.post(f"{here}/branches", {"act": "create", "name": "mine", "ref": "main"}).status_code == 403
    assert client.post(f"{here}/settings", {"branch": "other"}).status_code == 403
    outsider = Client()
    outsider.force_login(a_person(world, "noa@example.com").user)
    assert [
        outsider.get(f"{here}{place}").status_code for place in ("", "/commits", "/branches", "/raw?path=train.py")
    ] == [404] * 4
    assert str(repo.pk) not in outsider.get("/w/ours/repos").content.decode()
    assert root_resource().deleted_at is None
