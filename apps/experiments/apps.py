"""Registers experiments as a kind of resource, and the `Default` experiment of each new workspace."""

from django.apps import AppConfig


class ExperimentsConfig(AppConfig):
    name = "apps.experiments"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.access.kinds import register_kind
        from apps.access.workspaces import register_seeder
        from apps.experiments.activities import check_run, find_run_node
        from apps.experiments.defaults import make_default
        from apps.foundation.pages import NavItem, register_navigation
        from apps.lineage.nodes import register_node_page
        from apps.tables.activities import register_activity

        register_kind(
            "experiment",
            model="experiments.Experiment",
            containers={"workspace", "folder"},
            label="experiment",
            icon="flask-conical",
            reads="Read runs, metrics, artifacts",
            edits="Log runs, change and delete them, tags, text",
            page=lambda resource: f"experiments/{resource.pk}",
            parts={"run": lambda experiment, run: f"runs/{run}"},
        )
        register_seeder(make_default)
        register_activity("run", check=check_run, node=find_run_node)
        register_node_page("run", lambda place: f"runs/{place.key.replace('-', '')}")
        register_navigation(
            NavItem("experiments", "Experiments", "flask-conical", "experiments:list", group=3, key="e", narrow=True)
        )
