"""The engine against real repositories: reading, differences, export, and what a hostile history cannot do."""

import os
import subprocess
import tarfile
import time

import pytest

from apps.foundation.errors import Conflict, Invalid, NotFound, Unavailable
from apps.repos import git
from apps.repos.diffs import side_by_side
from apps.repos.git import process

from .gitclient import working_copy
from .test_refnames import HOSTILE_PATHS, HOSTILE_REFS


@pytest.fixture
def bare(tmp_path):
    return git.Repository.create(tmp_path / "store" / "repo.git")


@pytest.fixture
def copy(tmp_path, bare):
    copy = working_copy(tmp_path / "copy")
    copy.git("remote", "add", "origin", str(bare.path))
    return copy


@pytest.fixture
def story(copy):
    """Three commits on main, one on a branch, a tag; what each did is in the tests."""
    first = copy.commit(
        "Start",
        {
            "train.py": "a = 1\nb = 2\nc = 3\n",
            "features/rain.sql": "select 1\n",
            "logo.bin": b"\x00\x01" * 50,
        },
    )
    second = copy.commit(
        "Weight summer months\n\nBecause rain.",
        {"train.py": "a = 1\nb = 20\nc = 3\nd = 4\n"},
    )
    copy.git("tag", "-m", "Release one", "v1")
    copy.git("mv", "features/rain.sql", "features/weather.sql")
    third = copy.commit("Rename", {'odd "name"\n.txt': "x\n"})
    copy.git("branch", "other", first)
    copy.git("push", "--quiet", "--tags", "origin", "main", "other")
    return first, second, third


def test_names_lead_to_commits(bare, story):
    first, second, third = story
    assert bare.refs() == {"main": third, "other": first}
    assert (
        bare.resolve("main")
        == bare.resolve("refs/heads/main")
        == bare.resolve(third)
        == bare.resolve(third[:9])
        == third
    )
    assert bare.resolve("v1") == second
    (tag,) = bare.describe_refs(["v1"], "tags")
    assert (tag.commit, tag.subject, tag.author) == (
        second,
        "Weight summer months",
        "Ines",
    )
    assert [ref.name for ref in bare.describe_refs(["main", "other", "gone"])] == [
        "main",
        "other",
    ]
    assert bare.ahead_behind(first, third) == (2, 0)
    assert bare.merge_base(first, third) == first
    with pytest.raises(NotFound):
        bare.resolve("nowhere")


def test_a_branch_named_like_a_commit_does_not_shadow_it(bare, copy, story):
    first, _, third = story
    copy.git("push", "--quiet", "origin", f"{first}:refs/heads/{third}")
    assert bare.resolve(third) == third
    assert bare.resolve(f"refs/heads/{third}") == first


def test_history_is_paged_and_follows_a_path(bare, story):
    first, second, third = story
    assert [c.sha for c in bare.history(third, size=2)] == [third, second]
    assert [c.sha for c in bare.history(third, skip=2, size=2)] == [first]
    assert [c.sha for c in bare.history(third, path="train.py")] == [second, first]
    assert bare.commit_count(third) == 3
    commit = bare.commit(second)
    assert (commit.subject, commit.body, commit.parents, commit.author_name) == (
        "Weight summer months",
        "Because rain.",
        (first,),
        "Ines",
    )
    assert commit.authored_at.tzinfo is not None


def test_tree_and_files_at_any_commit(bare, story):
    first, _, third = story
    assert [(e.path, e.kind) for e in bare.tree(first)] == [
        ("features", "folder"),
        ("logo.bin", "file"),
        ("train.py", "file"),
    ]
    assert [e.path for e in bare.tree(third, "features")] == ["features/weather.sql"]
    assert bare.file(first, "train.py").text == "a = 1\nb = 2\nc = 3\n"
    assert bare.file(third, "logo.bin").is_binary
    cut = bare.file(third, "train.py", limit=5)
    assert cut.is_cut and cut.text == "a = 1"
    assert b"".join(bare.content(bare.entry(third, "logo.bin"))) == b"\x00\x01" * 50
    assert {name: c.sha for name, c in bare.last_changes(third).items()} == {
        'odd "name"\n.txt': third, "features": third, "train.py": story[1], "logo.bin": first,
    }  # fmt: skip
    for path in ("nothing", "train.py/x", "features/rain.sql"):
        with pytest.raises(NotFound):
            bare.entry(third, path)
    with pytest.raises(Invalid):
        bare.file(third, "features")


