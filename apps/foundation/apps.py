"""Django's handle on the ground."""

from django.apps import AppConfig


class FoundationConfig(AppConfig):
    name = "apps.foundation"
