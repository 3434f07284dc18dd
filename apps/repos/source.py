"""Repositories as the source of jobs' code; registered with the jobs room, which knows no git."""

from __future__ import annotations

from pathlib import Path

from apps.access.models import Resource
from apps.foundation.errors import NotFound
from apps.jobs.sources import Packed
from apps.lineage.recorder import Node, observe_read
from apps.repos import git, queries
from apps.repos.models import Repo
from apps.repos.operations import commit_node

READ_BYTES = 2 << 20


class RepoSource:
    """See apps/jobs/sources.py for what each answers."""

    def resolve(self, resource: Resource, ref: str) -> str:
        """The commit that a ref names."""
        return queries.resolve(_repo(resource), ref)

    def read(self, resource: Resource, commit: str, path: str) -> bytes | None:
        """A small file's bytes, or None."""
        repo = _repo(resource)
        try:
            entry = repo.git.entry(commit, path)
        except NotFound:
            return None
        if entry.kind != "file":
            return None
        content = b""
        for piece in repo.git.content(entry):
            content += piece
            if len(content) > READ_BYTES:
                break
        return content

    def keep(self, resource: Resource, commit: str) -> None:
        """Keep the commit whatever becomes of its branch."""
        _repo(resource).git.keep(commit)

    def pack(self, resource: Resource, commit: str, target: Path) -> Packed:
        """The commit's files as a tar file."""
        done = git.export_tar(_repo(resource).git, commit, target)
        return Packed(done.file_count, done.total_bytes, [f"{path} ({why})" for path, why in done.left_out])

    def observe_use(self, resource: Resource, commit: str, run_id: str, run_name: str, job: Resource) -> None:
        """Lineage: the run read the commit."""
        observe_read(Node("job_run", run_id, name=run_name, resource=job), commit_node(_repo(resource), commit))

    def page(self, resource: Resource, commit: str) -> str:
        """The commit's page."""
        return f"repos/{resource.pk}/commits?commit={commit}"


def _repo(resource: Resource) -> Repo:
    return Repo.objects.select_related("resource").get(pk=resource.pk)
