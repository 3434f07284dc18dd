"""Registers registered models as a kind of resource, their place in the side bar, and where versions have their pages."""

from typing import Any

from django.apps import AppConfig


class RegistryConfig(AppConfig):
    name = "apps.registry"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.access.kinds import register_kind
        from apps.experiments.uses import register_uses
        from apps.foundation.pages import NavItem, Panel, register_navigation, register_panel
        from apps.lineage.nodes import Place, register_node_page
        from apps.registry import panels
        from apps.registry.uses import TELLER

        def page(resource: Any) -> str:
            return f"models/{resource.pk}"

        def version_page(place: Place) -> str:
            return f"models/{place.key}/versions/{place.version}"

        register_kind(
            "registered_model",
            model="registry.RegisteredModel",
            containers={"schema"},
            label="model",
            icon="box",
            tile="model",
            reads="Read versions, metrics, lineage",
            uses="Load and score in code, jobs, endpoints",
            edits="Register versions, aliases, text, tags",
            separator=".",
            page=page,
            parts={"version": lambda model, number: f"models/{model.pk}/versions/{number}"},
        )
        register_node_page("model_version", version_page)
        register_navigation(NavItem("models", "Models", "box", "models:list", group=3, key="m", narrow=True))
        register_panel(Panel("home.needs", 10, "registry/_waiting.html", panels.waiting))
        register_uses(TELLER)
