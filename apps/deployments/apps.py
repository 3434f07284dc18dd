"""Registers the endpoint as a kind, and tells the registry where versions are served."""

from django.apps import AppConfig


class DeploymentsConfig(AppConfig):
    name = "apps.deployments"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.access.kinds import register_kind
        from apps.deployments import serves
        from apps.deployments.panels import deploy, live
        from apps.foundation.pages import NavItem, Panel, register_navigation, register_panel
        from apps.registry.serving import Source, register_serving

        register_kind(
            "endpoint",
            model="deployments.Endpoint",
            containers={"workspace", "folder"},
            icon="radio-tower",
            tile="endpoint",
            reads="Read versions, requests and numbers",
            uses="Ask it for predictions",
            edits="Change what it serves, its size, its log",
            page=lambda resource: f"endpoints/{resource.pk}",
        )
        register_navigation(
            NavItem("deployments", "Deployments", "radio-tower", "deployments:list", group=3.3, key="d")
        )
        register_panel(Panel("home.main", 20, "deployments/_home.html", live))
        register_panel(Panel("object.action", 10, "deployments/_deploy.html", deploy))
        register_serving(Source(serves.now, serves.past))
