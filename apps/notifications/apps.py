"""Registers with the audit what has to be told, with every object page its Watch button and activity, with Home what waits."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "apps.notifications"

    def ready(self) -> None:
        from apps.access import audit
        from apps.foundation.pages import Panel, register_panel
        from apps.notifications import events, pages, telling, waiting

        audit.witness("", telling.keep_for_later)
        audit.subscribe("", events.follow_audit)
        waiting.register_waiting(waiting.unread_that_asks)
        register_panel(Panel("object.action", 10, "notifications/_watch.html", pages.watch_button))
        register_panel(Panel("rail", 80, "notifications/_rail.html", pages.rail))
