"""Repositories from elsewhere: fetched, pushed to, refused in words; no address inside the network, no redirect, no secret shown."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from apps.access import egress
from apps.access.levels import Level
from apps.access.models import AuditEntry
from apps.foundation.clock import now
from apps.foundation.errors import BoathouseError, Conflict, Forbidden, Invalid
from apps.repos import git, operations
from apps.repos.models import Remote, Repo, Sync
from apps.repos.operations import remotes
from apps.repos.tasks import resend_syncs, sync_repo
from tests.builders import World, a_person
from tests.repos.gitclient import WorkingCopy, working_copy
from tests.repos.githost import PASSWORD, USER, Host, git_host
from tests.repos.making import FILES
from tests.repos.test_checkouts import Desk


@pytest.fixture
def host(tmp_path: Path, settings: Any) -> Iterator[Host]:
    with git_host(tmp_path / "host") as host:
        settings.BOATHOUSE_EGRESS_ALLOW = (f"127.0.0.1:{host.port}",)
        yield host


@pytest.fixture
def theirs(host: Host, tmp_path: Path) -> WorkingCopy:
    """A clone of the repository over there, which has one commit on `trunk`."""
    bare = host.folder / "team" / "delays.git"
    git.Repository.create(bare, "trunk")
    copy = working_copy(tmp_path / "copy")
    copy.git("branch", "-m", "trunk")
    copy.commit("Start", FILES)
    copy.git("remote", "add", "origin", str(bare))
    copy.git("push", "--quiet", "origin", "trunk")
    return copy


def clone(world: World, host: Host, path: str = "/team/delays.git", **more: str) -> Repo:
    wish = {"username": USER, "password": PASSWORD, "name": "delays", **more}
    return operations.clone_repo(actor=world.admin, parent=world.root(), url=host.url + path, **wish)


def the_end(repo: Repo) -> Sync:
    """The newest transfer, run here as a worker runs it."""
    sync = Sync.objects.filter(repo=repo).order_by("-created_at", "-id")[0]
    if not sync.is_over:
        sync_repo.run(str(repo.workspace_id), str(sync.pk))
        sync.refresh_from_db()
    repo.refresh_from_db()
    return sync


def test_clone_fetch_and_push_back(world: World, host: Host, theirs: WorkingCopy) -> None:
    repo = clone(world, host)
    done = the_end(repo)
    assert (done.state, done.error) == ("succeeded", "") and repo.default_branch == "trunk"
    assert repo.git.refs() == {"trunk": theirs.git("rev-parse", "HEAD")}
    second = theirs.commit("Second", {"train.py": "print(2)\n"})
    theirs.git("push", "--quiet", "origin", "trunk", "trunk:side")
    desk = Desk(world.admin, repo)
    operations.fetch_remote(actor=world.admin, repo=repo)
    assert the_end(repo).state == "succeeded" and repo.git.refs()["side"] == second
    assert desk.here.behind == 1, "a fetch moves nobody's checkout"
    desk.do("pull")
    desk.save("README.md", "# From here\n")
    mine = desk.do("commit_drafts", message="From here")
    pushed = desk.do("push_branch")
    assert isinstance(pushed, Sync) and repo.git.refs()["trunk"] == second, "not before the other side has it"
    assert the_end(repo).state == "succeeded"
    assert repo.git.refs()["trunk"] == mine.sha == theirs.git("ls-remote", "origin", "refs/heads/trunk").split()[0]
    assert not desk.here.to_push
    # over there somebody was faster
    theirs.git("pull", "--quiet", "origin", "trunk")
    theirs.commit("Third", {"a.txt": "a"})
    theirs.git("push", "--quiet", "origin", "trunk")
    desk.save("b.txt", "b")
    kept = desk.do("commit_drafts", message="b")
    desk.do("push_branch")
    refused = the_end(repo)
    assert refused.state == "failed" and "Fetch, pull" in refused.error and desk.here.commit == kept.sha
    moved = AuditEntry.objects.filter(verb="repos.refs_moved")
    assert moved.count() == 3 and moved[0].actor_label == "ada@example.com"


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"password": "wrong"}, "refused this user name and password"),
        ({"username": "", "password": ""}, "needs a user name and a password"),
        ({"path": "/team/nothing.git"}, "There is no repository at this address"),
    ],
)
def test_each_failure_is_said(world: World, host: Host, theirs: WorkingCopy, wish: dict[str, str], words: str) -> None:
    repo = clone(world, host, **wish)
    ended = the_end(repo)
    assert ended.state == "failed" and words in ended.error and ended.ended_at is not None
    assert not repo.git.refs()


@pytest.mark.parametrize(
    ("manner", "words"),
    [("forbid", "does not let them"), ("nonsense", "not a git repository"), ("redirect", "another address")],
)
def test_an_odd_host_is_said(
    world: World, host: Host, theirs: WorkingCopy, manner: str, words: str, tmp_path: Path
) -> None:
    with git_host(tmp_path / "host") as canary:
        host.manner, host.to = manner, canary.url
        ended = the_end(clone(world, host))
        assert ended.state == "failed" and words in ended.error
        assert not canary.asked, "a redirect is never followed"


def test_credentials_are_changed_and_never_shown(world: World, host: Host, theirs: WorkingCopy, client: Client) -> None:
    repo = clone(world, host, password="wrong")
    assert the_end(repo).state == "failed"
    url = f"{host.url}/team/delays.git"
    operations.change_remote(actor=world.admin, repo=repo, url=url, username=USER, password=PASSWORD)
    assert the_end(repo).state == "succeeded"
    remote = Remote.objects.get(repo=repo)
    assert PASSWORD.encode() not in bytes(remote.password)
    shown = world.api.get(f"/api/v1/repos/{repo.pk}/remote")
    assert shown.json() == {
        "url": url,
        "username": USER,
        "has_password": True,
        "fetched_at": shown.json()["fetched_at"],
    }
    client.force_login(world.admin.user)
    for page in ("", "/settings", "/sync"):
        assert PASSWORD not in client.get(f"/w/ours/repos/{repo.pk}{page}").content.decode()
    assert not any(PASSWORD in f"{entry.before}{entry.after}" for entry in AuditEntry.objects.all())
    # a password belongs to its host: another address does not get it
    operations.change_remote(
        actor=world.admin, repo=repo, url="https://93.184.216.34/x/y.git", username=USER, password=None
    )
    assert Remote.objects.get(repo=repo).password is None
    kofi = a_person(world, "kofi@example.com", level=Level.EDIT, on=repo.resource)
    with pytest.raises(Forbidden):
        operations.change_remote(actor=kofi, repo=repo, url=url, username="", password="")


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "/etc/passwd", "ext::sh -c touch% /tmp/owned", "ssh://git@host/x.git", "git@github.com:a/b.git", "git://host/x",
        "--upload-pack=x", "https://-oProxy/x", "https://user:pw@host/x.git", "https://host", "https://host/a b", "https://host/x\nhost",
        "http://github.com/a/b.git", "https://host:99999/x", "https://host/x?service=y", "https://host/x#y", "https://[::1/x", "ftp://host/x",
    ],
)  # fmt: skip
def test_addresses_of_other_forms_are_refused(world: World, url: str) -> None:
    with pytest.raises(Invalid):
        operations.clone_repo(actor=world.admin, parent=world.root(), name="x", url=url)
    assert not Repo.objects.exists()


@pytest.mark.parametrize(
    "inner", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "192.168.0.1", "100.64.0.1", "0.0.0.0", "::1", "fe80::1", "fd00::1", "::ffff:127.0.0.1",
              "64:ff9b::7f00:1", "64:ff9b::a01:203", "2002:7f00:1::", "224.0.0.1", "::", "2001:0:0:0:0:0:80ff:fffe"],
)  # fmt: skip
def test_no_address_inside_the_network(inner: str, monkeypatch: pytest.MonkeyPatch) -> None:
    family = 10 if ":" in inner else 2
    answers = [(2, 1, 6, "", ("93.184.216.34", 443)), (family, 1, 6, "", (inner, 443))]
    monkeypatch.setattr("socket.getaddrinfo", lambda *a, **k: answers)
    with pytest.raises(Invalid, match="inside this network"):
        egress.resolve("rebind.example.com", 443)


def test_a_public_address_is_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.getaddrinfo", lambda *a, **k: [(2, 1, 6, "", ("93.184.216.34", 443))])
    target = git.remotes.pin(git.remotes.parse_url("https://git.example.com/a/b.git"))
    said = git.remotes._settings(target, "Authorization: Basic x", git.Repository(Path("/x")))
    values = {
        said[f"GIT_CONFIG_KEY_{n}"]: said[f"GIT_CONFIG_VALUE_{n}"] for n in range(100) if f"GIT_CONFIG_KEY_{n}" in said
    }
    assert (
        values["http.curloptResolve"] == "git.example.com:443:93.184.216.34"
        and values["http.followRedirects"] == "false"
    )
    assert said["GIT_ALLOW_PROTOCOL"] == "https" and egress.is_public("2606:4700::1111")


def test_one_transfer_at_a_time_taken_over_and_cancelled(
    world: World, host: Host, theirs: WorkingCopy, drain: Any
) -> None:
    repo = clone(world, host)
    with pytest.raises(Conflict, match="under way already"):
        operations.fetch_remote(actor=world.admin, repo=repo)
    sync = Sync.objects.get(repo=repo)
    first = remotes.claim(sync.pk)
    assert first is not None and remotes.claim(sync.pk) is None, "a message that comes twice does nothing"
    Sync.objects.filter(pk=sync.pk).update(seen_at=now() - timedelta(minutes=2))  # the worker died
    assert resend_syncs() == 1
    second = remotes.claim(sync.pk)
    assert second is not None and second.fence == 2
    assert not remotes.beat(first, "x", 1, "") and not remotes.is_held(first), "the dead one says nothing any more"
    operations.cancel_sync(actor=world.admin, repo=repo)
    assert not remotes.beat(second, "Receiving objects", 40, "")
    remotes.finish(second, Sync.State.CANCELED)
    with pytest.raises(Conflict):
        operations.cancel_sync(actor=world.admin, repo=repo)


def test_a_running_transfer_stops_when_it_is_told(host: Host, theirs: WorkingCopy, tmp_path: Path) -> None:
    host.manner = "slow"
    bare = git.Repository.create(tmp_path / "bare.git")
    beats = threading.Event()

    def beat(*_: Any) -> None:
        beats.set()
        raise git.remotes.Stopped

    target = git.remotes.pin(git.remotes.parse_url(f"{host.url}/team/delays.git"))
    began = now()
    with pytest.raises(git.remotes.Stopped):
        git.remotes.fetch(bare, target, "", git.remotes.Watch(beat))
    assert beats.is_set() and now() - began < timedelta(seconds=5) and not bare.refs()


def test_who_lost_the_right_gets_nothing_done(world: World, host: Host, theirs: WorkingCopy) -> None:
    repo = clone(world, host)
    the_end(repo)
    kofi = a_person(world, "kofi@example.com", level=Level.EDIT, on=repo.resource)
    operations.fetch_remote(actor=kofi, repo=repo)
    assert kofi.user is not None
    kofi.user.is_active = False
    kofi.user.save()
    asked = len(host.asked)
    assert "may not change" in the_end(repo).error and len(host.asked) == asked


def test_branches_of_another_place_are_not_moved_here(world: World, host: Host, theirs: WorkingCopy) -> None:
    repo = clone(world, host)
    the_end(repo)
    with pytest.raises(Conflict, match=r"live at 127\.0\.0\.1"):
        operations.create_branch(actor=world.admin, repo=repo, name="dev")
    with pytest.raises(BoathouseError):
        remotes.require_no_remote(repo)
