"""The git client's door, with the real client: who may, what is recorded, what is refused, and what a broken push leaves."""

from __future__ import annotations

import base64
import gzip
import http.client
import os
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from apps.access import operations as access
from apps.access.levels import Level
from apps.access.models import AuditEntry
from apps.access.scope import workspace_scope
from apps.lineage.models import LineageEdge
from apps.repos import pushes
from apps.repos.models import Push
from tests.builders import World, a_person, a_side, an_api
from tests.repos.gitclient import GitError, WorkingCopy
from tests.repos.making import a_repo, fill


@pytest.fixture
def sides(committed, drain):
    ours, theirs = (a_side(name, "ada@example.com") for name in ("ours", "theirs"))
    return World(ours, theirs)


@pytest.fixture
def repo(sides):
    with workspace_scope(sides.ours.workspace):
        made = a_repo(sides.admin)
        made.first, _ = fill(made)
    with workspace_scope(sides.theirs.workspace):
        fill(a_repo(sides.theirs.admin), {"secret.txt": "theirs\n"})
    return made


def url(live_url: str, token: str = "", workspace: str = "ours", path: str = "flight-delays") -> str:
    login = f"ada:{token}@" if token else ""
    return live_url.replace("://", f"://{login}") + f"/git/{workspace}/{path}.git"


def clone(tmp_path: Path, address: str, name: str = "clone") -> WorkingCopy:
    WorkingCopy(tmp_path).git("clone", "--quiet", address, name)
    return WorkingCopy(tmp_path / name)


def test_clone_push_fetch_and_what_is_recorded(tmp_path, live_url, sides, repo):
    address = url(live_url, sides.api.token)
    copy = clone(tmp_path, address)
    assert (copy.folder / "train.py").read_text() == "print('trained')\n"
    second = copy.commit("Second", {"train.py": "print(2)\n", "big.bin": os.urandom(3_000_000)})
    copy.git("tag", "v1")
    copy.git("push", "--quiet", "origin", "main", "v1", "HEAD:refs/heads/feature/rain")
    other = clone(tmp_path, address, "other")
    assert other.git("rev-parse", "HEAD", "v1", "origin/feature/rain").split() == [second] * 3
    copy.git("push", "--quiet", "origin", "--delete", "feature/rain")
    with workspace_scope(sides.ours.workspace):
        first, last = Push.objects.order_by("started_at")
        assert {m["ref"]: m["new"] for m in first.moved} == dict.fromkeys(
            ["refs/heads/main", "refs/tags/v1", "refs/heads/feature/rain"], second
        )
        assert last.moved == [{"ref": "refs/heads/feature/rain", "old": second, "new": "0" * 40}] and last.settled_at
        moved = AuditEntry.objects.filter(verb="repos.refs_moved").order_by("id")
        assert [e.actor_label for e in moved] == ["ada@example.com"] * 2
        assert moved[0].before["refs/heads/main"] == repo.first and moved[0].after["refs/heads/main"] == second
        edge = LineageEdge.objects.select_related("source", "target").get()
        assert (edge.source.kind, edge.target.kind, edge.target.key) == ("person", "commit", f"{repo.pk}:{second}")


