"""What outsiders see, under review: the OpenAPI document and the list of operations. `manage.py verify --update` rewrites them."""

from __future__ import annotations

import json
import os
from pathlib import Path

from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from apps.access.operation import operations

HERE = Path(__file__).parent / "snapshots"


def check(name: str, text: str) -> None:
    path = HERE / name
    if os.environ.get("BOATHOUSE_UPDATE_SNAPSHOTS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert path.exists() and path.read_text() == text, f"{name} changed: review it, then manage.py verify --update"


def test_openapi_document(db: None) -> None:
    schema = SchemaGenerator().get_schema(request=None, public=True)
    check("openapi.json", json.dumps(schema, indent=1, sort_keys=True, default=str) + "\n")


def test_operations(db: None) -> None:
    Client().get("/livez")
    lines = [
        f"{name}\t{item.needs.word if item.needs else 'own'}\t{item.on}\t{item.summary}"
        for name, item in sorted(operations.items())
    ]
    check("operations.tsv", "\n".join(lines) + "\n")
