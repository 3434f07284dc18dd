"""A checkout as its owner sees it: the files of the commit it stands on with the drafts laid over them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from apps.access.actor import Actor
from apps.foundation.errors import Conflict, Invalid, NotFound
from apps.repos import contents, git, refnames
from apps.repos.models import Checkout, Draft, Repo

TEXT_BYTES = git.FILE_VIEW_BYTES
_ODD = re.compile(r"[\x00-\x1f\x7f\\]")


@dataclass(frozen=True)
class Item:
    """One line of a folder: kind is folder, file, link or submodule; mark is A, M, D or nothing."""

    path: str
    kind: str
    mark: str = ""
    mode: str = ""
    size_bytes: int | None = None

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class WorkFile:
    """A working file: its bytes as text when they are text, and the version that a change of it names."""

    path: str
    version: str
    mode: str
    size_bytes: int
    is_binary: bool
    is_cut: bool
    text: str
    mark: str = ""

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Worktree:
    """Where a person stands in a repository: their branch, its commit ("" before the first one), and what they changed.

    Somebody who has changed nothing yet has no checkout row; they stand where everybody does.
    """

    repo: Repo
    branch: str
    commit: str
    hosted: str
    checkout: Checkout | None = None
    drafts: dict[str, Draft] = field(default_factory=dict)

    @cached_property
    def ahead_behind(self) -> tuple[int, int]:
        """Commits to push, commits to pull."""
        if not self.commit:
            return 0, 0
        if not self.hosted:
            base = self.repo.git.refs().get(self.repo.default_branch, "")
            return (
                self.repo.git.ahead_behind(base, self.commit)[0] if base else self.repo.git.commit_count(self.commit)
            ), 0
        return (0, 0) if self.commit == self.hosted else self.repo.git.ahead_behind(self.hosted, self.commit)

    @property
    def ahead(self) -> int:
        """Commits to push."""
        return self.ahead_behind[0]

    @property
    def behind(self) -> int:
        """Commits to pull."""
        return self.ahead_behind[1]

    @property
    def to_push(self) -> bool:
        """Whether a push would do something: commits, or a branch that only exists here."""
        return bool(self.commit) and (self.ahead > 0 or not self.hosted)

    @property
    def changes(self) -> list[Draft]:
        """The changed files, by path."""
        return list(self.drafts.values())

    def entry(self, path: str) -> git.Entry | None:
        """What the commit has at a path, drafts aside."""
        if not self.commit:
            return None
        try:
            return self.repo.git.entry(self.commit, path)
        except NotFound:
            return None

    def kind_at(self, path: str) -> str:
        """folder, file, link, submodule, or "" for nothing."""
        draft = self.drafts.get(path)
        if draft is not None and draft.content:
            return "file"
        if any(name.startswith(f"{path}/") and d.content for name, d in self.drafts.items()):
            return "folder"
        entry = None if draft is not None else self.entry(path)
        if entry is None or (entry.kind == "folder" and not self._has_files(path)):
            return ""
        return entry.kind

    def items(self, folder: str = "") -> list[Item]:
        """What a folder holds: folders first, then files, by name; removed files stay, marked, until they are committed."""
        prefix = f"{folder}/" if refnames.require_path(folder) else ""
        found = {item.path: item for item in self._committed(folder)}
        for path, draft in self.drafts.items():
            if not path.startswith(prefix):
                continue
            name, _, rest = path[len(prefix) :].partition("/")
            here = prefix + name
            if rest:
                found[here] = Item(here, "folder", "M")
            else:
                mark = {"deleted": "D", "added": "A"}.get(draft.kind, "M")
                found[here] = Item(here, "file", mark, draft.mode, draft.size_bytes if draft.content else None)
        if folder and not found:
            raise NotFound(f"There is no folder {folder} here.")
        return sorted(found.values(), key=lambda item: (item.kind != "folder", item.path))

    def version(self, path: str) -> str:
        """What a change of this path must name: a draft's content, the commit's blob, or "" for nothing there."""
        draft = self.drafts.get(path)
        if draft is not None:
            return draft.content.hex if draft.content else ""
        entry = self.entry(path)
        return entry.sha if entry and entry.kind in ("file", "link") else ""

    def read(self, path: str, limit: int = TEXT_BYTES) -> WorkFile:
        """A working file; NotFound when there is none, Invalid when it is something else."""
        path = refnames.require_path(path)
        draft = self.drafts.get(path)
        if draft is not None:
            if draft.content is None:
                raise NotFound(f"{path} was deleted here. Discard the change to have it back.")
            content, size, mode = contents.read(draft, limit), draft.size_bytes, draft.mode
            mark = "A" if draft.kind == "added" else "M"
        else:
            entry = self.entry(path) if path else None
            if entry is None:
                raise NotFound(f"There is no {path} in your checkout.")
            if entry.kind not in ("file", "link"):
                raise Invalid(f"{path} is a {entry.kind}, not a file.", fields={"path": "Not a file."})
            blob = self.repo.git.file(self.commit, path, limit)
            return WorkFile(path, entry.sha, entry.mode, entry.size_bytes or 0, blob.is_binary, blob.is_cut, blob.text)
        is_binary = b"\0" in content[:8000]
        text = "" if is_binary else content.decode(errors="replace")
        return WorkFile(path, draft.content.hex, mode, size, is_binary, size > len(content), text, mark)

    def files_below(self, path: str) -> list[str]:
        """Every working file at or below a path."""
        live = {name for name, draft in self.drafts.items() if draft.content}
        gone = set(self.drafts) - live
        entry = self.entry(path)
        if entry is not None and entry.kind == "folder":
            live |= {f"{path}/{e.path}" for e in self.repo.git.walk(entry.sha)} - gone
        elif entry is not None and path not in gone:
            live.add(path)
        return sorted(name for name in live if name == path or name.startswith(f"{path}/"))

    def require_free(self, path: str) -> str:
        """The path, when a file may stand there; Invalid for a name we do not take, Conflict when something is in the way."""
        path = refnames.require_path(path)
        parts = path.split("/")
        if (
            not path
            or _ODD.search(path)
            or any(len(p.encode()) > 255 or p != p.strip() or p.endswith(".") for p in parts)
        ):
            raise Invalid(fields={"path": "Use letters, digits, dots and dashes; a slash goes into a folder."})
        for depth in range(1, len(parts)):
            above = "/".join(parts[:depth])
            if self.kind_at(above) not in ("", "folder"):
                raise Conflict(f"{above} is a {self.kind_at(above)}, so nothing can lie below it.")
        if (kind := self.kind_at(path)) not in ("", "file"):
            raise Conflict(f"{path} is a {kind}; it cannot be written as a file.")
        return path

    def _has_files(self, folder: str) -> bool:
        if not any(name.startswith(f"{folder}/") for name in self.drafts):
            return True
        return bool(self.files_below(folder))

    def _committed(self, folder: str) -> list[Item]:
        entry = self.entry(folder)
        if entry is None or entry.kind != "folder":
            return []
        inside = self.repo.git.tree(self.commit, folder)
        return [Item(e.path, e.kind, "", e.mode, e.size_bytes) for e in inside]


def find_checkout(actor: Actor, repo: Repo) -> Checkout | None:
    """The actor's own checkout, if they began one."""
    return Checkout.objects.select_related("repo__resource").filter(repo=repo, user_id=actor.user_id).first()


def stand(repo: Repo, checkout: Checkout | None, heads: dict[str, str] | None = None) -> Worktree:
    """The worktree of a checkout; drafts that have become the same as their commit are no changes."""
    heads = repo.git.refs() if heads is None else heads
    if checkout is None:
        tip = heads.get(repo.default_branch, "")
        return Worktree(repo, repo.default_branch, tip, tip)
    checkout.repo = repo
    hosted = heads.get(checkout.branch, "")
    commit = repo.git.refs(checkout.refs).get(checkout.branch, "")
    drafts = {draft.path: draft for draft in checkout.drafts.filter(branch=checkout.branch).order_by("path")}
    below: dict[str, Any] = repo.git.blobs(commit, list(drafts)) if drafts and commit else {}
    for path, draft in list(drafts.items()):
        draft.checkout = checkout
        entry = below.get(path)
        same = draft.sha == (entry.sha if entry else "") and (
            entry is None or not draft.content or entry.mode == draft.mode
        )
        if same:
            del drafts[path]
    return Worktree(repo, checkout.branch, commit, hosted, checkout, drafts)
