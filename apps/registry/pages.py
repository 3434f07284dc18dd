"""Pages of the registry: models; a model with its lanes, requests, history and gates. Versions are in version_pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings as conf
from django.http import HttpRequest, HttpResponse

from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.pages import resource_url
from apps.access.policy import level_of, visible
from apps.access.queries import list_grantee_names
from apps.experiments.models import Run
from apps.experiments.search import Comparison, Entity, Operator
from apps.foundation.clock import now, to_millis
from apps.foundation.errors import Invalid
from apps.foundation.pages import Frame, Tab, go, page, page_url, parse_filter
from apps.foundation.paging import page as page_of
from apps.registry import (
    gates,
    operations,
    queries,
    requests,
    serving,
    stages,
    standing,
    timeline,
    transitions,
)
from apps.registry.api import model_of
from apps.registry.models import ModelVersion, RegisteredModel, TransitionRequest
from apps.registry.names import check_model_name
from apps.registry.search import RegistrySearch, find_models
from apps.registry.serving import Serving

LANE_MAX = 12
VERSIONS_MAX = 50
BANNERS = 3
KINDS = [("", "Everything"), *((kind, kind.capitalize()) for kind in timeline.KINDS)]


@dataclass(frozen=True)
class Lane:
    """One stage of the model page: its newest versions, how many there are, and what is asked out of it."""

    stage: str
    rows: list[standing.Standing]
    count: int
    serving: dict[str, list[Serving]]
    asked: list[TransitionRequest]

    @property
    def cards(self) -> list[tuple[standing.Standing, list[Serving], list[TransitionRequest]]]:
        """The versions drawn as cards, with what serves each and what is asked about it."""
        return [
            (
                row,
                serving.of(self.serving, row.version),
                [one for one in self.asked if one.version_id == row.version.pk],
            )
            for row in self.rows[:3]
        ]


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
    waiting = requests.count_waiting(found.items)
    rows = [
        (model, {version.stage: version for version in latest[model.pk]}, waiting.get(model.pk, 0))
        for model in found.items
    ]
    return {"page_title": "Models", "page": found, "rows": rows, "filter": wanted}


@page("registry/model.html", methods=["GET", "POST"])
def detail(request: HttpRequest, model: str) -> dict[str, Any] | HttpResponse:
    """A model: what waits, its versions by stage and side by side, and how good what was in Production was."""
    actor = request.actor  # type: ignore[attr-defined]
    found, context = open_model(request, model, "detail")
    if request.method == "POST":
        return _change(request, found)
    rows = page_of(
        queries.versions_of(found), order=("-version",), token=request.GET.get("page_token"), size=VERSIONS_MAX
    )
    shown = standing.standings(actor, queries.attach_aliases(rows.items))
    lanes = {stage: queries.lane(found, stage, LANE_MAX) for stage in stages.STAGES}
    known = {row.version.pk: row for row in shown}
    more = [version for versions, _ in lanes.values() for version in versions if version.pk not in known]
    known |= {row.version.pk: row for row in standing.standings(actor, more)}
    production = next((known[version.pk] for version in lanes[stages.PRODUCTION][0]), None)
    target = standing.target_of(list(known.values()), request.GET.get("metric", ""))
    oldest = min((row.version.version for row in shown), default=0)
    older = queries.versions_of(found).filter(version__lt=oldest).order_by("-version").first()
    standing.measure(list(known.values()), target, production, older)
    served = serving.serving_now(actor, found)
    waiting: list[TransitionRequest] = context["waiting"]
    experiment = _experiment(request, next((row for row in shown if row.run), None))
    return context | {
        "page": rows,
        "rows": [(row, [one for one in waiting if one.version_id == row.version.pk]) for row in shown],
        "signatures": any(row.signature for row in shown),
        "lanes": [
            Lane(
                stage,
                [known[version.pk] for version in versions],
                count,
                served,
                [one for one in waiting if one.version.stage == stage],
            )
            for stage, (versions, count) in lanes.items()
        ],
        "banners": waiting[:BANNERS],
        "target": target,
        "production": production,
        "served": [one for rows in served.values() for one in rows],
        "chart": _quality(found, list(known.values()), target) if target else None,
        "experiment": experiment,
        "rollback": queries.find_rollback(found) if context["edits"] else None,
    }


@page("registry/requests.html")
def asked(request: HttpRequest, model: str) -> dict[str, Any]:
    """What was asked about its versions, and what was answered."""
    found, context = open_model(request, model, "requests")
    rows = page_of(
        requests.requests_of(found),
        order=("-created_at", "-id"),
        token=request.GET.get("page_token"),
        size=VERSIONS_MAX,
    )
    can = requests.answers_of(request.actor, rows.items)  # type: ignore[attr-defined]
    return context | {"page": rows, "rows": [(row, can[row.pk]) for row in rows.items]}


@page("registry/history.html")
def history(request: HttpRequest, model: str) -> dict[str, Any]:
    """Who was in Production when, and everything that happened, in one list."""
    found, context = open_model(request, model, "history")
    kind = request.GET.get("show", "")
    moments = timeline.moments(request.actor, found, kind=kind)  # type: ignore[attr-defined]
    periods = standing.production_periods(found)[::-1]
    return context | {"moments": moments, "kinds": KINDS, "show": kind, "periods": periods}


@page("registry/settings.html", methods=["GET", "POST"])
def settings(request: HttpRequest, model: str) -> dict[str, Any] | HttpResponse:
    """Gates, name, trash."""
    found, context = open_model(request, model, "settings")
    if request.method == "POST":
        said = request.POST
        stage = said.get("stage", "")
        transitions.set_gate(
            actor=request.actor,  # type: ignore[attr-defined]
            model=found,
            stage=stage,
            level=said.get("level") or None,
            two_people=said.get("two_people") == "on",
            keepers=[name.strip() for name in said.get("keepers", "").split(",") if name.strip()],
        )
        return go(request, page_url(request, "models:settings", model=found.pk), say=f"The gate of {stage} changed")
    return context | {
        "gates": [
            (gate, ", ".join(gates.name_of(one) for one in gate.keepers)) for gate in gates.known(found).values()
        ],
        "levels": [(level.word, f"Can {level.word}") for level in stages.GATE_LEVELS],
        "names": list_grantee_names(),
    }


def _change(request: HttpRequest, model: RegisteredModel) -> HttpResponse:
    actor, said = request.actor, request.POST  # type: ignore[attr-defined]
    here = page_url(request, "models:detail", model=model.pk)
    match said.get("act", "register"):
        case "register":
            made = operations.create_version(actor=actor, model=model, source=said.get("source", "").strip())
            return go(request, version_url(request, made), say=f"Version {made.version} registered")
        case "describe":
            operations.update_model(actor=actor, model=model, description=said.get("description", ""))
            return go(request, here, say="Description changed")
        case "roll_back":
            to = queries.numbered(model, queries.parse_number(said.get("version", "")))
            transitions.roll_back(actor=actor, model=model, to=to, comment=said.get("comment", ""))
            return go(request, here, say=f"Version {to.version} is in Production again")
    raise Invalid("That button is not one of this page.")


def open_model(request: HttpRequest, key: str, section: str) -> tuple[RegisteredModel, dict[str, Any]]:
    """The model, and what all of its sections show."""
    actor = request.actor  # type: ignore[attr-defined]
    model = model_of(actor, key)
    level = level_of(actor, model.resource) or Level.VIEW
    count = queries.versions_of(model).count()
    waiting = requests.waiting_in(model)
    can = requests.answers_of(actor, waiting)
    names = [
        ("Versions", "detail", count),
        ("Requests", "requests", len(waiting) or None),
        ("History", "history", None),
    ]
    names += [("Settings", "settings", None)] if level >= Level.EDIT else []
    tabs = [
        Tab(label, page_url(request, f"models:{name}", model=model.pk), number, name == section)
        for label, name, number in names
    ]
    frame = Frame(
        "model", model.resource.name.rpartition(".")[2], crumbs_of(request, model), tabs, resource=model.resource,
        copy=[("Name", model.name), ("Model URI", f"models:/{model.name}/Production")],
        snippets=snippets(f"models:/{model.name}/Production"),
    )  # fmt: skip
    return model, {
        "page_title": model.name,
        "frame": frame,
        "model": model,
        "is_empty": not count,
        "edits": level >= Level.EDIT,
        "manages": level >= Level.MANAGE,
        "uses": level >= Level.USE,
        "waiting": waiting,
        "answers": can,
        "for_you": sum(answer.decides for answer in can.values()),
    }


def crumbs_of(request: HttpRequest, model: RegisteredModel) -> list[tuple[str, str | None]]:
    """Models, then the schema that the model lives in."""
    parent: Resource | None = model.resource.parent
    crumbs: list[tuple[str, str | None]] = [("Models", page_url(request, "models:list"))]
    return crumbs + ([(parent.path, resource_url(request, parent))] if parent else [])


def snippets(uri: str, example: str = "") -> dict[str, str]:
    """How to load a model from code; each runs as it is pasted, where the token is in the environment."""
    url = conf.BOATHOUSE_URL
    row = example or "…"
    return {
        "Python": f'import mlflow\nimport pandas as pd\n\n# the token is in MLFLOW_TRACKING_TOKEN\nmlflow.set_tracking_uri("{url}")\n'
        f'model = mlflow.pyfunc.load_model("{uri}")\n' + (f"model.predict(pd.DataFrame({row}))" if example else ""),
        "CLI": f'# the token is in MLFLOW_TRACKING_TOKEN\nexport MLFLOW_TRACKING_URI="{url}"\n'
        f'mlflow artifacts download --artifact-uri "{uri}" --dst-path model',
    }


def version_url(request: HttpRequest, version: ModelVersion) -> str:
    """The address of a version's page."""
    return page_url(request, "models:version", model=version.model.pk, number=version.version)


