"""Trees and commits made of changed files: written aside first, checked as a push is, and kept only when whole."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from apps.foundation.errors import Conflict, Invalid
from apps.repos import refnames

from . import process
from .process import GitFailed
from .reading import Repository

MESSAGE_CHARACTERS = 20_000
_UNSAFE_IN_NAMES = re.compile(r"[\x00-\x1f\x7f<>]")


@dataclass(frozen=True)
class Edit:
    """One file that differs from a commit: `content` is a file of ours, or None when the path is removed."""

    path: str
    content: Path | None
    mode: str = "100644"


@dataclass(frozen=True)
class Identity:
    """Whose name a commit carries."""

    name: str
    email: str

    def variables(self) -> dict[str, str]:
        """The same as git's environment, without what a header cannot hold."""
        name, email = (_UNSAFE_IN_NAMES.sub("", text).strip() for text in (self.name, self.email))
        both = {"NAME": name or email or "unknown", "EMAIL": email or "unknown"}
        return {f"GIT_{role}_{part}": text for role in ("AUTHOR", "COMMITTER") for part, text in both.items()}


class MergeConflict(Conflict):
    """Both sides changed the same lines; `paths` are the files."""

    code, title = "merge_conflict", "Both sides changed the same lines"

    def __init__(self, paths: list[str]) -> None:
        named = ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")
        self.paths = paths
        super().__init__(
            f"Not pulled: {named} changed here and there in the same lines. Nothing was touched. Commit to a new branch and push "
            "that, or merge with git in a clone of your own."
        )


class Aside:
    """A place for objects beside a repository; what is in it is seen here and nowhere else until it is kept."""

    def __init__(self, repository: Repository, folder: Path) -> None:
        self.repository = Repository(repository.path, folder)
        self._folder, self._main = folder, repository

    def tree(self, base: str, edits: Sequence[Edit]) -> str:
        """The tree of a commit (or of nothing, for "") with these files changed."""
        index = {"GIT_INDEX_FILE": str(self._folder / "index")}
        run = self.repository._run
        shas = self._blobs([edit.content for edit in edits if edit.content is not None])
        run("read-tree", *([refnames.require_sha(base)] if base else ["--empty"]), more=index)
        lines = [f"0 {refnames.ZERO}\t{edit.path}\0" for edit in edits if edit.content is None]
        lines += [f"{edit.mode} {shas[edit.content]}\t{edit.path}\0" for edit in edits if edit.content is not None]
        try:
            run("update-index", "-z", "--index-info", given="".join(lines).encode(), more=index)
            return str(run("write-tree", more=index).decode().strip())
        except GitFailed as error:
            raise Conflict(
                "A folder and a file of the same name cannot be in one commit; choose the other one too."
            ) from error

    def commit(self, tree: str, parents: Sequence[str], message: str, who: Identity) -> str:
        """A commit of a tree; it has no branch yet."""
        message = message.replace("\r\n", "\n").strip()
        if not message or "\0" in message or len(message) > MESSAGE_CHARACTERS:
            raise Invalid(fields={"message": "Say in a few words what this commit does."})
        above = [word for parent in parents for word in ("-p", refnames.require_sha(parent))]
        said = self.repository._run(
            "commit-tree", refnames.require_sha(tree), *above, given=f"{message}\n".encode(), more=who.variables()
        )
        return str(said.decode().strip())

    def merge(self, ours: str, theirs: str) -> str:
        """The tree of both histories together; MergeConflict when they disagree."""
        argv = ("merge-tree", "--write-tree", "--no-messages", "--name-only", "-z")
        pair = (refnames.require_sha(ours), refnames.require_sha(theirs))
        try:
            return str(self.repository._run(*argv, *pair).split(b"\0")[0].decode().strip())
        except GitFailed as error:
            if error.code != 1:
                raise Conflict("These two histories have nothing in common, so they cannot be merged here.") from error
            names = error.output.split(b"\0")[1:]
            raise MergeConflict(sorted({name.decode(errors="replace") for name in names if name})) from error

    def keep(self, commit: str, known: Sequence[str]) -> None:
        """Move the commit's objects into the repository through the checks of a push; Invalid when they do not pass."""
        wanted = "".join([f"{refnames.require_sha(commit)}\n", *(f"^{refnames.require_sha(sha)}\n" for sha in known)])
        pack = self._folder / "kept.pack"
        with pack.open("wb") as target:
            for piece in process.stream(
                self.repository.path,
                "pack-objects",
                "-q",
                "--revs",
                "--stdout",
                given=wanted.encode(),
                extra=self.repository._extra,
            ):
                target.write(piece)
        try:
            with pack.open("rb") as source:
                process.run(self._main.path, "unpack-objects", "-q", "--strict", source=source)
        except GitFailed as error:
            reason = re.search(r"error: (?:object \w+: )?(\w+: .*)", error.said)
            raise Invalid(
                f"git does not take this commit: {reason[1] if reason else 'its content is malformed'}."
            ) from error

    def _blobs(self, contents: list[Path]) -> dict[Path | None, str]:
        if not contents:
            return {}
        given = "".join(f"{path}\n" for path in contents).encode()
        said = self.repository._run("hash-object", "-w", "--no-filters", "--stdin-paths", given=given)
        return dict(zip(contents, said.decode().split(), strict=True))


@contextmanager
def aside(repository: Repository) -> Iterator[Aside]:
    """A place for objects that goes with the block; a killed process leaves it to `tidy`, which knows its name."""
    folder = Path(mkdtemp(prefix="tmp_objdir-aside-", dir=repository.path / "objects"))
    try:
        yield Aside(repository, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def move_ref(repository: Repository, ref: str, new: str, old: str) -> None:
    """Move a ref that still stands at `old` (forty zeros: that is not there yet); Conflict when somebody was faster."""
    try:
        repository._run("update-ref", "--create-reflog", ref, refnames.require_sha(new), refnames.require_sha(old))
    except GitFailed as error:
        name = (
            ref.removeprefix("refs/heads/").rpartition("/")[2]
            if "boathouse" in ref
            else ref.removeprefix("refs/heads/")
        )
        raise Conflict(
            f"{name} moved meanwhile, or a branch below or above that name is in the way; look again."
        ) from error


def drop_ref(repository: Repository, ref: str, old: str) -> None:
    """Remove a ref that still stands at `old`."""
    try:
        repository._run("update-ref", "-d", ref, refnames.require_sha(old))
    except GitFailed as error:
        raise Conflict("It moved meanwhile; look again.") from error
