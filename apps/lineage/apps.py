"""Registers lineage in the side bar."""

from django.apps import AppConfig


class LineageConfig(AppConfig):
    name = "apps.lineage"

    def ready(self) -> None:
        from apps.foundation.pages import NavItem, register_navigation

        register_navigation(NavItem("lineage", "Lineage", "waypoints", "lineage:list", group=4.5, key="l"))
