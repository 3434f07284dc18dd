"""Pages of the registry: models, a model with its lanes, a version with its stage, schema and files."""

from __future__ import annotations

import mimetypes
from typing import Any
from urllib.parse import quote

from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from apps.access.levels import Level
from apps.access.policy import level_of
from apps.experiments import artifacts
from apps.experiments.search import Comparison, Entity, Operator
from apps.foundation.errors import Invalid
from apps.foundation.pages import Frame, Tab, go, page, page_url, parse_filter
from apps.foundation.paging import page as page_of
from apps.registry import gates, operations, queries, stages, transitions
from apps.registry.api import model_of
from apps.registry.models import ModelVersion, RegisteredModel
from apps.registry.names import check_model_name
from apps.registry.search import RegistrySearch, find_models

LANE_MAX = 12


@page("registry/list.html", methods=["GET", "POST"])
def list_models(request: HttpRequest) -> dict[str, Any] | HttpResponse:
    """The models one may see, with what is in Staging and Production; make a new one."""
    actor = request.actor  # type: ignore[attr-defined]
    if request.method == "POST":
        name = request.POST.get("name", "").strip()
        home = queries.home_of(actor, check_model_name(name))
        description = request.POST.get("description", "").strip()
        made = operations.create_model(actor=actor, home=home, name=name, description=description)
        return go(request, page_url(request, "models:detail", model=made.pk), say=f"{made.name} made")
    wanted = parse_filter(request, [])
    where = ()
    if wanted.words:
        where = (Comparison(Entity.ATTRIBUTE, "name", Operator.ILIKE, f"%{wanted.words}%"),)
    found = find_models(actor, RegistrySearch(where, token=request.GET.get("page_token") or ""))
    latest = queries.with_latest(found.items)
    rows = [(model, {version.stage: version for version in latest[model.pk]}) for model in found.items]
    return {"page_title": "Models", "page": found, "rows": rows, "filter": wanted}


@page("registry/model.html", methods=["GET", "POST"])
def detail(request: HttpRequest, model: str) -> dict[str, Any] | HttpResponse:
    """A model: its versions by stage, and all of them."""
    found, context = _open(request, model, "detail")
    if request.method == "POST":
        source = request.POST.get("source", "").strip()
        made = operations.create_version(actor=request.actor, model=found, source=source)  # type: ignore[attr-defined]
        return go(request, _address(request, made), say=f"Version {made.version} registered")
    rows = page_of(queries.versions_of(found), order=("-version",), token=request.GET.get("page_token"))
    queries.attach_aliases(rows.items)
    lanes = [(stage, *queries.lane(found, stage, LANE_MAX)) for stage in stages.STAGES]
    return context | {"page": rows, "lanes": lanes}


@page("registry/history.html")
def history(request: HttpRequest, model: str) -> dict[str, Any]:
    """Which version was in which stage when."""
    found, context = _open(request, model, "history")
    periods = page_of(queries.stage_history(found), order=("-valid_from", "-id"), token=request.GET.get("page_token"))
    return context | {"page": periods, "aliases": queries.alias_history(found).order_by("-valid_from")[:50]}


@page("registry/settings.html", methods=["GET", "POST"])
def settings(request: HttpRequest, model: str) -> dict[str, Any] | HttpResponse:
    """Gates, name, trash."""
    found, context = _open(request, model, "settings")
    if request.method == "POST":
        stage = request.POST.get("stage", "")
        transitions.set_gate(
            actor=request.actor,  # type: ignore[attr-defined]
            model=found,
            stage=stage,
            level=request.POST.get("level") or None,
            two_people=request.POST.get("two_people") == "on",
            keepers=[name for name in request.POST.get("keepers", "").replace(",", "\n").split("\n") if name.strip()],
        )
        return go(request, page_url(request, "models:settings", model=found.pk), say=f"The gate of {stage} changed")
    return context | {
        "gates": gates.known(found),
        "levels": [(level.word, f"Can {level.word}") for level in stages.GATE_LEVELS],
    }


