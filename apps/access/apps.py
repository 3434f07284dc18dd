"""Registers the kinds that access itself has: the workspace's root and folders."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccessConfig(AppConfig):
    name = "apps.access"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.access import panels, rail
        from apps.access.kinds import register_kind
        from apps.access.pages import sharing
        from apps.access.rls import grant_app_role
        from apps.foundation.pages import NavItem, Panel, register_navigation, register_panel

        register_kind("workspace", model="access.Resource", containers=set(), icon="house")
        register_kind("folder", model="access.Resource", containers={"workspace", "folder"}, icon="folder", tile="repo")

        register_navigation(NavItem("admin", "Admin", "shield", "admin:members", group=4.9))
        register_panel(Panel("rail", 10, "access/rail/_about.html", rail.about))
        register_panel(Panel("rail", 20, "access/rail/_owner.html", rail.owner))
        register_panel(Panel("rail", 30, "access/rail/_tags.html", rail.tags))
        register_panel(Panel("home.side", 60, "access/_people.html", panels.people))
        register_panel(Panel("rail", 60, "access/rail/_access.html", rail.access))
        register_panel(Panel("home.needs", 20, "access/_needs.html", sharing.waiting))
        register_panel(Panel("error.denied", 10, "access/_ask.html", sharing.denied))
        register_panel(Panel("error.missing", 10, "access/_near.html", sharing.near))

        def grant(using: str, **_: Any) -> None:
            if using == "owner":
                grant_app_role()

        post_migrate.connect(grant, sender=self, weak=False, dispatch_uid="access.grant_app_role")
