"""Registers catalogs, schemas and tables, and gives each new workspace its `main.default`."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig


class TablesConfig(AppConfig):
    name = "apps.tables"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.access.kinds import register_kind
        from apps.access.workspaces import register_seeder
        from apps.foundation.pages import NavItem, Panel, register_navigation, register_panel
        from apps.lineage.nodes import register_node_page
        from apps.tables import difference, rowhistory, sampling, statistics  # noqa: F401  (they say how they are worked out)
        from apps.tables.panels import arriving
        from apps.tables.places import clean_name, seed_main

        register_kind(
            "catalog",
            model="tables.Catalog",
            containers={"workspace"},
            icon="library",
            tile="table",
            separator=".",
            page=_tree,
            clean=clean_name,
        )
        register_kind(
            "schema",
            model="tables.Schema",
            containers={"catalog"},
            icon="folder",
            tile="table",
            separator=".",
            page=_tree,
            clean=clean_name,
        )
        register_kind(
            "table",
            model="tables.Table",
            containers={"schema"},
            icon="table-2",
            separator=".",
            reads="Read rows, columns, lineage",
            edits="Write rows, describe columns, restore",
            page=_page,
            clean=clean_name,
        )
        register_seeder(seed_main)
        register_navigation(NavItem("tables", "Tables", "table-2", "tables:list", group=2, key="t", narrow=True))
        register_node_page("table_version", _version_page)
        register_panel(Panel("home.side", 50, "tables/_arriving.html", arriving))


def _page(resource: Any) -> str:
    return f"tables/{resource.path}"


def _tree(resource: Any) -> str:
    return f"tables?in={resource.path}"


def _version_page(place: Any) -> str:
    return f"tables/{place.resource_id or place.key}/history"
