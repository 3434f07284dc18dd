"""Registers the front page and the starred things in the side bar, and the star on every object page."""

from django.apps import AppConfig


class HomeConfig(AppConfig):
    name = "apps.home"

    def ready(self) -> None:
        from apps.foundation.pages import NavItem, Panel, register_navigation, register_panel
        from apps.home.panels import mark, starred

        register_navigation(NavItem("home", "Home", "house", "home:front", group=0, key="h", narrow=True))
        register_panel(Panel("object.mark", 10, "home/_star.html", mark))
        register_panel(Panel("sidenav", 10, "home/_starred.html", starred))