def test_diff_has_files_hunks_and_sides(bare, story):
    first, second, third = story
    diff = bare.diff(first, third)
    assert [(f.status, f.path, f.additions, f.deletions) for f in diff.files] == [
        ("renamed", "features/weather.sql", 0, 0), ("added", 'odd "name"\n.txt', 1, 0), ("changed", "train.py", 2, 1),
    ]  # fmt: skip
    assert diff.files[0].old_path == "features/rain.sql"
    rows = side_by_side(diff.files[2].hunks[0])
    assert [(old.kind, old.number, old.text, new.kind, new.number, new.text) for old, new in rows] == [
        ("same", 1, "a = 1", "same", 1, "a = 1"),
        ("del", 2, "b = 2", "add", 2, "b = 20"),
        ("same", 3, "c = 3", "same", 3, "c = 3"),
        ("void", None, "", "add", 4, "d = 4"),
    ]
    assert rows[1][0].marks == ((4, 5),) and rows[1][1].marks == ((4, 6),)
    whole = bare.diff("", first)
    assert [f.status for f in whole.files] == ["added"] * 3
    assert whole.files[1].path == "logo.bin" and whole.files[1].is_binary and not whole.files[1].hunks
    assert [f.path for f in bare.diff(first, second, path="train.py").files] == ["train.py"]


def test_a_file_that_becomes_a_link_keeps_the_rest_in_order(bare, copy, story):
    (copy.folder / "logo.bin").unlink()
    os.symlink("train.py", copy.folder / "logo.bin")
    sha = copy.commit("Link", {"zz.txt": "last\n", "train.py": "a = 1\n"})
    copy.git("push", "--quiet", "origin", "main")
    files = {f.path: f for f in bare.diff(story[2], sha).files}
    assert [line.text for line in files["zz.txt"].hunks[0].lines] == ["last"]
    assert files["train.py"].deletions == 3


def test_a_huge_diff_is_cut_and_says_so(bare, copy, story):
    sha = copy.commit(
        "Big",
        {f"many/{n:04}.txt": f"{n}\n" for n in range(400)} | {"long.txt": "x" * 5000 + "\n" + "y\n" * 5000},
    )
    copy.git("push", "--quiet", "origin", "main")
    diff = bare.diff(story[2], sha)
    assert diff.is_cut and diff.file_count == 401 and len(diff.files) == 300
    assert len(diff.files[0].hunks[0].lines) == 3000 and len(diff.files[0].hunks[0].lines[0].text) == 2000


@pytest.mark.parametrize("name", [*HOSTILE_REFS, "--upload-pack=touch /tmp/owned", "$SECRET_KEY"])
def test_hostile_refs_reach_no_git(bare, story, name):
    for call in (
        bare.resolve,
        lambda n: bare.describe_refs([n]),
        lambda n: bare.delete_branch(n, story[0]),
        bare.set_default_branch,
    ):
        try:
            call(name)
        except (Invalid, NotFound, Conflict):
            continue
        assert name == "$SECRET_KEY"  # an ordinary name for git: nothing expands it
    for call in (
        bare.commit,
        bare.history,
        bare.tree,
        lambda s: bare.diff(story[0], s),
        lambda s: bare.create_branch("ok", s),
    ):
        with pytest.raises(Invalid):
            call(name)


@pytest.mark.parametrize(
    "path",
    [p for p in [*HOSTILE_PATHS, "-rf", "--output=/tmp/x", ":(glob)**", ":/", "*.py"] if p],
)
def test_hostile_paths_find_nothing(bare, story, path):
    for call in (bare.entry, bare.tree, bare.file):
        with pytest.raises((Invalid, NotFound)):
            call(story[2], path)
    try:
        assert bare.history(story[2], path=path) == [] and bare.diff(story[0], story[2], path=path).files == []
    except Invalid:
        assert path in HOSTILE_PATHS


def test_branches_are_made_kept_and_removed_only_where_they_stood(bare, copy, story):
    first, _, third = story
    bare.create_branch("new", third)
    with pytest.raises(Conflict):
        bare.create_branch("new", first)
    with pytest.raises(Conflict):
        bare.delete_branch("new", first)
    bare.keep(third)
    bare.delete_branch("new", third)
    assert "new" not in bare.refs()
    bare.tidy()
    assert bare.commit(third)


def test_the_log_of_a_ref_remembers_each_move(bare, copy, story):
    *_, third = story
    later = copy.commit("Later", {"x": "1"})
    bare_env = git.environment(bare.path, GIT_ALLOW_PROTOCOL="file")
    subprocess.run(
        ["git", "push", "--quiet", "origin", "main"],
        cwd=copy.folder,
        env={**copy.env, **bare_env},
        check=True,
    )
    assert bare.reached("refs/heads/main", third, later)
    assert not bare.reached("refs/heads/main", later, third)
    assert bare.reached("refs/heads/gone", third, "0" * 40) and not bare.reached("refs/heads/main", later, "0" * 40)


