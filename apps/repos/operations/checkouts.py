"""What a person does in their own checkout: change files, commit, switch, pull and push. Nobody else's branch moves under it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import models, transaction

from apps.access import audit
from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.operation import operation
from apps.foundation.clock import now
from apps.foundation.errors import Conflict, Forbidden, Invalid, NotFound, Stale, TooLarge
from apps.repos import contents, git, notebooks, refnames
from apps.repos.models import Checkout, Draft, Push, Repo, Sync
from apps.repos.pushes import Command
from apps.repos.worktree import Worktree, stand

from . import hosted, remotes

FILE_BYTES = 20 << 20  # with base64 around it, still a body that the web takes
CHECKOUT_BYTES = 256 << 20  # of drafts; what is committed is the repository's
CHECKOUT_DRAFTS = 2000
MODES = ("100644", "100755")


@operation(needs=Level.EDIT, on="repo")
def open_checkout(*, actor: Actor, repo: Repo) -> Checkout:
    """Begin a checkout of one's own on the default branch, or the one that is there."""
    if actor.user is None:
        raise Forbidden("Only a person or a service principal has a checkout.")
    checkout, is_new = Checkout.objects.get_or_create(
        repo=repo, user=actor.user, defaults={"branch": repo.default_branch}
    )
    if is_new and (tip := repo.git.refs().get(repo.default_branch)):
        git.move_ref(repo.git, checkout.ref(), tip, refnames.ZERO)
    audit.record(actor, "repos.open_checkout", repo, after={"branch": checkout.branch})
    return checkout


@operation(needs=Level.EDIT, on="checkout")
def save_file(
    *, actor: Actor, checkout: Checkout, path: str, content: bytes, version: str | None, mode: str = ""
) -> Draft | None:
    """Keep a working file; None when it is now as in the commit. Stale unless `version` is the one there (None: whatever is)."""
    here = _mine(actor, checkout)
    path = here.require_free(path)
    if len(content) > FILE_BYTES:
        raise TooLarge(f"A file may have {FILE_BYTES >> 20} MB here; larger data belongs in a table or an artifact.")
    if version is not None and version != here.version(path):
        raise Stale(
            f"{path} changed since you opened it, in another tab or by a pull. Your text is still in the editor."
        )
    entry = here.entry(path) if path not in here.drafts else None
    mode = mode or (here.drafts[path].mode if path in here.drafts else entry.mode if entry else MODES[0])
    if mode not in MODES:
        raise Conflict(f"{path} is no ordinary file.")
    draft = _put(here, path, content, mode)
    audit.record(actor, "repos.save_file", checkout.repo, after={"path": path, "size_bytes": len(content)})
    return draft


@operation(needs=Level.EDIT, on="checkout")
def rename_file(*, actor: Actor, checkout: Checkout, path: str, to: str) -> int:
    """Give a working file or a whole folder another path; how many files moved."""
    here = _mine(actor, checkout)
    path, to = refnames.require_path(path), refnames.require_path(to)
    names = here.files_below(path) if path else []
    if not names:
        raise NotFound(f"There is no {path} in your checkout.")
    if not to or to == path or to.startswith(f"{path}/"):
        raise Invalid(fields={"to": "Choose another path, not below itself."})
    if here.kind_at(to):
        raise Conflict(f"There is already something at {to}.")
    if len(names) > CHECKOUT_DRAFTS:
        raise TooLarge(f"That folder holds more than {CHECKOUT_DRAFTS} files; rename it with git.")
    for name in names:
        target = here.require_free(to + name[len(path) :])
        file = here.read(name, FILE_BYTES)
        if file.size_bytes > FILE_BYTES or file.mode not in MODES:
            raise Conflict(f"{name} is a link, or too large to be changed here; rename it with git.")
        _put(here, target, _bytes(here, name), file.mode)
    for name in names:
        _put(here, name, None)
    audit.record(
        actor, "repos.rename_file", checkout.repo, before={"path": path}, after={"path": to, "files": len(names)}
    )
    return len(names)


