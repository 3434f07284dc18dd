"""Where a job's code comes from. Rooms above register theirs (repos does), so that jobs knows commits without knowing git."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from apps.access.models import Resource
from apps.foundation.errors import Invalid


@dataclass(frozen=True)
class Packed:
    """What was put into a source's tar file, and a sentence for each thing left out."""

    file_count: int
    total_bytes: int
    left_out: list[str]


@dataclass(frozen=True)
class Described:
    """A commit as people read it."""

    subject: str
    body: str
    author: str
    at: datetime | None


@dataclass(frozen=True)
class Patch:
    """A unified diff; `is_cut` says that not all of it is here."""

    text: str
    file_count: int
    is_cut: bool


class Source(Protocol):
    """A kind of resource that has commits."""

    def resolve(self, resource: Resource, ref: str) -> str:
        """The commit that a ref names ("": the default one); raises NotFound."""

    def read(self, resource: Resource, commit: str, path: str) -> bytes | None:
        """A small file's bytes at a commit, or None when there is none."""

    def keep(self, resource: Resource, commit: str) -> None:
        """Keep the commit for as long as the resource stands."""

    def pack(self, resource: Resource, commit: str, target: Path) -> Packed:
        """Write the commit's files into a tar file."""

    def observe_use(self, resource: Resource, commit: str, run_id: str, run_name: str, job: Resource) -> None:
        """Record in lineage that a job run read the commit."""

    def describe(self, resource: Resource, commit: str) -> Described | None:
        """What people read of a commit, or None when it is not there any more."""

    def patch(self, resource: Resource, base: str, head: str) -> Patch | None:
        """What differs between two commits, or None when one of them is not there any more."""

    def compare_page(self, resource: Resource, base: str, head: str) -> str:
        """The address of the page that compares two commits, below `/w/<workspace>/`."""

    def page(self, resource: Resource, commit: str) -> str:
        """The address of the commit's page below `/w/<workspace>/`."""


_sources: dict[str, Source] = {}


def register_source(kind: str, source: Source) -> None:
    """Make a kind of resource one that jobs can take code from."""
    _sources[kind] = source


def kinds_of_source() -> list[str]:
    """The kinds of resource that have code."""
    return sorted(_sources)


def live(resource: Resource | None) -> Resource:
    """The resource itself. Raises Invalid when it is gone or in the trash."""
    if resource is None or resource.deleted_at is not None:
        raise Invalid("The repository of this job is gone; choose another one.", code="source_gone")
    return resource


def source_of(resource: Resource | None) -> Any:
    """The source for a resource. Raises Invalid for one without code."""
    resource = live(resource)
    if resource.kind not in _sources:
        raise Invalid(
            fields={"source_id": f"A {resource.kind} has no code to run; choose one of: {', '.join(_sources)}."}
        )
    return _sources[resource.kind]