@page("registry/version.html", methods=["GET", "POST"])
def version(request: HttpRequest, model: str, number: int) -> dict[str, Any] | HttpResponse:
    """A version: where it stands, what it takes and gives, its files; move it, alias it."""
    actor = request.actor  # type: ignore[attr-defined]
    found, context = _open(request, model, "detail")
    chosen = queries.numbered(found, number)
    if request.method == "POST":
        return _change(request, chosen)
    level = level_of(actor, found.resource) or Level.VIEW
    groups = gates.groups_of(actor)
    moves = [
        (stage, gates.level_needed(gates.known(found), actor, groups, chosen.stage, stage))
        for stage in stages.STAGES
        if stage != chosen.stage
    ]
    crumbs = [
        ("Models", page_url(request, "models:list")),
        (found.name, page_url(request, "models:detail", model=found.pk)),
    ]
    frame = Frame(
        "version", f"{found.name} v{chosen.version}", crumbs,
        resource=found.resource, part=f"version:{chosen.version}", node=("model_version", found.pk, chosen.version),
        copy=[("Model URI", f"models:/{found.name}/{chosen.version}")],
        snippets={"Python": f'import mlflow\n\nmodel = mlflow.pyfunc.load_model("models:/{found.name}/{chosen.version}")'},
    )  # fmt: skip
    folder = request.GET.get("path", "")
    files = artifacts.list_entries(queries.version_place(chosen, folder)) if chosen.files_at else []
    return context | {
        "page_title": frame.name,
        "frame": frame,
        "version": chosen,
        "moves": [(stage, gate.word, level >= gate) for stage, gate in moves],
        "periods": queries.stage_history(found).filter(version=chosen).order_by("valid_from", "id"),
        "schema": _schema(chosen.facts.get("signature") or {}),
        "files": files,
        "folder": folder,
        "uri": f"models:/{found.name}/{chosen.version}",
        "path": f"{folder}/" if folder else "",
    }


@page("registry/version.html")
def file(request: HttpRequest, model: str, number: int) -> HttpResponseBase:
    """One of a version's files, as a download that no browser runs."""
    found = model_of(request.actor, model)  # type: ignore[attr-defined]
    place = queries.version_place(queries.numbered(found, number), request.GET.get("path", ""))
    name = place.steps[-1] if place.steps else ""
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    answer = FileResponse(artifacts.open_file(place), content_type=kind)
    answer["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    answer["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return answer


def _open(request: HttpRequest, key: str, section: str) -> tuple[RegisteredModel, dict[str, Any]]:
    """The model, and what all of its sections show."""
    actor = request.actor  # type: ignore[attr-defined]
    model = model_of(actor, key)
    level = level_of(actor, model.resource) or Level.VIEW
    count = queries.versions_of(model).count()
    names = [("Versions", "detail", count), ("History", "history", None)]
    names += [("Settings", "settings", None)] if level >= Level.EDIT else []
    tabs = [
        Tab(label, page_url(request, f"models:{name}", model=model.pk), number, name == section)
        for label, name, number in names
    ]
    crumbs = [("Models", page_url(request, "models:list"))]
    frame = Frame(
        "model", model.name, crumbs, tabs, copy=[("Name", model.name)], resource=model.resource,
        snippets={"Python": f'import mlflow\n\nmodel = mlflow.pyfunc.load_model("models:/{model.name}/Production")'},
    )  # fmt: skip
    context = {"page_title": model.name, "frame": frame, "model": model, "is_empty": not count}
    return model, context | {"edits": level >= Level.EDIT, "manages": level >= Level.MANAGE}


def _schema(signature: dict[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Part, name, type and whether optional, of each column that a signature names. Nothing in it is taken for granted."""
    rows = []
    for part in ("inputs", "outputs", "params"):
        for column in signature.get(part) or []:
            if isinstance(column, dict):
                tensor = column.get("tensor-spec")
                spec = tensor if isinstance(tensor, dict) else column
                kind = f"{spec.get('dtype') or spec.get('type', '')} {spec.get('shape') or ''}".strip()
                rows.append(
                    (part.capitalize(), str(column.get("name", ""))[:300], kind[:300], column.get("required") is False)
                )
    return rows


def _change(request: HttpRequest, chosen: ModelVersion) -> HttpResponse:
    wish: dict[str, Any] = {"actor": request.actor, "model": chosen.model}  # type: ignore[attr-defined]
    said, here = request.POST, _address(request, chosen)
    match said.get("act"):
        case "move":
            stage = said.get("stage", "")
            operations.move_to_stage(
                **wish,
                version=chosen,
                stage=stage,
                archive_existing=said.get("archive") == "on",
                comment=said.get("comment", ""),
            )
            return go(request, here, say=f"Version {chosen.version} is in {stage}")
        case "alias":
            operations.set_alias(**wish, version=chosen, alias=said.get("alias", "").strip())
            return go(request, here, say=f"@{said.get('alias')} means version {chosen.version} now")
        case "unalias":
            operations.delete_alias(**wish, alias=said.get("alias", ""))
            return go(request, here, say=f"@{said.get('alias')} taken away")
        case "describe":
            operations.update_version(**wish, version=chosen, description=said.get("description", ""))
            return go(request, here, say="Description changed")
        case "delete":
            operations.delete_version(**wish, version=chosen)
            return go(
                request,
                page_url(request, "models:detail", model=chosen.model.pk),
                say=f"Version {chosen.version} deleted",
            )
    raise Invalid("That button is not one of this page.")


def _address(request: HttpRequest, version: ModelVersion) -> str:
    return page_url(request, "models:version", model=version.model.pk, number=version.version)
