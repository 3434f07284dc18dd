"""Repositories as the source of jobs' code; registered with the jobs room, which knows no git."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from apps.access.models import Resource
from apps.foundation.errors import NotFound
from apps.jobs.sources import Described, Packed, Patch
from apps.lineage.recorder import Node, observe_read
from apps.repos import git, queries
from apps.repos.diffs import FileDiff
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

    def describe(self, resource: Resource, commit: str) -> Described | None:
        """What people read of a commit, or None."""
        try:
            found = _repo(resource).git.commit(commit)
        except NotFound:
            return None
        return Described(found.subject, found.body, found.author_name, found.authored_at)

    def patch(self, resource: Resource, base: str, head: str) -> Patch | None:
        """What differs between two commits, or None."""
        try:
            diff = _repo(resource).git.diff(base, head)
        except NotFound:
            return None
        text = "".join(line for file in diff.files for line in _unified(file))
        return Patch(text, diff.file_count, diff.is_cut or any(file.is_cut for file in diff.files))

    def compare_page(self, resource: Resource, base: str, head: str) -> str:
        """The page that compares two commits."""
        return f"repos/{resource.pk}/compare?base={base}&head={head}&direct=on"

    def page(self, resource: Resource, commit: str) -> str:
        """The commit's page."""
        return f"repos/{resource.pk}/commits?commit={commit}"


def _unified(file: FileDiff) -> Iterator[str]:
    old, new = file.old_path or file.path, file.path
    yield f"diff --git a/{old} b/{new}\n--- a/{old}\n+++ b/{new}\n"
    if file.is_binary:
        yield "Binary files differ\n"
    for hunk in file.hunks:
        had = sum(line.kind != "add" for line in hunk.lines)
        has = sum(line.kind != "del" for line in hunk.lines)
        yield f"@@ -{hunk.old_start},{had} +{hunk.new_start},{has} @@ {hunk.heading}\n"
        for line in hunk.lines:
            yield {"same": " ", "add": "+", "del": "-"}[line.kind] + line.text + "\n"


def _repo(resource: Resource) -> Repo:
    return Repo.objects.select_related("resource").get(pk=resource.pk)
