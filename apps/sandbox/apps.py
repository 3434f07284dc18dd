"""The room's entry in Django; it has no tables, what it knows lies in the home's `guests` folder."""

from django.apps import AppConfig


class SandboxConfig(AppConfig):
    name = "apps.sandbox"
