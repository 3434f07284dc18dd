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
        from apps.tables.places import seed_main

        register_kind(
            "catalog",
            model="tables.Catalog",
            containers={"workspace"},
            icon="library",
            tile="table",
            separator=".",
            page=_tree,
        )
        register_kind(
            "schema",
            model="tables.Schema",
            containers={"catalog"},
            icon="folder",
            tile="table",
            separator=".",
            page=_tree,
        )
        register_kind("table", model="tables.Table", containers={"schema"}, icon="table-2", separator=".", page=_page)
        register_seeder(seed_main)


def _page(resource: Any) -> str:
    return f"tables/{resource.path}"


def _tree(resource: Any) -> str:
    return f"tables?in={resource.path}"
