"""The search over logged models: one query, with the metrics that count narrowed to the data sets that were asked about."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Any

from django.core import signing
from django.db import connection

from apps.access.actor import Actor
from apps.access.policy import visible
from apps.access.scope import current_workspace
from apps.experiments.models import Experiment, LoggedModel
from apps.experiments.search import Comparison, Entity, Operator
from apps.foundation.errors import Invalid

COLUMNS = {
    "name": "m.name",
    "model_id": "('m-' || replace(m.uuid::text, '-', ''))",
    "model_type": "m.model_type",
    "status": "m.status",
    "source_run_id": "replace(r.uuid::text, '-', '')",
    "creation_timestamp": "(extract(epoch from m.created_at) * 1000)::bigint",
    "last_updated_timestamp": "(extract(epoch from m.updated_at) * 1000)::bigint",
}
SIZE_MAX = 1_000
OFFSET_MAX = 1_000_000


@dataclass(frozen=True)
class DatasetChoice:
    """Metrics on this data set count; with any digest when none is given."""

    name: str
    digest: str = ""


@dataclass(frozen=True)
class ModelOrder:
    """One key of an order; what lacks it comes last."""

    entity: Entity
    key: str
    ascending: bool = True
    dataset: DatasetChoice | None = None


@dataclass(frozen=True)
class LoggedModelSearch:
    """Which logged models of which experiments (by number), in which order."""

    experiments: tuple[int, ...]
    where: tuple[Comparison, ...] = ()
    datasets: tuple[DatasetChoice, ...] = ()
    order: tuple[ModelOrder, ...] = ()
    size: int = 100
    token: str = ""


def find_logged_models(actor: Actor, search: LoggedModelSearch) -> tuple[list[LoggedModel], str]:
    """A page of logged models that the actor may see, and the token of the next one or the empty text."""
    experiments = {
        row.pk: row
        for row in visible(Experiment, actor).filter(number__in=search.experiments).select_related("resource")
    }
    size = max(1, min(search.size, SIZE_MAX))
    offset = _offset(search)
    if not experiments:
        return [], ""
    where, values = _where(search)
    order, order_values = _order(search)
    with connection.cursor() as cursor:
        cursor.execute(
            "select m.id from experiments_loggedmodel m left join experiments_run r on r.id = m.source_run_id"
            f" where m.workspace_id = %s and m.experiment_id = any(%s) and m.deleted_at is null{where}"
            f" order by {order}m.created_at desc, m.uuid limit %s offset %s",
            [current_workspace().pk, list(experiments), *values, *order_values, size + 1, offset],
        )
        ids = [row[0] for row in cursor.fetchall()]
    rows = LoggedModel.objects.select_related("source_run").in_bulk(ids[:size])
    models = [rows[id] for id in ids[:size]]
    for model in models:
        model.experiment = experiments[model.experiment_id]
    return models, _token(search, offset + size) if len(ids) > size else ""


def _where(search: LoggedModelSearch) -> tuple[str, list[Any]]:
    text, values = "", []
    for one in search.where:
        if one.entity is Entity.METRIC:
            narrow, narrow_values = _on(search.datasets)
            text += (
                " and exists (select 1 from experiments_modelmetric x where x.workspace_id = m.workspace_id"
                f" and x.model = m.uuid and x.key = %s and x.value {_sign(one.operator)} %s{narrow})"
            )
            values += [one.key, one.value, *narrow_values]
        else:
            side, side_values = _side(one)
            part, part_values = _compared(side, side_values, one)
            text, values = text + f" and {part}", values + part_values
    return text, values


def _side(one: Comparison) -> tuple[str, list[Any]]:
    if one.entity is Entity.ATTRIBUTE:
        return COLUMNS[one.key], []
    return f"(m.{'params' if one.entity is Entity.PARAM else 'tags'} ->> %s)", [one.key]


def _compared(side: str, side_values: list[Any], one: Comparison) -> tuple[str, list[Any]]:
    if one.operator in (Operator.IN, Operator.NOT_IN):
        test = "= any(%s)" if one.operator is Operator.IN else "<> all(%s)"
        return f"{side} {test}", [*side_values, list(one.value or ())]  # type: ignore[arg-type]
    if one.operator in (Operator.LIKE, Operator.ILIKE):
        return f"{side} {one.operator.value} %s escape ''", [*side_values, one.value]
    return f"{side} {_sign(one.operator)} %s", [*side_values, one.value]


def _sign(operator: Operator) -> str:
    return {"=": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}[operator.value]


def _on(datasets: tuple[DatasetChoice, ...]) -> tuple[str, list[Any]]:
    if not datasets:
        return "", []
    parts, values = [], []
    for dataset in datasets:
        parts.append("(x.dataset_name = %s" + (" and x.dataset_digest = %s)" if dataset.digest else ")"))
        values += [dataset.name, *([dataset.digest] if dataset.digest else [])]
    return f" and ({' or '.join(parts)})", values


def _order(search: LoggedModelSearch) -> tuple[str, list[Any]]:
    text, values = "", []
    for order in search.order:
        direction = "asc" if order.ascending else "desc"
        if order.entity is Entity.METRIC:
            narrow, narrow_values = _on((order.dataset,) if order.dataset else search.datasets)
            text += (
                "(select x.value from experiments_modelmetric x where x.workspace_id = m.workspace_id and x.model = m.uuid"
                f" and x.key = %s{narrow} order by x.timestamp desc, x.step desc, x.value desc limit 1) {direction} nulls last, "
            )
            values += [order.key, *narrow_values]
        else:
            text += f"{COLUMNS[order.key]} {direction} nulls last, "
    return text, values


def _fingerprint(search: LoggedModelSearch) -> str:
    said = repr((sorted(search.experiments), search.where, search.datasets, search.order))
    return base64.urlsafe_b64encode(hashlib.sha256(said.encode()).digest()[:12]).decode()


def _token(search: LoggedModelSearch, offset: int) -> str:
    return signing.dumps([_fingerprint(search), offset], salt="experiments.logged_models")


def _offset(search: LoggedModelSearch) -> int:
    if not search.token:
        return 0
    try:
        fingerprint, offset = signing.loads(search.token, salt="experiments.logged_models")
    except (signing.BadSignature, ValueError, TypeError):
        raise Invalid("Invalid page token: it is not one of this search.") from None
    if fingerprint != _fingerprint(search) or not 0 <= offset <= OFFSET_MAX:
        raise Invalid("Invalid page token: filter, order or experiments changed since it was given.")
    return offset