def test_levels_decide_and_what_is_hidden_is_absent(tmp_path, live_url, sides, repo):
    with workspace_scope(sides.ours.workspace):
        ben = a_person(sides, "ben@example.com")
        token = an_api(ben).token
        read_only = an_api(sides.admin, scopes=["read"]).token
        revoked = an_api(sides.admin, expires_at="2020-01-01T00:00:00Z").token
    address = url(live_url, token)
    answers = {
        "no level": ask(live_url, token),
        "absent": ask(live_url, token, path="nothing"),
        "neighbour's, as a stranger": ask(live_url, token, workspace="theirs"),
        "no such workspace": ask(live_url, token, workspace="nowhere"),
        "neighbour's admin": ask(live_url, sides.theirs.api.token),
    }
    assert len({(a.status, a.read(), a.getheader("content-type")) for a in answers.values()}) == 1, answers
    assert answers["absent"].status == 404
    for one in (
        ask(live_url, ""),
        ask(live_url, "bh_wrong"),
        ask(live_url, revoked),
        ask(live_url, "", path="nothing"),
    ):
        assert one.status == 401 and one.getheader("www-authenticate").startswith("Basic")

    share(sides, repo, ben, Level.DISCOVER)
    assert ask(live_url, token).status == 403
    share(sides, repo, ben, Level.VIEW)
    copy = clone(tmp_path, address)
    copy.commit("Mine", {"x": "1"})
    with pytest.raises(GitError, match="403"):
        copy.git("push", "origin", "main")
    share(sides, repo, ben, Level.EDIT)
    copy.git("push", "--quiet", "origin", "main")
    copy.git("remote", "set-url", "origin", url(live_url, read_only))
    copy.git("fetch", "--quiet")
    copy.commit("More", {"x": "2"})
    with pytest.raises(GitError, match="403"):
        copy.git("push", "origin", "main")
    with workspace_scope(sides.ours.workspace):
        assert AuditEntry.objects.filter(outcome="refused", verb="git push").count() >= 2


def share(sides, repo, person, level):
    with workspace_scope(sides.ours.workspace):
        access.share(actor=sides.admin, resource=repo.resource, grantee=person.user, level=level)


def ask(
    live_url,
    token,
    *,
    workspace="ours",
    path="flight-delays",
    tail="info/refs?service=git-upload-pack",
    method="GET",
    body=None,
    **headers,
):
    """A raw request to the door."""
    connection = http.client.HTTPConnection(urlsplit(live_url).netloc, timeout=20)
    if token:
        headers["Authorization"] = "Basic " + base64.b64encode(f"any:{token}".encode()).decode()
    connection.request(
        method,
        f"/git/{workspace}/{path}.git/{tail}",
        body=body,
        headers={k.replace("_", "-"): v for k, v in headers.items()},
    )
    return connection.getresponse()


@pytest.mark.parametrize(
    "tail",
    [
        "HEAD", "config", "objects/info/packs", "info/refs", "info/refs?service=git-upload-archive", "info/refs?service=git-shell",
        "info/../config", "git-upload-pack", "info/refs?service=git-upload-pack%00", "../flight-delays.git/config", "%2e%2e/config",
        "info%2frefs%3fservice=git-upload-pack", "info/refs?a=1&b=1&c=1&d=1&e=1&f=1&service=git-upload-pack",
        "hooks/post-receive", "objects/00/00000000000000000000000000000000000000",
    ],
)  # fmt: skip
def test_only_the_smart_protocol_has_addresses(live_url, sides, repo, tail):
    assert ask(live_url, sides.api.token, tail=tail).status == 404


def test_refs_that_are_ours_or_odd_are_refused_in_gits_own_words(tmp_path, live_url, sides, repo):
    copy = clone(tmp_path, url(live_url, sides.api.token))
    for ref in ("refs/boathouse/keep/x", "refs/notes/x", "refs/heads/-x", "refs/pull/1/head"):
        with pytest.raises(GitError, match="not a name that may be pushed"):
            copy.git("push", "origin", f"HEAD:{ref}")
    repo.git.keep(repo.first)
    assert "boathouse" not in copy.git("ls-remote", "origin")
    with pytest.raises(GitError, match="remote rejected|refusing"):
        copy.git("push", "origin", "--delete", "main")


def test_a_malformed_history_is_refused(tmp_path, live_url, sides, repo):
    copy = clone(tmp_path, url(live_url, sides.api.token))
    blob = copy.git("hash-object", "-w", "train.py")
    tree = copy.folder / "tree"
    tree.write_bytes(b"100644 .git\x00" + bytes.fromhex(blob))
    bad = copy.git("hash-object", "-t", "tree", "-w", "--literally", str(tree))
    commit = copy.git("commit-tree", bad, "-m", "evil")
    with pytest.raises(GitError, match="hasDotgit|fsck"):
        copy.git("push", "origin", f"{commit}:refs/heads/evil")
    assert "evil" not in repo.git.refs()
    with workspace_scope(sides.ours.workspace):
        assert Push.objects.get().moved == []


