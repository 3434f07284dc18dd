"""Registers the kind `repo`."""

from typing import Any

from django.apps import AppConfig


class ReposConfig(AppConfig):
    name = "apps.repos"

    def ready(self) -> None:
        from apps.access.kinds import register_kind

        def page(resource: Any) -> str:
            return f"repos/{resource.pk}"

        register_kind("repo", model="repos.Repo", containers={"workspace", "folder"}, icon="folder-git-2", page=page)
