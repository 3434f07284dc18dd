"""Examples of repositories."""

from __future__ import annotations

from apps.access.levels import Level
from apps.foundation.ids import new_id
from apps.repos.models import Repo
from tests.builders import Side, a_folder
from tests.isolation.kit import Example, Made
from tests.repos.making import a_repo, fill

V1 = "/api/v1"
MANAGE, EDIT, VIEW = Level.MANAGE, Level.EDIT, Level.VIEW


def repo(side: Side) -> Made:
    made = a_repo(side.admin)
    commit, copy = fill(made)
    copy.git("push", "--quiet", str(made.git.path), "main:dev")
    return {"thing": made, "commit": commit}


def branch(made: Made) -> dict[str, str]:
    """A branch made anew each time: what git does is not undone with the transaction."""
    if isinstance(made["thing"], Repo):
        made["thing"].git.create_branch(name := f"b-{new_id()}", made["commit"])
        return {"name": name, "commit": made["commit"]}
    return {"name": "dev", "commit": "0" * 40}


def of(route: str, method: str, path: str, **more) -> Example:  # type: ignore[no-untyped-def]
    return Example(
        route, method, lambda made: V1 + path.format(id=getattr(made.get("thing"), "pk", "")), setup=repo, **more
    )


EXAMPLES = [
    of("repo-list", "GET", "/repos", filtered=True),
    Example(
        "repo-list",
        "POST",
        lambda made: f"{V1}/repos",
        needs=EDIT,
        setup=lambda side: {"thing": a_folder(side.admin)},
        body=lambda made: {"name": "new", "parent_id": str(made["thing"].pk)},
        ok=201,
    ),
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
    of(
        "repo-create-branch",
        "POST",
        "/repos/{id}/create-branch",
        needs=EDIT,
        body=lambda m: {"name": f"b-{new_id()}"},
        ok=201,
    ),
    of(
        "repo-delete-branch",
        "POST",
        "/repos/{id}/delete-branch",
        needs=EDIT,
        body=branch,
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