def test_bodies_are_checked_inflated_and_bounded(live_url, sides, repo, monkeypatch):
    token, kind = sides.api.token, "application/x-git-upload-pack-request"
    want = f"0032want {repo.first}\n".encode() + b"00000009done\n"
    plain = {"tail": "git-upload-pack", "method": "POST", "content_type": kind}
    answer = ask(live_url, token, body=want, **plain)
    assert answer.status == 200 and b"PACK" in answer.read()
    packed = ask(live_url, token, body=gzip.compress(want), content_encoding="gzip", **plain)
    assert packed.status == 200 and b"PACK" in packed.read()
    assert ask(live_url, token, body=b"not gzip", content_encoding="gzip", **plain).status == 422
    assert ask(live_url, token, body=want, content_encoding="br", **plain).status == 422
    assert ask(live_url, token, body=want, **{**plain, "content_type": "text/plain"}).status == 422
    monkeypatch.setattr("apps.repos.git.FETCH_REQUEST_BYTES", 1 << 20)
    bomb = gzip.compress(b"0032want " + repo.first.encode() + b"\n" + b"0000" + b"0009done\n" * (4 << 20))
    assert len(bomb) < 1 << 20 and ask(live_url, token, body=bomb, content_encoding="gzip", **plain).status == 413


def test_a_push_over_the_limit_changes_nothing(tmp_path, live_url, sides, repo, monkeypatch):
    copy = clone(tmp_path, url(live_url, sides.api.token))
    copy.commit("Big", {"big.bin": os.urandom(3_000_000)})
    monkeypatch.setattr("apps.repos.git.PUSH_BYTES", 1 << 20)
    with pytest.raises(GitError):
        copy.git("push", "origin", "main")
    assert repo.git.refs() == {"main": repo.first}


def test_a_push_that_breaks_off_leaves_nothing_and_git_ends(live_url, sides, repo):
    token = base64.b64encode(f"a:{sides.api.token}".encode()).decode()
    place = urlsplit(live_url)
    command = f"{repo.first} {'1' * 40} refs/heads/main\x00 report-status".encode()
    head = f"{len(command) + 4:04x}".encode() + command + b"0000" + b"PACK\x00\x00\x00\x02\x00\x00\x00\x05"
    with socket.create_connection((place.hostname, place.port)) as line:
        line.sendall(
            b"POST /git/ours/flight-delays.git/git-receive-pack HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n"
            + f"Authorization: Basic {token}\r\n".encode()
            + b"Content-Type: application/x-git-receive-pack-request\r\n\r\n" + head
        )  # fmt: skip
        wait_for(lambda: running(repo), "git to start")
    wait_for(lambda: not running(repo), "git to end")
    assert repo.git.refs() == {"main": repo.first}
    assert not list(repo.git.path.rglob("*.lock"))
    with workspace_scope(sides.ours.workspace):
        wait_for(lambda: Push.objects.get().settled_at, "the push to be settled")
        assert Push.objects.get().moved == []


def test_a_push_in_pieces_of_one_byte_is_read_a_few_times(live_url, sides, repo, monkeypatch):
    read, times = pushes.read_wish, []
    monkeypatch.setattr("apps.repos.http.pushes.read_wish", lambda body: times.append(len(body)) or read(body))
    lines = [f"{'0' * 40} {'1' * 40} refs/heads/b{n}" for n in range(100)]
    head = b"".join(f"{len(line) + 4:04x}{line}".encode() for line in lines) + b"0000"
    answer = ask(
        live_url,
        sides.api.token,
        tail="git-receive-pack",
        method="POST",
        body=(head[at : at + 1] for at in range(len(head))),
        content_type="application/x-git-receive-pack-request",
    )
    assert answer.status in (200, 422) and len(times) < 20 and max(times) >= len(head)


def running(repo) -> list[str]:
    mark = f"/{repo.pk}/".encode()
    return [p.name for p in Path("/proc").iterdir() if p.name.isdecimal() and reads(p / "environ", mark)]


def reads(path: Path, mark: bytes) -> bool:
    try:
        return mark in path.read_bytes()
    except OSError:
        return False


def wait_for(happened, what: str, seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until, f"waited {seconds} s for {what}"
        time.sleep(0.05)