def test_export_writes_files_and_leaves_out_what_leads_away(tmp_path, bare, copy, story):
    secret = tmp_path / "secret"
    secret.write_text("outside")
    for name, target in {
        "good": "train.py", "deep/up": "../train.py", "dir": "features", "absolute": str(secret), "escape": "../../secret",
        "chain": "dir/../train.py", "self": "self", "nowhere": "missing", "root": ".", "deep/back": "../..",
    }.items():  # fmt: skip
        (copy.folder / name).parent.mkdir(exist_ok=True)
        os.symlink(target, copy.folder / name)
    (copy.folder / "run.sh").write_text("#!/bin/sh\n")
    (copy.folder / "run.sh").chmod(0o755)
    sha = copy.commit(
        "Links",
        {
            "deep/file": "x",
            ".gitattributes": "* export-ignore filter=lfs export-subst\n",
            "v": "$Format:%H$",
        },
    )
    copy.git("push", "--quiet", "origin", "main")
    target = tmp_path / "out"
    done = git.export(bare, sha, target)
    assert {path for path, _ in done.left_out} == {
        "absolute",
        "escape",
        "chain",
        "self",
        "nowhere",
        "deep/back",
    }
    assert (target / "v").read_text() == "$Format:%H$"
    assert (target / "deep/up").read_text() == (target / "good").read_text() == "a = 1\nb = 20\nc = 3\nd = 4\n"
    assert os.access(target / "run.sh", os.X_OK) and not os.access(target / "train.py", os.X_OK)
    for path in target.rglob("*"):
        assert path.resolve().is_relative_to(target.resolve())
    tar = tmp_path / "source.tar"
    assert git.export_tar(bare, sha, tar) == done
    (tmp_path / "unpacked").mkdir()
    with tarfile.open(tar) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    assert listing(tmp_path / "unpacked") == listing(target)
    with pytest.raises(Invalid):
        git.export(bare, sha, tmp_path / "small", max_bytes=10)
    with pytest.raises(Invalid):
        git.export(bare, sha, target)  # never over what is there


def listing(folder):
    """Every file with its content, mode and target, for comparing two folders."""
    found = {}
    for path in sorted(folder.rglob("*")):
        kind = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        found[str(path.relative_to(folder))] = (kind, os.access(path, os.X_OK))
    return found


def test_a_submodule_is_not_followed(tmp_path, bare, copy, story):
    copy.git("update-index", "--add", "--cacheinfo", f"160000,{story[0]},vendor/thing")
    copy.git("commit", "--quiet", "-m", "Submodule")
    copy.git("push", "--quiet", "origin", "main")
    sha = bare.resolve("main")
    assert [(e.path, e.kind) for e in bare.tree(sha, "vendor")] == [("vendor/thing", "submodule")]
    assert git.export(bare, sha, tmp_path / "out").left_out == [("vendor/thing", "a submodule")]


def test_planted_configuration_does_not_run(tmp_path, bare, story, monkeypatch):
    mark = tmp_path / "owned"
    evil = tmp_path / "evil.sh"
    evil.write_text(f"#!/bin/sh\ntouch {mark}\n")
    evil.chmod(0o755)
    (tmp_path / "home").mkdir()
    (tmp_path / "home/.gitconfig").write_text(
        f"[core]\n fsmonitor = {evil}\n[diff]\n external = {evil}\n[pager]\n log = {evil}\n"
    )
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", str(evil))
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    bare.diff(story[0], story[2])
    bare.history(story[2])
    assert not mark.exists()


def test_time_and_output_are_limited(bare, story):
    with pytest.raises(git.OutputTooLarge):
        process.run(bare.path, "cat-file", "blob", f"{story[0]}:logo.bin", cap=10)
    began = time.monotonic()
    with pytest.raises(Unavailable):
        process.run(bare.path, "cat-file", "--batch", given=b"", seconds=0.0)
    assert time.monotonic() - began < 5


def test_tidying_removes_what_broken_pushes_left_and_nothing_younger(bare, story):
    old, young = (bare.path / "objects" / f"tmp_objdir-incoming-{name}" for name in ("old", "young"))
    lock = bare.path / "refs/heads/main.lock"
    for path in (old, young):
        path.mkdir()
        (path / "pack").write_text("half")
    lock.write_text("")
    for path in (old, lock):
        os.utime(path, (time.time() - 86_400,) * 2)
    bare.tidy()
    assert not old.exists() and young.exists() and not lock.exists() and bare.resolve("main") == story[2]
