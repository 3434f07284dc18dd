"""Examples of repositories."""

from __future__ import annotations

from apps.access.levels import Level
from tests.builders import Side
from tests.isolation.kit import Example, Made
from tests.repos.making import a_repo, fill

V1 = "/api/v1"
MANAGE, EDIT, VIEW = Level.MANAGE, Level.EDIT, Level.VIEW


def repo(side: Side) -> Made:
    made = a_repo(side.admin)
    commit, copy = fill(made)
    copy.git("push", "--quiet", str(made.git.path), "main:dev")
    return {"thing": made, "commit": commit}


def of(route: str, method: str, path: str, **more) -> Example:  # type: ignore[no-untyped-def]
    return Example(
        route, method, lambda made: V1 + path.format(id=getattr(made.get("thing"), "pk", "")), setup=repo, **more
    )


EXAMPLES = [
    of("repo-list", "GET", "/repos", filtered=True),
    of("repo-list", "POST", "/repos", body=lambda m: {"name": "new", "parent_path": "/Shared"}, ok=201),
    of("repo-detail", "GET", "/repos/{id}", needs=VIEW),
    of("repo-branches", "GET", "/repos/{id}/branches", needs=VIEW),
    of("repo-tags", "GET", "/repos/{id}/tags", needs=VIEW),
    of("repo-commits", "GET", "/repos/{id}/commits", needs=VIEW),
    of("repo-commit", "GET", "/repos/{id}/commit?ref=main", needs=VIEW),
    of("repo-tree", "GET", "/repos/{id}/tree?path=features", needs=VIEW),
    of("repo-file", "GET", "/repos/{id}/file?path=train.py", needs=VIEW),
    of("repo-raw", "GET", "/repos/{id}/raw?path=logo.bin", needs=VIEW),
    of("repo-diff", "GET", "/repos/{id}/diff?head=main", needs=VIEW),
    of("repo-pushes", "GET", "/repos/{id}/pushes", needs=VIEW),
    of("repo-create-branch", "POST", "/repos/{id}/create-branch", needs=EDIT, body=lambda m: {"name": "x"}, ok=201),
    of(
        "repo-delete-branch",
        "POST",
        "/repos/{id}/delete-branch",
        needs=EDIT,
        body=lambda m: {"name": "dev", "commit": m["commit"]},
        ok=204,
    ),
    of(
        "repo-set-default-branch",
        "POST",
        "/repos/{id}/set-default-branch",
        needs=MANAGE,
        body=lambda m: {"branch": "dev"},
    ),
]
