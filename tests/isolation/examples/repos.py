"""Examples of repositories."""

from __future__ import annotations

from apps.access.levels import Level
from apps.foundation.ids import new_id
from apps.repos.models import Remote, Repo
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


ELSEWHERE = "https://93.184.216.34/team/delays.git"


def elsewhere(side: Side) -> Made:
    """A repository that follows one elsewhere; nothing was transferred."""
    made = a_repo(side.admin)
    Remote(repo=made, url=ELSEWHERE).save(force_insert=True)
    return {"thing": made}


def followed(route: str, method: str, path: str, **more) -> Example:  # type: ignore[no-untyped-def]
    return Example(
        route, method, lambda made: V1 + path.format(id=getattr(made.get("thing"), "pk", "")), setup=elsewhere, **more
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
    of("repo-blame", "GET", "/repos/{id}/blame?path=train.py", needs=VIEW),
    of("repo-checkout", "GET", "/repos/{id}/checkout", needs=VIEW),
    of("repo-checkout-tree", "GET", "/repos/{id}/checkout/tree", needs=VIEW),
    of("repo-checkout-file", "GET", "/repos/{id}/checkout/file?path=train.py", needs=VIEW),
    of("repo-checkout-diff", "GET", "/repos/{id}/checkout/diff", needs=VIEW),
    of(
        "repo-checkout-save", "POST", "/repos/{id}/checkout/save", needs=EDIT, body=lambda m: {"path": "a", "text": "b"}
    ),
    of(
        "repo-checkout-rename",
        "POST",
        "/repos/{id}/checkout/rename",
        needs=EDIT,
        body=lambda m: {"path": "train.py", "to": "x.py"},
    ),
    of("repo-checkout-delete", "POST", "/repos/{id}/checkout/delete", needs=EDIT, body=lambda m: {"path": "train.py"}),
    # Nothing is changed in a checkout that begins with the request: enough of a level comes as far as that answer.
    of(
        "repo-checkout-discard",
        "POST",
        "/repos/{id}/checkout/discard",
        needs=EDIT,
        body=lambda m: {"paths": ["train.py"]},
        ok=404,
    ),
    of("repo-checkout-switch", "POST", "/repos/{id}/checkout/switch", needs=EDIT, body=lambda m: {"branch": "dev"}),
    of(
        "repo-checkout-forget-branch",
        "POST",
        "/repos/{id}/checkout/forget-branch",
        needs=EDIT,
        body=lambda m: {"branch": "dev"},
        ok=409,
    ),
    of(
        "repo-checkout-commit",
        "POST",
        "/repos/{id}/checkout/commit",
        needs=EDIT,
        body=lambda m: {"message": "x"},
        ok=422,
    ),
    of("repo-checkout-pull", "POST", "/repos/{id}/checkout/pull", needs=EDIT, body=lambda m: {}, ok=409),
    of("repo-checkout-push", "POST", "/repos/{id}/checkout/push", needs=EDIT, body=lambda m: {}, ok=409),
    Example(
        "repo-clone",
        "POST",
        lambda made: f"{V1}/repos/clone",
        needs=EDIT,
        setup=lambda side: {"thing": a_folder(side.admin)},
        body=lambda made: {"name": "new", "parent_id": str(made["thing"].pk), "url": ELSEWHERE},
        ok=201,
    ),
    followed("repo-remote", "GET", "/repos/{id}/remote", needs=VIEW),
    followed("repo-syncs", "GET", "/repos/{id}/syncs", needs=VIEW),
    followed("repo-fetch-remote", "POST", "/repos/{id}/fetch", needs=EDIT, body=lambda m: {}, ok=202),
    followed("repo-cancel-sync", "POST", "/repos/{id}/cancel-sync", needs=EDIT, body=lambda m: {}, ok=409),
    followed(
        "repo-change-remote",
        "POST",
        "/repos/{id}/change-remote",
        needs=MANAGE,
        body=lambda m: {"url": ELSEWHERE},
        ok=202,
    ),
]
