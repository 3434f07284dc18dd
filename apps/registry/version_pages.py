"""Pages of a model version: where it stands, what is asked, how it differs, what it takes, its files and its story."""

from __future__ import annotations

import json
import mimetypes
import pprint
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from django.conf import settings as conf
from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from apps.access.levels import Level
from apps.access.policy import level_of
from apps.experiments import artifacts
from apps.foundation.errors import Invalid, NotFound
from apps.foundation.pages import Frame, Tab, go, page, page_url
from apps.registry import (
    checks,
    gates,
    operations,
    pages,
    queries,
    requests,
    serving,
    signatures,
    stages,
    standing,
    timeline,
    transitions,
)
from apps.registry.api import model_of
from apps.registry.models import ModelVersion, TransitionRequest

EXAMPLE, EXAMPLE_BYTES = "serving_input_example.json", 64 * 1024
PREVIEW_BYTES = 64 * 1024
TEXTS = {".json", ".txt", ".yaml", ".yml", ".md", ".py", ".csv", ""}


@page("registry/version.html", methods=["GET", "POST"])
def version(request: HttpRequest, model: str, number: int) -> dict[str, Any] | HttpResponse:
    """What is asked about it, its stages, its numbers and differences against Production, how to use it."""
    actor = request.actor  # type: ignore[attr-defined]
    chosen, context = _open(request, model, number, "version")
    if request.method == "POST":
        return _change(request, chosen)
    row: standing.Standing = context["row"]
    production = standing.in_production(actor, chosen.model)
    before = (
        production if production and production.version.pk != chosen.pk else _predecessor(request, chosen, production)
    )
    compared = standing.compare(before, row) if before else None
    target = standing.target_of([row, before] if before else [row])
    waiting = [one for one in context["all_waiting"] if one.version_id == chosen.pk]
    served: list[serving.Serving] = context["served"]
    found_gates = gates.known(chosen.model)
    return context | {
        "waiting": [(one, context["answers"][one.pk], _approvers(found_gates, chosen, one)) for one in waiting],
        "checks": checks.checks(row, compared, target, served) if waiting else [],
        "compared": compared,
        "compare_url": _compare_url(request, compared),
        "code_url": _code_url(request, compared),
        "target": target,
        "production": production,
        "steps": _steps(chosen, waiting),
        "code": pages.snippets(context["uri"], _example(chosen)) | _curl(served, _example(chosen, as_json=True)),
    }


@page("registry/compare.html")
def compare(request: HttpRequest, model: str) -> dict[str, Any]:
    """Two versions side by side: `v` twice; the one in Production, else the one before, when only one is named."""
    actor = request.actor  # type: ignore[attr-defined]
    numbers = [queries.parse_number(text) for text in request.GET.getlist("v")][:2]
    found = model_of(actor, model)
    if not numbers:
        raise Invalid("Name the versions: ?v=1&v=2.")
    against = numbers[0] if len(numbers) == 2 else None
    chosen, context = _open(request, model, numbers[-1], "compare")
    if against is None:
        production = queries.in_production(found).exclude(pk=chosen.pk).first()
        other = production or queries.versions_of(found).filter(version__lt=chosen.version).order_by("-version").first()
    else:
        other = queries.numbered(found, against)
    before = standing.standings(actor, [other])[0] if other else None
    compared = standing.compare(before, context["row"]) if before else None
    choices = [row.version for row in queries.versions_of(found).order_by("-version")[:100]]
    differing = request.GET.get("all") is None
    return context | {
        "compared": compared,
        "choices": choices,
        "differing": differing,
        "code_url": _code_url(request, compared),
    }


@page("registry/schema.html")
def schema(request: HttpRequest, model: str, number: int) -> dict[str, Any]:
    """What it takes and gives, and where each input comes from as far as names tell."""
    chosen, context = _open(request, model, number, "schema")
    row: standing.Standing = context["row"]
    older = _predecessor(request, chosen, None)
    changed = {(one.part, one.name): one for one in signatures.changes(older.columns, row.columns)} if older else {}
    known = standing.origins(request.actor, row)  # type: ignore[attr-defined]
    parts = [
        (
            part,
            [
                (column, changed.get((part, column.name)), known.get(column.name, []))
                for column in row.columns
                if column.part == part
            ],
        )
        for part in signatures.PARTS
    ]
    gone = [one for one in changed.values() if one.sign == "−"]
    return context | {
        "parts": [one for one in parts if one[1]],
        "older": older,
        "gone": gone,
        "tables_read": bool(known),
    }


@page("registry/artifacts.html")
def files(request: HttpRequest, model: str, number: int) -> dict[str, Any]:
    """Its files, frozen when it was registered, and a look into one."""
    chosen, context = _open(request, model, number, "files")
    path = request.GET.get("path", "").strip("/")
    if not chosen.files_at:
        return context | {"entries": [], "path": "", "trail": []}
    entries = artifacts.list_entries(queries.version_place(chosen, path))
    look = None
    if path and not entries:
        look = _look(chosen, path)
        entries = artifacts.list_entries(queries.version_place(chosen, path.rpartition("/")[0]))
    folder = path.rpartition("/")[0] if look else path
    parts = path.split("/") if path else []
    return context | {
        "entries": [(entry, f"{folder}/{entry.name}".strip("/")) for entry in entries],
        "path": path,
        "trail": [(part, "/".join(parts[: at + 1])) for at, part in enumerate(parts)],
        "look": look,
    }


