"""Django's handle on the room."""

from django.apps import AppConfig


class LineageConfig(AppConfig):
    name = "apps.lineage"