@operation(needs=Level.EDIT, on="checkout")
def delete_file(*, actor: Actor, checkout: Checkout, path: str) -> int:
    """Remove a working file or folder; the commit still has it. How many files went."""
    here = _mine(actor, checkout)
    names = here.files_below(refnames.require_path(path)) if path else []
    if not names:
        raise NotFound(f"There is no {path} in your checkout.")
    for name in names:
        _put(here, name, None)
    audit.record(actor, "repos.delete_file", checkout.repo, before={"path": path, "files": len(names)})
    return len(names)


@operation(needs=Level.EDIT, on="checkout")
def discard_drafts(*, actor: Actor, checkout: Checkout, paths: Sequence[str]) -> int:
    """Bring files back to how the commit has them; how many."""
    here = _mine(actor, checkout)
    chosen = [here.drafts[path] for path in paths if path in here.drafts]
    if not chosen:
        raise NotFound("None of these files is changed.")
    audit.record(actor, "repos.discard_drafts", checkout.repo, before={"paths": [draft.path for draft in chosen][:50]})
    for draft in chosen:
        _forget(draft)
    return len(chosen)


@operation(needs=Level.EDIT, on="checkout")
def commit_drafts(
    *, actor: Actor, checkout: Checkout, message: str, paths: Sequence[str] | None = None, clear_outputs: bool = False
) -> git.Commit:
    """Commit the changed files (all without `paths`) to the checkout's branch, in the actor's name. It is not pushed by that."""
    here = _mine(actor, checkout)
    repo = checkout.repo
    chosen = [draft for path, draft in here.drafts.items() if paths is None or path in paths]
    if not chosen:
        raise Invalid(fields={"paths": "Choose at least one changed file."})
    if not message.strip():
        raise Invalid(fields={"message": "Say in a few words what this commit does."})
    if clear_outputs:
        for draft in chosen:
            _clear_outputs(here, draft)
    with git.aside(repo.git) as place:
        tree = place.tree(here.commit, [git.Edit(d.path, contents.path_of(d), d.mode) for d in chosen])
        sha = place.commit(tree, [here.commit] if here.commit else [], message, identity(actor))
        place.keep(sha, [here.commit] if here.commit else [])
    after = {"branch": checkout.branch, "commit": sha, "files": len(chosen)}
    audit.record(actor, "repos.commit_drafts", repo, after=after, comment=message.strip().splitlines()[0][:200])
    for draft in chosen:
        _forget(draft)
    git.move_ref(repo.git, checkout.ref(), sha, here.commit or refnames.ZERO)
    return repo.git.commit(sha)


@operation(needs=Level.EDIT, on="checkout")
def switch_branch(
    *, actor: Actor, checkout: Checkout, branch: str, create: bool = False, keep: bool = False
) -> Checkout:
    """Stand on another branch. Changed files come along unless they differ there too; `keep` leaves them on their branch."""
    here, repo = _mine(actor, checkout), checkout.repo
    refnames.require_ref_name(branch, "branch")
    if branch == checkout.branch:
        raise Conflict(f"You are on {branch} already.")
    own, shared = repo.git.refs(checkout.refs), repo.git.refs()
    if create and (branch in own or branch in shared):
        raise Conflict(f"There is already a branch {branch}; switch to it.")
    tip = own.get(branch) or shared.get(branch) or (here.commit if create else "")
    if not tip and not create:
        raise NotFound(f"There is no branch {branch}.")
    if here.drafts and not keep:
        _carry(here, branch, tip)
    before = checkout.branch
    checkout.branch = branch
    checkout.save(update_fields=["branch"])
    audit.record(actor, "repos.switch_branch", repo, before={"branch": before}, after={"branch": branch, "new": create})
    if branch not in own and tip:
        git.move_ref(repo.git, checkout.ref(), tip, refnames.ZERO)
    return checkout