def _experiment(request: HttpRequest, row: standing.Standing | None) -> tuple[str, str] | None:
    """Name and address of the experiment that the newest run belongs to."""
    if row is None or row.run is None:
        return None
    run = visible(Run, request.actor).filter(uuid=row.run.uuid).select_related("experiment__resource").first()  # type: ignore[attr-defined]
    return (run.experiment.resource.name, resource_url(request, run.experiment.resource)) if run else None


def _quality(model: RegisteredModel, rows: Sequence[standing.Standing], target: standing.Target) -> dict[str, Any]:
    """The target metric of each version when it was registered, what was in Production, and the releases: a chart's data."""
    by_pk = {row.version.pk: row for row in rows}
    line: list[list[float | None]] = []
    marks = []
    for period in standing.production_periods(model):
        row = by_pk.get(period.version_id)
        value = row.metrics.get(target.key) if row else None
        start, end = to_millis(period.valid_from), to_millis(period.valid_to or now())
        marks.append({"x": start, "label": f"v{period.version.version} released", "tone": "muted"})
        line += [[start, value], [end, value]]
    made = sorted((to_millis(row.version.created_at), row.value) for row in rows if row.value is not None)
    series = [{"name": "versions", "points": made, "color": 3, "dash": 1}]
    if line:
        series.insert(0, {"name": "Production", "points": line, "color": 1, "area": False})
    return {
        "x": {"type": "time"},
        "series": series,
        "marks": _apart(marks),
    }


def _apart(marks: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The newest marks that do not stand on each other."""
    shown: list[dict[str, Any]] = []
    least = (to_millis(now()) - marks[0]["x"]) / 12 if marks else 0
    for mark in reversed(marks):
        if not shown or shown[0]["x"] - mark["x"] > least:
            shown.insert(0, mark)
    return shown[-8:]
