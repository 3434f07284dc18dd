"""What a repository holds, as rooms read it: refs, commits, entries of trees, files, differences."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from apps.repos.diffs import FileDiff


@dataclass(frozen=True)
class Ref:
    """A branch or a tag and the commit it names."""

    name: str
    commit: str
    subject: str
    author: str
    at: datetime | None


@dataclass(frozen=True)
class Commit:
    """One commit as people read it."""

    sha: str
    parents: tuple[str, ...]
    author_name: str
    author_email: str
    authored_at: datetime | None
    committer_name: str
    committed_at: datetime | None
    subject: str
    body: str

    @property
    def short(self) -> str:
        """The first seven digits."""
        return self.sha[:7]


@dataclass(frozen=True)
class Entry:
    """One line of a tree: kind is folder, file, link or submodule."""

    path: str
    kind: str
    mode: str
    sha: str
    size_bytes: int | None

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Blob:
    """A file at a commit: the text when it is text and not too long."""

    entry: Entry
    is_binary: bool
    is_cut: bool
    text: str


@dataclass(frozen=True)
class Diff:
    """What differs between two commits; `is_cut` says that not all of it is here."""

    files: list[FileDiff] = field(default_factory=list)
    file_count: int = 0
    is_cut: bool = False
