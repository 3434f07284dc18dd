"""Registers with the audit what has to be told, with every object page its Watch button and activity, with Home what waits."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "apps.notifications"

    def ready(self) -> None:
        from apps.access import audit
        from apps.foundation.pages import Panel, register_panel
        from apps.notifications import events, panels, telling

        audit.witness("", telling.keep_for_later)
        audit.subscribe("", events.follow_audit)
        register_panel(Panel("object.action", 10, "notifications/_watch.html", panels.watch_button))
        register_panel(Panel("rail", 80, "notifications/_rail.html", panels.rail))
        register_panel(Panel("topbar", 10, "notifications/_bell_button.html", panels.bell))
        register_panel(Panel("home.needs", 30, "notifications/_needs.html", panels.needs))
        register_panel(Panel("home.side", 20, "notifications/_team.html", panels.team))
