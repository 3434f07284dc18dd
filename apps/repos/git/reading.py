"""A bare repository on disk: its branches, tags, commits, trees, files and differences."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from apps.foundation.errors import Conflict, Invalid, NotFound, Unavailable
from apps.repos import refnames
from apps.repos.diffs import parse_patch, parse_raw

from . import process
from .objects import Blob, Commit, Diff, Entry, Ref
from .process import GitFailed, OutputTooLarge, run

FILE_VIEW_BYTES = 2 << 20  # past this a page shows a download link instead of the text
DIFF_BYTES = 4 << 20
DIFF_FILES = 300
LEFTOVER_SECONDS = 7200  # longer than any transfer may take
_SNIFF_BYTES = 8000  # what git itself looks at to call a file binary
_COMMIT_FORMAT = "%H%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%cI%x00%s%x00%b"
_COMMIT_FIELDS = 9
_LOG = (
    "log",
    "-z",
    "--no-color",
    "--no-notes",
    "--no-mailmap",
    "--no-show-signature",
    "--no-ext-diff",
    "--no-textconv",
)


@dataclass(frozen=True)
class Repository:
    """A bare repository by its folder, which storage assigned; `aside` is a folder of objects that are not kept yet."""

    path: Path
    aside: Path | None = None

    @property
    def _extra(self) -> dict[str, str]:
        if self.aside is None:
            return {}
        return {
            "GIT_OBJECT_DIRECTORY": str(self.aside),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(self.path / "objects"),
        }

    def _run(self, *argv: str, more: Mapping[str, str] | None = None, **limits: Any) -> bytes:
        return run(self.path, *argv, extra={**self._extra, **(more or {})}, **limits)

    # -- life ---------------------------------------------------------------------------------------------

    @classmethod
    def create(cls, path: Path, default_branch: str = "main") -> Repository:
        """A new empty bare repository; harmless when it is there already."""
        refnames.require_ref_name(default_branch, "default_branch")
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        run(
            path,
            "init",
            "--quiet",
            "--bare",
            "--template=",
            "--object-format=sha1",
            f"--initial-branch={default_branch}",
        )
        (path / "logs").mkdir(exist_ok=True)
        return cls(path)

    def delete(self) -> None:
        """Remove the repository from disk."""
        shutil.rmtree(self.path, ignore_errors=False)

    def set_default_branch(self, branch: str) -> None:
        """Make a branch the one that a clone checks out."""
        refnames.require_ref_name(branch, "branch")
        self._run("symbolic-ref", "HEAD", f"refs/heads/{branch}")

    def create_branch(self, branch: str, commit: str) -> None:
        """A new branch at a commit; Conflict when the name is taken."""
        ref = f"refs/heads/{refnames.require_ref_name(branch, 'branch')}"
        try:
            self._run(
                "update-ref",
                "--create-reflog",
                ref,
                self.commit(commit).sha,
                refnames.ZERO,
            )
        except GitFailed as error:
            raise Conflict(
                f"A branch {branch} cannot be made: that name, or one below or above it, is taken."
            ) from error

    def delete_branch(self, branch: str, commit: str) -> None:
        """Remove a branch that still names this commit; Conflict when somebody moved it."""
        ref = f"refs/heads/{refnames.require_ref_name(branch, 'branch')}"
        try:
            self._run("update-ref", "-d", ref, refnames.require_sha(commit))
        except GitFailed as error:
            raise Conflict(f"The branch {branch} has moved or is gone; look again.") from error

    def keep(self, commit: str) -> None:
        """Keep a commit for ever, whatever becomes of its branches: something was made from it."""
        sha = refnames.require_sha(commit)
        self._run("update-ref", f"refs/boathouse/keep/{sha}", sha)

    def tidy(self) -> None:
        """Pack what pushes left, drop what nothing names after two weeks, and clear what broken pushes left behind."""
        for path in [
            *(self.path / "objects").glob("tmp_objdir-*"),
            *(self.path / "refs").rglob("*.lock"),
            *self.path.glob("*.lock"),
        ]:
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < time.time() - LEFTOVER_SECONDS:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
        self._run("-c", "gc.auto=2000", "gc", "--quiet", "--auto", seconds=process.CPU_SECONDS)

    # -- names --------------------------------------------------------------------------------------------

    def refs(self, kind: str = "heads") -> dict[str, str]:
        """Every branch (or, with "tags", tag) and the object it names, in order of name."""
        prefix = f"refs/{kind}/"
        lines = self._run("for-each-ref", "--format=%(objectname) %(refname)", prefix).decode(errors="replace")
        pairs = (line.split(" ", 1) for line in lines.splitlines())
        return {name.removeprefix(prefix): sha for sha, name in pairs}

    def describe_refs(self, names: list[str], kind: str = "heads") -> list[Ref]:
        """The named branches or tags with the commit each one leads to."""
        if not names:
            return []
        wanted = [f"refs/{kind}/{refnames.require_ref_name(name)}" for name in names]
        form = "%(refname)%00%(objectname)%00%(*objectname)%00%(subject)%00%(*subject)%00%(authorname)%00%(*authorname)"
        form += "%00%(authordate:iso-strict)%00%(*authordate:iso-strict)%01"
        said = self._run("for-each-ref", f"--format={form}", "--", *wanted).decode(errors="replace")
        found = []
        for record in said.split("\x01\n")[:-1]:
            name, sha, inner, *pairs = record.split("\x00")
            own, deref = pairs[0::2], pairs[1::2]
            subject, author, at = deref if inner else own
            found.append(
                Ref(
                    name.removeprefix(f"refs/{kind}/"),
                    inner or sha,
                    subject,
                    author,
                    _moment(at),
                )
            )
        return found

    def resolve(self, ref: str) -> str:
        """The commit that a branch, a tag, a whole or a short commit id names, looked up in this order of trust: whole id first."""
        explicit = ref.startswith(("refs/heads/", "refs/tags/"))
        name = ref.removeprefix("refs/heads/").removeprefix("refs/tags/") if explicit else ref
        refnames.require_ref_name(name)
        candidates = [ref] if explicit else [f"refs/heads/{ref}", f"refs/tags/{ref}"]
        if refnames.is_sha(ref):
            candidates.insert(0, ref)
        elif refnames.is_short_sha(ref):
            candidates.append(ref)
        asked = "".join(f"{candidate}^{{commit}}\n" for candidate in candidates).encode()
        for line in self._run("cat-file", "--batch-check", given=asked).decode(errors="replace").splitlines():
            sha, _, rest = line.partition(" ")
            if rest.startswith("commit ") and refnames.is_sha(sha):
                return sha
        raise NotFound(f"There is no branch, tag or commit {ref} in this repository.")

    def ahead_behind(self, base: str, head: str) -> tuple[int, int]:
        """How many commits `head` has that `base` lacks, and the other way round."""
        pair = f"{refnames.require_sha(base)}...{refnames.require_sha(head)}"
        behind, ahead = self._run("rev-list", "--left-right", "--count", pair, "--").split()
        return int(ahead), int(behind)

    def is_shared(self, sha: str) -> bool:
        """Whether some branch that everybody sees has this commit."""
        return not self._run("rev-list", "--max-count=1", refnames.require_sha(sha), "--not", "--branches", "--")

    def reached(self, ref: str, old: str, new: str) -> bool:
        """Whether a ref stands at `new`, or once moved from `old` to it (its log remembers, also after a crash)."""
        kind, _, name = ref.removeprefix("refs/").partition("/")
        now = self.refs(kind).get(name)
        if new == refnames.ZERO:
            return now is None
        log = self.path / "logs" / ref
        return now == new or (log.is_file() and f"{old} {new} ".encode() in log.read_bytes())

    # -- commits ------------------------------------------------------------------------------------------

    def commit(self, sha: str) -> Commit:
        """One commit by its whole id."""
        found = self._log("--max-count=1", refnames.require_sha(sha))
        if not found:
            raise NotFound(f"There is no commit {sha} in this repository.")
        return found[0]

    def history(
        self,
        sha: str,
        *,
        path: str = "",
        skip: int = 0,
        size: int = 50,
        without: str = "",
        author: str = "",
        words: str = "",
    ) -> list[Commit]:
        """Commits from `sha` backwards: those that touched `path`, are not in `without`, by an author, with words in the message."""
        below = [refnames.require_path(path)] if path else []
        asked = [f"--author={author}"] if author else []
        asked += [f"--grep={words}"] if words else []
        asked += ["--fixed-strings", "--regexp-ignore-case"] if asked else []
        less = [f"^{refnames.require_sha(without)}"] if without else []
        return self._log(
            *asked, f"--max-count={size:d}", f"--skip={skip:d}", refnames.require_sha(sha), *less, "--", *below
        )

    def commit_count(self, sha: str) -> int:
        """How many commits led to this one, itself included."""
        return int(self._run("rev-list", "--count", refnames.require_sha(sha), "--"))

    def last_changes(self, sha: str, path: str = "", among: int = 500) -> dict[str, Commit]:
        """For each name in a folder the newest commit that touched it, as far as the last `among` commits tell."""
        prefix = f"{path}/" if refnames.require_path(path) else ""
        argv = [
            *_LOG,
            f"--format=%x01{_COMMIT_FORMAT}",
            "--name-only",
            "--no-renames",
            f"--max-count={among:d}",
        ]
        argv += [refnames.require_sha(sha), "--", *([path] if path else [])]
        try:
            words = self._run(*argv, cut=True, seconds=5).split(b"\x00")
        except Unavailable:
            return {}  # a very long history: the list does without its last column
        newest: dict[str, Commit] = {}
        at, commit = 0, None
        while at < len(words):
            word = words[at].removeprefix(b"\n")
            if word[:1] == b"\x01" and refnames.is_sha(word[1:].decode(errors="replace")):
                fields = [word[1:], *words[at + 1 : at + _COMMIT_FIELDS]]
                at += _COMMIT_FIELDS
                commit = _commit(fields) if len(fields) == _COMMIT_FIELDS else None
                continue
            name = word.decode(errors="replace")
            if name and commit and name.startswith(prefix):
                newest.setdefault(name[len(prefix) :].split("/")[0], commit)
            at += 1
        return newest

    def _log(self, *argv: str) -> list[Commit]:
        try:
            words = self._run(*_LOG, f"--format={_COMMIT_FORMAT}", *argv).split(b"\x00")
        except GitFailed as error:
            raise NotFound("That commit is not in this repository.") from error
        except OutputTooLarge as error:
            raise Invalid("These commit messages are too long to show; ask for fewer commits.") from error
        return [
            _commit(words[at : at + _COMMIT_FIELDS]) for at in range(0, len(words) - _COMMIT_FIELDS + 1, _COMMIT_FIELDS)
        ]

    # -- trees and files ----------------------------------------------------------------------------------

    def entry(self, sha: str, path: str) -> Entry:
        """What stands at a path of a commit; NotFound when nothing does."""
        refnames.require_sha(sha)
        if not refnames.require_path(path):
            return Entry("", "folder", "040000", f"{sha}^{{tree}}", None)
        for found in self._entries(sha, path):
            if found.path == path:
                return found
        raise NotFound(f"There is no {path} at this commit.")

    def tree(self, sha: str, path: str = "") -> list[Entry]:
        """What a folder holds at a commit: folders first, then files, by name."""
        folder = self.entry(sha, path)
        if folder.kind != "folder":
            raise Invalid(
                f"{path} is a {folder.kind}, not a folder.",
                fields={"path": "Not a folder."},
            )
        prefix = f"{path}/" if path else ""
        found = [Entry(prefix + e.path, e.kind, e.mode, e.sha, e.size_bytes) for e in self._entries(folder.sha)]
        return sorted(found, key=lambda e: (e.kind != "folder", e.path))

    def walk(self, sha: str) -> Iterator[Entry]:
        """Every file, link and submodule of a commit, whole paths."""
        return self._entries(refnames.require_sha(sha), recursive=True)

    def blobs(self, sha: str, paths: list[str]) -> dict[str, Entry]:
        """What stands at these paths of a commit, as far as anything does."""
        refnames.require_sha(sha)
        found: dict[str, Entry] = {}
        for at in range(0, len(paths), 500):
            some = [refnames.require_path(path) for path in paths[at : at + 500]]
            found |= {entry.path: entry for entry in self._entries(sha, *some)}
        return found

    def changed_paths(self, old: str, new: str) -> set[str]:
        """The paths that differ between two commits or trees; a renamed file is two of them."""
        pair = (refnames.require_sha(old), refnames.require_sha(new))
        said = self._run("diff-tree", "-r", "-z", "--name-only", "--no-renames", *pair, cap=process.OUTPUT_BYTES * 4)
        return {name.decode(errors="replace") for name in said.split(b"\x00") if name}

    def file(self, sha: str, path: str, limit: int = FILE_VIEW_BYTES) -> Blob:
        """A file's text at a commit, cut at `limit` bytes; a binary file is only named as such."""
        entry = self.entry(sha, path)
        if entry.kind not in ("file", "link"):
            raise Invalid(f"{path} is a {entry.kind}, not a file.", fields={"path": "Not a file."})
        content = self._run("cat-file", "blob", entry.sha, cap=limit, cut=True)
        is_binary = b"\x00" in content[:_SNIFF_BYTES]
        text = "" if is_binary else content.decode(errors="replace")
        return Blob(entry, is_binary, (entry.size_bytes or 0) > len(content), text)

    def blob(self, sha: str, cap: int) -> bytes:
        """An object's bytes by its id, up to `cap`; nothing for forty zeros."""
        none = refnames.require_sha(sha) == refnames.ZERO
        return b"" if none else self._run("cat-file", "blob", sha, cap=cap, cut=True)

    def size(self, sha: str) -> int:
        """An object's size in bytes."""
        return int(self._run("cat-file", "-s", refnames.require_sha(sha)))

    def content(self, entry: Entry, seconds: float = 300) -> Iterator[bytes]:
        """A file's bytes, piece by piece."""
        return process.stream(self.path, "cat-file", "blob", entry.sha, seconds=seconds, extra=self._extra)

    def _entries(self, tree: str, *paths: str, recursive: bool = False) -> Iterator[Entry]:
        argv = [
            "ls-tree",
            "-z",
            "-l",
            "--full-tree",
            *(["-r"] if recursive else []),
            "--",
            tree,
            *filter(None, paths),
        ]
        rest = b""
        try:
            with closing(process.stream(self.path, *argv, seconds=60, extra=self._extra)) as pieces:
                for piece in pieces:
                    *lines, rest = (rest + piece).split(b"\x00")
                    yield from map(_entry, lines)
        except GitFailed as error:
            raise NotFound("That commit is not in this repository.") from error

    # -- differences --------------------------------------------------------------------------------------

    def diff(self, old: str, new: str, *, path: str = "", context: int = 3) -> Diff:
        """What changed from one commit to another (old "" means from nothing), file by file, hunk by hunk."""
        before = refnames.require_sha(old) if old else refnames.EMPTY_TREE
        pair = [
            before,
            refnames.require_sha(new),
            "--",
            *([refnames.require_path(path)] if path else []),
        ]
        argv = [
            "diff-tree",
            "-r",
            "-z",
            "-M",
            "--no-color",
            "--no-ext-diff",
            "--no-textconv",
            "--full-index",
            "--no-abbrev",
        ]
        try:
            listed = parse_raw(
                self._run(
                    *argv,
                    "--raw",
                    "--numstat",
                    *pair,
                    cap=DIFF_BYTES,
                    cut=True,
                )
            )
            patch = self._run(
                *argv,
                "--patch",
                f"--unified={context:d}",
                *pair,
                cap=DIFF_BYTES,
                cut=True,
            )
        except GitFailed as error:
            raise NotFound("One of these commits is not in this repository.") from error
        files, is_cut = parse_patch(listed, patch, max_files=DIFF_FILES, is_cut=len(patch) >= DIFF_BYTES)
        return Diff(files, len(listed), is_cut)

    def merge_base(self, one: str, other: str) -> str:
        """The commit where two histories part; NotFound when they have nothing in common."""
        try:
            return (
                self._run(
                    "merge-base",
                    refnames.require_sha(one),
                    refnames.require_sha(other),
                )
                .decode()
                .strip()
            )
        except GitFailed as error:
            raise NotFound("These two have no common commit.") from error

    def batch(self) -> subprocess.Popen[bytes]:
        """A running `cat-file --batch`: an object id per line in, its content out."""
        return process.start(self.path, ["cat-file", "--batch"], stdin=subprocess.PIPE, **self._extra)


def _entry(line: bytes) -> Entry:
    head, _, name = line.partition(b"\t")
    mode, kind, sha, size = head.decode().split()
    kinds = {"tree": "folder", "commit": "submodule"}
    what = kinds.get(kind) or ("link" if mode == "120000" else "file")
    return Entry(
        name.decode(errors="replace"),
        what,
        mode,
        sha,
        None if size == "-" else int(size),
    )


def _commit(fields: list[bytes]) -> Commit:
    sha, parents, name, email, authored, committer, committed, subject, body = (
        f.decode(errors="replace") for f in fields
    )
    sha = re.sub(r"^\n", "", sha)
    return Commit(
        sha,
        tuple(parents.split()),
        name,
        email,
        _moment(authored),
        committer,
        _moment(committed),
        subject,
        body.strip(),
    )


def _moment(text: str) -> datetime | None:
    """A time that git printed; None when the commit's own text was no time."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
