"""Registers the kind `job`, its place in the side bar and the newest runs for the front page."""

from typing import Any

from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "apps.jobs"

    def ready(self) -> None:
        from apps.access.kinds import register_kind
        from apps.foundation.pages import NavItem, Panel, register_navigation, register_panel
        from apps.jobs import panels

        def page(resource: Any) -> str:
            return f"jobs/{resource.pk}"

        register_kind(
            "job",
            model="jobs.Job",
            containers={"workspace", "folder"},
            icon="chart-gantt",
            page=page,
            reads="Read its runs and logs",
            uses="Run it, cancel its runs",
            edits="Change code, parameters, limits",
            parts={"run": lambda job, run: f"jobs/runs/{run}"},
        )

        register_navigation(
            NavItem(
                "jobs", "Jobs", "chart-gantt", "jobs:list", group=4, key="j", count=panels.running_count, running=True
            )
        )
        register_panel(Panel("home.needs", 50, "jobs/_needs.html", panels.needs))
        register_panel(Panel("home.running", 10, "jobs/_running.html", panels.running))
        register_panel(Panel("admin.usage", 10, "jobs/_usage.html", panels.usage))
