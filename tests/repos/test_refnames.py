"""The grammar of refs and paths, against what git itself accepts and what attackers send."""

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.foundation.errors import Invalid
from apps.repos import refnames

HOSTILE_REFS = [
    "", "-", "--output=/tmp/x", "-x", "a..b", "a b", "a\nb", "a\x00b", "a~1", "a^", "a:b", "a?b", "a*", "a[b", "a\\b", "@", "a@{1}",
    "/a", "a/", "a//b", ".a", "a/.b", "a.lock", "a/b.lock/c", "a.", "x" * 300, "\ud800", "a\x7f",
]  # fmt: skip
HOSTILE_PATHS = [
    "..", "../x", "a/../b", "./a", "/etc/passwd", "a//b", "a\x00b", ".git/config", "a/.GIT/hooks/x", "a/.git ", "GIT~1/x", ".git./x", "\udcff", "a/" * 3000,
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE_REFS)
def test_hostile_refs_are_refused(name):
    assert not refnames.is_ref_name(name)
    assert not refnames.is_pushable(f"refs/heads/{name}")
    with pytest.raises(Invalid):
        refnames.require_ref_name(name)


@pytest.mark.parametrize("path", HOSTILE_PATHS)
def test_hostile_paths_are_refused(path):
    with pytest.raises(Invalid):
        refnames.require_path(path)


@pytest.mark.parametrize(
    "name",
    ["main", "feature/x-1", "v1.2", "ana@home", "größe", "a+b", "dependabot/pip/x==1"],
)
def test_ordinary_names_are_taken(name):
    assert refnames.is_ref_name(name) and refnames.is_pushable(f"refs/tags/{name}")


@pytest.mark.parametrize(
    "ref",
    [
        "refs/boathouse/keep/x",
        "refs/notes/x",
        "HEAD",
        "heads/main",
        "refs/heads",
        "refs/pull/1/head",
    ],
)
def test_only_branches_and_tags_are_pushable(ref):
    assert not refnames.is_pushable(ref)


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="ab/.-@{~^: \\*lock\n\tü", min_size=1, max_size=12))
def test_whatever_we_take_git_takes(name):
    if refnames.is_ref_name(name):
        assert (
            subprocess.run(
                ["git", "check-ref-format", f"refs/heads/{name}"], capture_output=True, check=False
            ).returncode
            == 0
        )
