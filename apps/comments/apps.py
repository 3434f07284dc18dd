"""Registers the rail's section and the words of comments for those who may read them."""

from django.apps import AppConfig


class CommentsConfig(AppConfig):
    name = "apps.comments"

    def ready(self) -> None:
        from apps.access.excerpts import register_excerpts
        from apps.comments import pages, queries
        from apps.foundation.pages import Panel, register_panel

        register_excerpts("comment", queries.read_excerpts)
        register_panel(Panel("rail", 70, "comments/_rail.html", pages.rail))
