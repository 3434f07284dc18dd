"""Registers the kind `repo`, its place in the side bar, its commits' pages, and repositories as a source of jobs' code."""

from typing import Any
from urllib.parse import quote

from django.apps import AppConfig


class ReposConfig(AppConfig):
    name = "apps.repos"

    def ready(self) -> None:
        from apps.access.kinds import register_kind
        from apps.foundation.pages import NavItem, register_navigation
        from apps.jobs.sources import register_source
        from apps.lineage.nodes import Place, register_node_page
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
        register_node_page("commit", commit_page)
        register_node_page("job_run", lambda place: f"jobs/runs/{place.key}")  # jobs and lineage do not know each other
        register_navigation(NavItem("repos", "Repos", "folder-git-2", "repos:list", group=1, key="r"))
        register_source("repo", RepoSource())
