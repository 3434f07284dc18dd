"""Registers the endpoint as a kind."""

from django.apps import AppConfig


class DeploymentsConfig(AppConfig):
    name = "apps.deployments"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.access.kinds import register_kind

        register_kind(
            "endpoint",
            model="deployments.Endpoint",
            containers={"workspace", "folder"},
            icon="rocket",
            tile="endpoint",
            page=lambda resource: f"endpoints/{resource.pk}",
        )