@operation(needs=Level.EDIT, on="checkout")
def forget_branch(*, actor: Actor, checkout: Checkout, branch: str) -> None:
    """Drop one of one's own branches; Conflict while it has commits or drafts that are nowhere else."""
    _mine(actor, checkout)
    repo = checkout.repo
    tip = repo.git.refs(checkout.refs).get(branch)
    if tip is None or branch == checkout.branch:
        raise Conflict(f"{branch} is the branch you are on, or no branch of yours; switch to another one first.")
    if checkout.drafts.filter(branch=branch).exists() or not repo.git.is_shared(tip):
        raise Conflict(f"{branch} has changes that are nowhere else. Push them, or discard them there, first.")
    audit.record(actor, "repos.forget_branch", repo, before={"branch": branch, "commit": tip})
    git.drop_ref(repo.git, checkout.ref(branch), tip)


@operation(needs=Level.EDIT, on="checkout")
def pull(*, actor: Actor, checkout: Checkout) -> git.Commit:
    """Bring the shared branch's commits into one's own: forward, or by a merge without conflicts. Otherwise nothing changes."""
    here, repo = _mine(actor, checkout), checkout.repo
    if not here.hosted:
        raise Conflict(f"{here.branch} was not pushed by anybody yet, so there is nothing to pull.")
    if not here.behind and here.commit:
        raise Conflict(f"Nothing to pull: you have everything of {here.branch}.")
    with git.aside(repo.git) as place:
        forward = not here.commit or not here.ahead
        tree = here.hosted if forward else place.merge(here.commit, here.hosted)
        changed = (
            place.repository.changed_paths(here.commit, tree) if here.commit else {e.path for e in repo.git.walk(tree)}
        )
        if mine := sorted(changed & set(here.drafts)):
            named = ", ".join(mine[:5]) + (f" and {len(mine) - 5} more" if len(mine) > 5 else "")
            raise Conflict(f"Not pulled: the new commits change {named}, and so did you. Commit or discard that first.")
        sha = here.hosted
        if not forward:
            parents = [here.commit, here.hosted]
            sha = place.commit(tree, parents, f"Merge {here.branch} as it was pushed", identity(actor))
            place.keep(sha, parents)
    audit.record(
        actor, "repos.pull", repo, before={"commit": here.commit}, after={"branch": here.branch, "commit": sha}
    )
    git.move_ref(repo.git, checkout.ref(), sha, here.commit or refnames.ZERO)
    return repo.git.commit(sha)


@operation(needs=Level.EDIT, on="checkout")
def push_branch(*, actor: Actor, checkout: Checkout) -> Push | Sync:
    """Give one's commits to everybody: moves the shared branch forward, never over somebody else's commits.

    A repository that lives elsewhere is pushed to there by a worker; the answer is that transfer.
    """
    here, repo = _mine(actor, checkout), checkout.repo
    if not here.to_push:
        raise Conflict(f"Nothing to push: everybody has all of {here.branch}.")
    if here.hosted and here.behind:
        count = f"{here.behind} commit{'s' if here.behind > 1 else ''}"
        raise Conflict(
            f"Not pushed: {here.branch} has {count} that you have not. Pull first, look at the result, then push. "
            "Your commits are safe here meanwhile.",
            code="not_fast_forward",
        )
    if remotes.has_remote(repo):
        sync = remotes.queue_push(actor, repo, here.branch, here.commit)
        audit.record(actor, "repos.push_branch", repo, after={"branch": here.branch, "commit": here.commit})
        return sync
    command = Command(here.hosted or refnames.ZERO, here.commit, f"refs/heads/{here.branch}")
    row = hosted.push(actor=actor, repo=repo, commands=(command,))
    git.move_ref(repo.git, command.ref, command.new, command.old)
    hosted.settle_push(actor, row.pk)
    row.refresh_from_db()
    return row


