"""The page of a new endpoint: what it may serve, and what is known beforehand about the choice."""

from __future__ import annotations

from typing import Any

from django.conf import settings as conf
from django.http import HttpRequest, HttpResponse

from apps.access.levels import Level
from apps.access.queries import find_parent
from apps.deployments import choices, logs, operations, queries
from apps.foundation.errors import Invalid, NotFound
from apps.foundation.pages import go, page, page_url
from apps.registry import queries as registry
from apps.registry import standing
from apps.registry.models import RegisteredModel

VERSIONS = 8


@page("deployments/new.html", methods=["GET", "POST"], fragments={"checks": "deployments/_checks.html"})
def new(request: HttpRequest) -> dict[str, Any] | HttpResponse:
    """A form for an endpoint, with what is checked before it starts."""
    actor = request.actor  # type: ignore[attr-defined]
    said = request.POST if request.method == "POST" else request.GET
    context: dict[str, Any] = {"page_title": "New endpoint", "models": queries.list_models(actor)}
    name = said.get("model", "").strip()
    if not name:
        return context
    try:
        model = registry.get_model(actor, name, Level.USE)
    except NotFound:
        raise Invalid(fields={"model": "There is no such model, or you may not know of it."}) from None
    if request.method == "POST":
        return _create(request, model)
    rows = list(registry.versions_of(model).order_by("-version")[:VERSIONS])
    targets = choices.targets_of(model)
    chosen = choices.chosen(said.get("target", ""), targets, rows)
    shown = standing.standings(actor, registry.attach_aliases(rows))
    target = standing.target_of(shown)
    standing.measure(shown, target, None)
    endpoint = said.get("name", "").strip() or choices.free_name(model)
    return context | {
        "model": model,
        "targets": targets,
        "rows": shown,
        "metric": target,
        "chosen": chosen,
        "built": choices.built(rows),
        "name": endpoint,
        "folders": choices.folders(actor),
        "known": choices.known(actor, chosen, said.get("folder", "/").strip() or "/"),
        "table": said.get("inference_table", "").strip() or logs.table_name(endpoint, model),
        "code": _curl(endpoint),
    }


def _create(request: HttpRequest, model: RegisteredModel) -> HttpResponse:
    said, actor = request.POST, request.actor  # type: ignore[attr-defined]
    follows, _, value = said.get("target", "").partition(":")
    replicas = said.get("replicas", "1").strip() or "1"
    if not replicas.isdecimal() or len(replicas) > 3:
        raise Invalid(fields={"replicas": "Give a number."})
    try:
        parent = find_parent(actor, None, said.get("folder", "/").strip() or "/")
    except NotFound:
        raise Invalid(fields={"folder": "There is no such folder, or it is not shared with you."}) from None
    wish = {name: said.get(name, "").strip() for name in ("name", "description", "inference_table")}
    endpoint = operations.create_endpoint(
        actor=actor, parent=parent, model=model, follows=follows, value=value, replicas=int(replicas), **wish
    )
    return go(request, page_url(request, "deployments:detail", endpoint_id=endpoint.pk), say=f"{endpoint.name} starts")


def _curl(name: str) -> str:
    return (
        f'curl -X POST "{conf.BOATHOUSE_URL}/serving-endpoints/{name}/invocations" \\\n'
        '  -H "Authorization: Bearer $BOATHOUSE_TOKEN" \\\n  -H "Content-Type: application/json" \\\n  -d @example.json'
    )
