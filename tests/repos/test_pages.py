"""Pages of repositories: what was pushed is there to read, at any commit, and hostile content stays text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.access.kinds import page_path
from apps.access.levels import Level
from apps.access.resources import root_resource
from apps.comments.operations import start_thread
from apps.repos import operations
from apps.repos.models import Repo
from tests.builders import World, a_folder, a_person

from .gitclient import working_copy
from .test_checkouts import Desk

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


def test_a_person_changes_files_and_commits_by_buttons(world: World, repo: Repo, ada: Client) -> None:
    here = f"/w/ours/repos/{repo.pk}"
    made = ada.post(f"{here}/create", {"folder": "conf", "name": "lgbm.yaml"})
    assert made.headers["Location"].endswith("?path=conf%2Flgbm.yaml&edit=1")
    assert "bh-editor" in ada.get(made.headers["Location"]).content.decode()
    desk = Desk(world.admin, repo)
    desk.save("train.py", f"a = 1\nb = 21\n# {NASTY}\n")
    ada.post(f"{here}/upload", {"folder": "", "files": SimpleUploadedFile("notes.txt", b"hello\n")})
    ada.post(f"{here}/rename", {"path": "features", "to": "sql"})
    ada.post(f"{here}/remove", {"path": "logo.bin"})
    top = ada.get(here).content.decode()
    assert 'title="Changed here, not committed">A</span>' in top and '<span class="count">5</span>' in top
    assert "Have it back" in ada.get(f"{here}?path=logo.bin").content.decode()
    dialog = ada.get(f"{here}/commit").content.decode()
    assert '<span class="addw"><span class="tok-number">21</span></span>' in dialog and "<script>alert" not in dialog
    assert "was features/rain.sql" in dialog or "sql/rain.sql" in dialog
    ada.post(f"{here}/discard", {"path": "logo.bin"})
    assert "logo.bin" not in desk.here.drafts
    empty = ada.post(f"{here}/commit", {"message": "", "paths": ["train.py"]}, headers={"HX-Request": "true"})
    assert empty.status_code == 422
    ada.post(f"{here}/commit", {"message": "Change", "paths": ["train.py", "notes.txt"], "push": "1"})
    tip = repo.git.commit(repo.git.refs()["main"])
    assert tip.subject == "Change" and repo.git.file(tip.sha, "notes.txt").text == "hello\n"
    assert sorted(desk.here.drafts) == ["features/rain.sql", "sql/rain.sql"]
    menu = ada.get(f"{here}/branch-menu").content.decode()
    assert "other" in menu and "Keep them here" in menu
    ada.post(f"{here}/switch", {"branch": "mine", "create": "1"})
    assert desk.here.branch == "mine" and "Only in your checkout" in ada.get(f"{here}/branches").content.decode()


def test_tree_find_blame_and_graph(repo: Repo, ada: Client) -> None:
    here = f"/w/ours/repos/{repo.pk}"
    assert (
        "rain.sql" not in ada.get(here).content.decode()
        and "rain.sql" in ada.get(f"{here}/tree?path=features").content.decode()
    )
    assert "features/rain.sql" in ada.get(f"{here}/find?q=rain").content.decode()
    assert "No file has that" in ada.get(f"{here}/find?q=zzz").content.decode()
    blamed = ada.get(f"{here}?path=train.py&blame=1").content.decode()
    assert blamed.count('class="who"') == 2 and "<script>alert" not in blamed
    assert 'class="glanes"' in ada.get(f"{here}/commits").content.decode()
    found = ada.get(f"{here}/commits?q=path:README.md").content.decode()
    assert (
        "Start" in found and found.count("aria-current") < ada.get(f"{here}/commits").content.decode().count("<li") + 9
    )
    assert "No commit fits" in ada.get(f"{here}/commits?q=author:nobody").content.decode()


def test_notebooks_are_compared_cell_by_cell(world: World, repo: Repo, ada: Client) -> None:
    def book(source: str, *more: str) -> str:
        outputs = [{"output_type": "stream", "text": f"{NASTY} of {source}"}, {"data": {"image/png": "iVBORw0KGgo="}}]
        cells = [{"cell_type": "code", "id": "a", "source": source, "outputs": outputs}]
        cells += [{"cell_type": "markdown", "id": text, "source": text} for text in more]
        return json.dumps({"nbformat": 4, "cells": cells, "metadata": {"language_info": {"name": "python"}}})

    desk = Desk(world.admin, repo)
    desk.save("look.ipynb", book("plot(1)"))
    desk.do("commit_drafts", message="Look")
    desk.save("look.ipynb", book("plot(2)", f"**June** {NASTY}"))
    page = ada.get(f"/w/ours/repos/{repo.pk}/commit").content.decode()
    assert "1 cell changed, 1 added" in page and "Output before" in page and "<strong>June</strong>" in page
    assert "<script>alert" not in page and "data:image/png;base64,iVBORw0KGgo=" in page
    desk.save("look.ipynb", "{ not json")
    assert "look.ipynb" in ada.get(f"/w/ours/repos/{repo.pk}/commit").content.decode()


def test_a_line_of_a_commit_is_talked_about(world: World, repo: Repo, ada: Client) -> None:
    here, sha = f"/w/ours/repos/{repo.pk}", repo.git.refs()["main"]
    line = ada.get(f"{here}/line?commit={sha}&path=train.py&n=%2B:2&quote=b").content.decode()
    assert f"diff:{sha}:train.py:+2" in line and "<textarea" in line
    place = f"diff:{sha}:train.py:+2"
    start_thread(actor=world.admin, resource=repo.resource, path=place, text="Why twenty?")
    commits = ada.get(f"{here}/commits?commit={sha}").content.decode()
    assert '"train.py:+2": 1' in commits and 'data-line="+:2"' in commits
    assert page_path(repo.resource, place) == f"repos/{repo.pk}/commits?commit={sha}&at=train.py%3A%2B2"
    for bad in (
        f"commit={sha}&path=train.py&n=2",
        f"commit={sha}&path=../x&n=%2B:2",
        "commit=main&path=train.py&n=%2B:2",
    ):
        assert ada.get(f"{here}/line?{bad}").status_code == 422
