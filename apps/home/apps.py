"""Registers the front page in the side bar."""

from django.apps import AppConfig


class HomeConfig(AppConfig):
    name = "apps.home"

    def ready(self) -> None:
        from apps.foundation.pages import NavItem, register_navigation

        register_navigation(NavItem("home", "Home", "house", "home:front", group=0, key="h", narrow=True))
