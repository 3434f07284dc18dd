"""Registers the kind `job`."""

from typing import Any

from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "apps.jobs"

    def ready(self) -> None:
        from apps.access.kinds import register_kind

        def page(resource: Any) -> str:
            return f"jobs/{resource.pk}"

        register_kind("job", model="jobs.Job", containers={"workspace", "folder"}, icon="chart-gantt", page=page)