@page("registry/activity.html")
def activity(request: HttpRequest, model: str, number: int) -> dict[str, Any]:
    """Everything that happened to it, in one list."""
    chosen, context = _open(request, model, number, "activity")
    kind = request.GET.get("show", "")
    moments = timeline.moments(request.actor, chosen.model, chosen, kind)  # type: ignore[attr-defined]
    return context | {"moments": moments, "kinds": pages.KINDS, "show": kind}


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


@page("registry/version.html", methods=["POST"])
def answer(request: HttpRequest, model: str, request_id: str) -> HttpResponse:
    """Answer a request: approve and move, reject, or take it back."""
    actor, said = request.actor, request.POST  # type: ignore[attr-defined]
    asked = requests.get_request(actor, request_id)
    wish: dict[str, Any] = {"actor": actor, "model": asked.version.model, "request": asked}
    wish["comment"] = said.get("comment", "").strip()
    here = said.get("back") == "home" and page_url(request, "home:front") or pages.version_url(request, asked.version)
    match said.get("act"):
        case "approve":
            transitions.approve_transition(**wish, archive_existing=said.get("archive") == "on")
            return go(request, here, say=f"Version {asked.version.version} is in {asked.stage}")
        case "reject":
            transitions.reject_transition(**wish)
            return go(request, here, say="Request rejected")
        case "cancel":
            transitions.cancel_transition(**wish)
            return go(request, here, say="Request taken back")
    raise Invalid("That button is not one of this page.")


def _open(request: HttpRequest, key: str, number: int, section: str) -> tuple[ModelVersion, dict[str, Any]]:
    """The version, and what all of its sections show."""
    actor = request.actor  # type: ignore[attr-defined]
    model = model_of(actor, key)
    chosen = queries.attach_aliases([queries.numbered(model, number)])[0]
    level = level_of(actor, model.resource) or Level.VIEW
    row = standing.standings(actor, [chosen])[0]
    here: dict[str, Any] = {"model": model.pk, "number": chosen.version}
    names = [
        ("Overview", page_url(request, "models:version", **here), None, "version"),
        ("Compare", page_url(request, "models:compare", model=model.pk) + f"?v={chosen.version}", None, "compare"),
        ("Schema", page_url(request, "models:schema", **here), len(row.columns) or None, "schema"),
        ("Artifacts", page_url(request, "models:files", **here), None, "files"),
        ("Activity", page_url(request, "models:activity", **here), None, "activity"),
    ]
    uri = f"models:/{model.name}/{chosen.version}"
    frame = Frame(
        "version", f"{model.resource.name.rpartition('.')[2]} v{chosen.version}",
        [*pages.crumbs_of(request, model), (model.resource.name.rpartition(".")[2], page_url(request, "models:detail", model=model.pk))],
        [Tab(label, href, count, name == section) for label, href, count, name in names],
        copy=[("Model URI", uri)], resource=model.resource, part=f"version:{chosen.version}",
        snippets=pages.snippets(uri), node=("model_version", model.pk, chosen.version),
    )  # fmt: skip
    groups = gates.groups_of(actor)
    known = gates.known(model)
    waiting = requests.waiting_in(model)
    moves = []
    for stage in stages.STAGES:
        if stage != chosen.stage:
            needed = gates.level_needed(known, actor, groups, chosen.stage, stage)
            two = any(known[gate].two_people for gate in stages.gates_passed(chosen.stage, stage))
            moves.append((stage, needed.word, level >= needed and not two, two))
    return chosen, {
        "page_title": f"{model.name} v{chosen.version}",
        "frame": frame,
        "model": model,
        "version": chosen,
        "row": row,
        "uri": uri,
        "flavor": _flavor(chosen.facts),
        "edits": level >= Level.EDIT,
        "manages": level >= Level.MANAGE,
        "uses": level >= Level.USE,
        "moves": moves,
        "served": serving.of(serving.serving_now(actor, model), chosen),
        "all_waiting": waiting,
        "answers": requests.answers_of(actor, waiting),
        "asks": [one for one in waiting if one.version_id == chosen.pk],
    }


def _compare_url(request: HttpRequest, compared: standing.Comparison | None) -> str:
    """Where the two versions stand side by side."""
    if compared is None:
        return ""
    before, after = (side.version for side in compared.sides)
    address = page_url(request, "models:compare", model=after.model.pk)
    return f"{address}?v={before.version}&v={after.version}"


def _code_url(request: HttpRequest, compared: standing.Comparison | None) -> str:
    """Where the code of two versions is compared, when both commits are of one repository that may be seen."""
    nodes = [side.commit_node for side in compared.sides] if compared else []
    (base, head) = [tuple(node.key.split(":", 1)) if node else ("", "") for node in nodes] or [("", ""), ("", "")]
    if not base[0] or base[0] != head[0] or base == head:
        return ""
    return page_url(request, "repos:compare", repo_id=base[0]) + f"?base={base[1]}&head={head[1]}&direct=on"