def identity(actor: Actor) -> git.Identity:
    """The name a commit of the actor carries."""
    user = actor.user
    return git.Identity(
        (user.name or user.label) if user else "boathouse", (user.email or user.label) if user else "boathouse"
    )


def _mine(actor: Actor, checkout: Checkout) -> Worktree:
    """The actor's own worktree; another person's checkout does not exist for them."""
    if actor.user_id is None or checkout.user_id != actor.user_id:
        raise NotFound
    return stand(checkout.repo, checkout)


def _put(here: Worktree, path: str, content: bytes | None, mode: str = MODES[0]) -> Draft | None:
    """Make a working file be so, as a draft or by having none."""
    checkout = here.checkout
    assert checkout is not None
    entry = here.entry(path)
    base = entry.sha if entry is not None and entry.kind != "folder" else ""
    sha = contents.blob_sha(content) if content is not None else ""
    row = checkout.drafts.filter(branch=here.branch, path=path).first()
    if sha == base and (entry is None or content is None or entry.mode == mode):
        if row is not None:
            row.checkout = checkout
            _forget(row)
        here.drafts.pop(path, None)
        return None
    _require_room(checkout, row, len(content or b""))
    row = row or Draft(checkout=checkout, branch=here.branch, path=path, base=base)
    row.checkout, before = checkout, row.content
    row.content = contents.write(checkout, content) if content is not None else None
    row.sha, row.mode, row.size_bytes, row.saved_at = sha, mode, len(content or b""), now()
    row.save()
    transaction.on_commit(lambda: contents.remove(checkout, before), robust=True)
    here.drafts[path] = row
    return row


def _require_room(checkout: Checkout, replaced: Draft | None, size: int) -> None:
    used = checkout.drafts.aggregate(count=models.Count("pk"), total=models.Sum("size_bytes"))
    if replaced is None and used["count"] >= CHECKOUT_DRAFTS:
        raise TooLarge(f"Your checkout has {CHECKOUT_DRAFTS} changed files; commit some of them first.")
    if (used["total"] or 0) - (replaced.size_bytes if replaced else 0) + size > CHECKOUT_BYTES:
        raise TooLarge(
            f"Your checkout holds {CHECKOUT_BYTES >> 20} MB of changes; commit or discard some of them first."
        )


def _forget(draft: Draft) -> None:
    checkout, content = draft.checkout, draft.content
    draft.delete()
    transaction.on_commit(lambda: contents.remove(checkout, content), robust=True)


def _bytes(here: Worktree, path: str) -> bytes:
    draft = here.drafts.get(path)
    if draft is not None:
        return contents.read(draft, FILE_BYTES + 1)
    entry: Any = here.entry(path)
    return b"".join(here.repo.git.content(entry))


def _carry(here: Worktree, branch: str, tip: str) -> None:
    """Move the drafts to another branch, if each changed file is the same there as here."""
    checkout = here.checkout
    assert checkout is not None
    there = here.repo.git.blobs(tip, list(here.drafts)) if tip else {}
    waiting = set(checkout.drafts.filter(branch=branch).values_list("path", flat=True))
    stuck = [
        path
        for path, draft in here.drafts.items()
        if path in waiting or (there[path].sha if path in there else "") != draft.base
    ]
    if stuck:
        named = ", ".join(stuck[:5]) + (f" and {len(stuck) - 5} more" if len(stuck) > 5 else "")
        raise Conflict(
            f"{named} differs on {branch} too. Commit the changes first, or keep them here while you are there."
        )
    checkout.drafts.filter(pk__in=[draft.pk for draft in here.drafts.values()]).update(branch=branch)


def _clear_outputs(here: Worktree, draft: Draft) -> None:
    if draft.content is None or not draft.path.endswith(".ipynb"):
        return
    lighter = notebooks.without_large_outputs(contents.read(draft, FILE_BYTES))
    if lighter is not None:
        _put(here, draft.path, lighter, draft.mode)
        draft.refresh_from_db()
        draft.checkout = here.checkout  # type: ignore[assignment]
