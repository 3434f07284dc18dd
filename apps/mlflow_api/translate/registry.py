"""Models and versions in MLflow's shapes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from apps.access.scope import current_workspace
from apps.foundation.clock import to_millis
from apps.registry import queries
from apps.registry.models import ModelVersion, RegisteredModel, hex_of

STORE = "mlflow-artifacts:"
Shape = dict[str, Any]


def labels(tags: Mapping[str, str]) -> list[Shape]:
    """Tags as MLflow lists them."""
    return [{"key": key, "value": value} for key, value in sorted(tags.items())]


def present(shape: Shape) -> Shape:
    """The shape without what is empty; False, 0 and "" stay."""
    return {name: value for name, value in shape.items() if value is not None and value != [] and value != {}}


def version_shape(version: ModelVersion) -> Shape:
    """One version."""
    return present(
        {
            "name": version.model.name,
            "version": str(version.version),
            "creation_timestamp": to_millis(version.created_at),
            "last_updated_timestamp": to_millis(version.updated_at),
            "user_id": version.created_label or None,
            "current_stage": version.stage,
            "description": version.description,
            "source": version.source,
            "run_id": hex_of(version.run),
            "run_link": version.run_link,
            "status": version.status,
            "tags": labels(version.tags),
            "aliases": version.current_aliases,
            "model_id": f"m-{version.logged_model.hex}" if version.logged_model else None,
        }
    )


def version_shapes(versions: Iterable[ModelVersion]) -> list[Shape]:
    """Several versions; their aliases come by one query."""
    return [version_shape(version) for version in queries.attach_aliases(versions)]


def model_shapes(models: Iterable[RegisteredModel]) -> list[Shape]:
    """Several models, each with the newest version per stage: three queries for all."""
    rows = list(models)
    latest, aliases = queries.with_latest(rows), queries.aliases_of(rows)
    return [
        present(
            {
                "name": model.name,
                "creation_timestamp": to_millis(model.resource.created_at),
                "last_updated_timestamp": to_millis(model.resource.updated_at),
                "description": model.resource.description or None,
                "latest_versions": [version_shape(version) for version in latest[model.pk]],
                "tags": labels(model.tags),
                "aliases": [{"alias": alias, "version": str(number)} for alias, number in aliases[model.pk]],
                "workspace": current_workspace().name,
            }
        )
        for model in rows
    ]


def model_shape(model: RegisteredModel) -> Shape:
    """One model."""
    return model_shapes([model])[0]


def download_uri(version: ModelVersion) -> str:
    """Where a client gets a version's files: the frozen ones below our proxy; else where its source says."""
    return f"{STORE}/versions/{version.pk.hex}" if version.files_at else version.source
