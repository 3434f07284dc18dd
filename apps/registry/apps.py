"""Registers registered models as a kind of resource."""

from typing import Any

from django.apps import AppConfig


class RegistryConfig(AppConfig):
    name = "apps.registry"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.access.kinds import register_kind

        register_kind(
            "registered_model",
            model="registry.RegisteredModel",
            containers={"schema"},
            label="model",
            icon="box",
            tile="model",
            separator=".",
            page=_page,
        )


def _page(resource: Any) -> str:
    return f"models/{resource.pk}"
