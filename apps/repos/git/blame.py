"""Who last changed each line of a file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from apps.foundation.errors import Invalid, NotFound
from apps.repos import refnames

from .process import GitFailed, OutputTooLarge
from .reading import FILE_VIEW_BYTES, Repository

_HEAD = re.compile(r"([0-9a-f]{40}) \d+ (\d+)(?: (\d+))?")


@dataclass(frozen=True)
class Origin:
    """The commit a line comes from, as far as a gutter shows it."""

    sha: str
    author_name: str
    author_email: str
    at: datetime | None
    subject: str

    @property
    def short(self) -> str:
        """The first seven digits."""
        return self.sha[:7]


@dataclass(frozen=True)
class Stretch:
    """Neighbouring lines of the same commit: the first one's number and their text."""

    origin: Origin
    number: int
    lines: list[str]


def blame(repository: Repository, sha: str, path: str) -> list[Stretch]:
    """A file's lines at a commit, grouped by the commit that last changed them."""
    argv = ("blame", "--porcelain", refnames.require_sha(sha), "--", refnames.require_path(path))
    try:
        said = repository._run(*argv, cap=8 * FILE_VIEW_BYTES, seconds=15)
    except GitFailed as error:
        raise NotFound(f"There is no file {path} at this commit.") from error
    except OutputTooLarge as error:
        raise Invalid("This file is too long to show who changed its lines.") from error
    facts: dict[str, dict[str, str]] = {}
    stretches: list[Stretch] = []
    sha_now, number = "", 0
    for line in said.decode(errors="replace").split("\n"):
        if line.startswith("\t"):
            if not stretches or stretches[-1].origin.sha != sha_now:
                stretches.append(Stretch(_origin(sha_now, facts[sha_now]), number, []))
            stretches[-1].lines.append(line[1:])
        elif match := _HEAD.fullmatch(line):
            sha_now, number = match[1], int(match[2])
            facts.setdefault(sha_now, {})
        elif sha_now:
            word, _, rest = line.partition(" ")
            facts[sha_now].setdefault(word, rest)
    return stretches


def _origin(sha: str, said: dict[str, str]) -> Origin:
    seconds = said.get("author-time", "")
    at = datetime.fromtimestamp(int(seconds), UTC) if seconds.isdecimal() and len(seconds) < 12 else None
    email = said.get("author-mail", "").strip("<>")
    return Origin(sha, said.get("author", ""), email, at, said.get("summary", ""))
