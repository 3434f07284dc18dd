"""Registers the kind `repo`, its place in the side bar, its commits' pages, and repositories as a source of jobs' code."""

from typing import Any
from urllib.parse import quote

from django.apps import AppConfig

PRIVATE = (
    "open_checkout save_file rename_file delete_file discard_drafts commit_drafts switch_branch forget_branch pull push_branch "
    "fetch_remote cancel_sync"
).split()
WORDS = {
    "create_repo": "made {thing}",
    "clone_repo": "cloned {thing} from {url}",
    "change_remote": "changed where {thing} lives",
    "create_branch": "made branch {branch} of {thing}",
    "delete_branch": "deleted branch {before.branch} of {thing}",
    "set_default_branch": "made {branch} the default branch of {thing}",
}


def _moved(entry: Any) -> str:
    """`pushed main to flight-delays`."""
    names = [ref.removeprefix("refs/heads/").removeprefix("refs/tags/") for ref in entry.after]
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    return f"pushed {', '.join(names[:2])}{more} to {{thing}}"


class ReposConfig(AppConfig):
    name = "apps.repos"

    def ready(self) -> None:
        from apps.access.kinds import register_kind
        from apps.foundation.pages import NavItem, register_navigation
        from apps.jobs.sources import register_source
        from apps.lineage.nodes import Place, register_node_page
        from apps.notifications.words import hide_verb, register_words
        from apps.repos.source import RepoSource

        def page(resource: Any) -> str:
            return f"repos/{resource.pk}"

        def commit_page(place: Place) -> str:
            repo_id, _, sha = place.key.partition(":")
            return f"repos/{repo_id}/commits?commit={sha}"

        def line_page(resource: Any, rest: str) -> str:
            sha, _, place = rest.partition(":")
            return f"repos/{resource.pk}/commits?commit={sha}&at={quote(place, safe='')}"

        register_kind(
            "repo",
            model="repos.Repo",
            containers={"workspace", "folder"},
            icon="folder-git-2",
            page=page,
            parts={"diff": line_page},
            reads="Read, clone and fetch",
            uses="Run its code in jobs",
            edits="Push, branch, merge",
        )
        # What one does in one's own checkout is nobody else's news before it is pushed.
        hide_verb(*(f"repos.{verb}" for verb in PRIVATE))
        for verb, words in WORDS.items():
            register_words(f"repos.{verb}", words)
        register_words("repos.refs_moved", _moved)
        register_node_page("commit", commit_page)
        register_node_page("job_run", lambda place: f"jobs/runs/{place.key}")  # jobs and lineage do not know each other
        register_navigation(NavItem("repos", "Repos", "folder-git-2", "repos:list", group=1, key="r"))
        register_source("repo", RepoSource())