def _predecessor(
    request: HttpRequest, chosen: ModelVersion, production: standing.Standing | None
) -> standing.Standing | None:
    """The version to compare with when it is the one in Production itself: the one there before, else the number before."""
    back = queries.find_rollback(chosen.model) if production else None
    rows = queries.versions_of(chosen.model)
    other = back or rows.filter(version__lt=chosen.version).order_by("-version").first()
    return standing.standings(request.actor, [other])[0] if other else None  # type: ignore[attr-defined]


def _steps(chosen: ModelVersion, waiting: list[TransitionRequest]) -> list[tuple[str, str, Any, str]]:
    """Stage, state (done, now, next), moment and who of each step that it went, is at, or is asked to go."""
    periods = queries.stage_history(chosen.model).filter(version=chosen).order_by("-valid_from", "-id")[:5]
    steps = [
        (period.stage, "done" if period.valid_to else "now", period.valid_from, period.actor_label)
        for period in list(periods)[::-1]
    ]
    return steps + [(one.stage, "next", None, one.author_label) for one in waiting[:2]]


def _approvers(known: Mapping[str, gates.Gate], chosen: ModelVersion, asked: TransitionRequest) -> str:
    """Who may answer a request, in words."""
    passed = [known[stage] for stage in stages.gates_passed(chosen.stage, asked.stage)]
    if not passed:
        return "whoever can edit"
    strictest = max(gate.level for gate in passed)
    keepers = [gates.name_of(one) for gate in passed if gate.level == strictest for one in gate.keepers]
    return ", ".join(dict.fromkeys([*keepers, f"whoever can {strictest.word}"]))


def _flavor(facts: Mapping[str, Any]) -> str:
    """The library that it was saved with, and its version: `sklearn 1.9.1`."""
    flavors = facts.get("flavors") or {}
    for name, told in flavors.items():
        if name != "python_function":
            return f"{name} {told.get(f'{name}_version', '')}".strip()
    return str(facts.get("loader_module", ""))


def _example(chosen: ModelVersion, as_json: bool = False) -> str:
    """The first row of its input example, as Python's or JSON's text; empty when it has none with named columns."""
    if not chosen.files_at:
        return ""
    try:
        with artifacts.open_file(queries.version_place(chosen, EXAMPLE)) as opened:
            raw = opened.read(EXAMPLE_BYTES + 1)
        split = json.loads(raw)["dataframe_split"]
        row = dict(zip(split["columns"], split["data"][0], strict=True))
    except (NotFound, Invalid, ValueError, KeyError, TypeError, IndexError, RecursionError):
        return ""
    return json.dumps({"dataframe_records": [row]}) if as_json else pprint.pformat([row], width=64, sort_dicts=False)


def _curl(served: list[serving.Serving], body: str) -> dict[str, str]:
    """A request to an endpoint that serves it."""
    if not served:
        return {}
    quoted = body.replace("'", "'\\''") or "{…}"
    return {
        "curl": f"curl -X POST {conf.BOATHOUSE_URL}/serving-endpoints/{served[0].name}/invocations \\\n"
        '  -H "Authorization: Bearer $MLFLOW_TRACKING_TOKEN" -H "Content-Type: application/json" \\\n'
        f"  -d '{quoted}'"
    }


def _look(chosen: ModelVersion, path: str) -> dict[str, Any]:
    """The head of a text file, for a look. Raises NotFound."""
    name = path.rpartition("/")[2]
    with artifacts.open_file(queries.version_place(chosen, path)) as opened:
        head = opened.read(PREVIEW_BYTES + 1)
    suffix = f".{name.rpartition('.')[2].lower()}" if "." in name else ""
    readable = suffix in TEXTS and b"\0" not in head
    text = head[:PREVIEW_BYTES].decode(errors="replace") if readable else ""
    return {"name": name, "text": text, "cut": len(head) > PREVIEW_BYTES}


def _change(request: HttpRequest, chosen: ModelVersion) -> HttpResponse:
    wish: dict[str, Any] = {"actor": request.actor, "model": chosen.model}  # type: ignore[attr-defined]
    said, here = request.POST, pages.version_url(request, chosen)
    match said.get("act"):
        case "move" | "request":
            wish |= {"version": chosen, "stage": said.get("stage", ""), "comment": said.get("comment", "").strip()}
            wish["archive_existing"] = said.get("archive") == "on" and said.get("stage") in stages.SERVING
            if said.get("act") == "request":
                transitions.request_transition(**wish)
                return go(request, here, say=f"You asked to move version {chosen.version} to {said.get('stage')}")
            operations.move_to_stage(**wish)
            return go(request, here, say=f"Version {chosen.version} is in {said.get('stage')}")
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
            address = page_url(request, "models:detail", model=chosen.model.pk)
            return go(request, address, say=f"Version {chosen.version} deleted")
    raise Invalid("That button is not one of this page.")
