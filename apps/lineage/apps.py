"""Registers lineage in the side bar and in the rail of every object page."""

from django.apps import AppConfig


class LineageConfig(AppConfig):
    name = "apps.lineage"

    def ready(self) -> None:
        from apps.foundation.pages import NavItem, Panel, register_navigation, register_panel
        from apps.lineage.rail import mini_map

        register_navigation(NavItem("lineage", "Lineage", "waypoints", "lineage:list", group=4.5, key="l"))
        register_panel(Panel("rail", 50, "lineage/_rail.html", mini_map))
