"""Registers the kind `job`, its place in the side bar and the newest runs for the front page."""

from typing import Any

from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "apps.jobs"

    def ready(self) -> None:
        from apps.access.kinds import register_kind
        from apps.foundation.pages import NavItem, Panel, register_navigation, register_panel

        def page(resource: Any) -> str:
            return f"jobs/{resource.pk}"

        register_kind("job", model="jobs.Job", containers={"workspace", "folder"}, icon="chart-gantt", page=page)

        def running(request: Any) -> int | None:
            from apps.jobs.pages import running_count

            return running_count(request)

        def newest(request: Any) -> dict[str, Any] | None:
            from apps.jobs.pages import panel

            return panel(request)

        register_navigation(
            NavItem("jobs", "Jobs", "chart-gantt", "jobs:list", group=4, key="j", count=running, running=True)
        )

        def failed(request: Any) -> dict[str, Any] | None:
            from apps.jobs.pages import failed_panel

            return failed_panel(request)

        register_panel(Panel("home.main", 10, "jobs/_failed_panel.html", failed))
        register_panel(Panel("home.side", 10, "jobs/_panel.html", newest))
