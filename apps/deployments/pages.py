"""Pages of deployments: the list, and an endpoint's overview, playground, requests, configurations, log and settings."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest, HttpResponse

from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.pages import resource_url
from apps.access.policy import level_of
from apps.access.queries import find_parent, list_ancestors
from apps.deployments import charts, logs, operations, playground, queries, versions
from apps.deployments.models import Endpoint, Follows, ReplicaState
from apps.foundation.errors import Forbidden, Invalid, NotFound
from apps.foundation.pages import Frame, Tab, go, page, page_url, parse_filter, target_id
from apps.foundation.paging import page as page_of
from apps.tables.queries import list_tables

FIELDS = ["state"]
BARS = 40
PRETTY_MAX = 20_000


@page("deployments/list.html", methods=["GET", "POST"], fragments={"list": "deployments/_table.html"})
def list_endpoints(request: HttpRequest) -> dict[str, Any] | HttpResponse:
    """The endpoints one may view; make a new one."""
    actor = request.actor  # type: ignore[attr-defined]
    if request.method == "POST":
        wish = {name: request.POST.get(name, "").strip() for name in ("name", "description", "inference_table")}
        parent = find_parent(actor, None, request.POST.get("folder", "/").strip())
        endpoint = operations.create_endpoint(actor=actor, parent=parent, **wish, **_target(request))
        return go(request, page_url(request, "deployments:detail", endpoint_id=endpoint.pk))
    wanted = parse_filter(request, FIELDS)
    found = queries.list_endpoints(actor)
    if wanted.words:
        found = found.filter(resource__name__icontains=wanted.words)
    if state := wanted.get("state"):
        found = found.filter(state=state)
    rows = page_of(found, order=("-resource__created_at", "-pk"), token=request.GET.get("page_token"))
    figures = queries.figures_of(rows.items)
    for endpoint in queries.with_serving(rows.items):
        endpoint.figures = figures[endpoint.pk]
        endpoint.bars = [minute.requests for minute in endpoint.figures.minutes][-BARS:]
    models = queries.list_models(actor)
    return {"page_title": "Deployments", "page": rows, "filter": wanted, "models": models, "follows": Follows.choices}


def _target(request: HttpRequest) -> dict[str, Any]:
    """What a form says to serve."""
    name, follows = request.POST.get("model", "").strip(), request.POST.get("follows", "")
    try:
        model = operations.get_model(name)
    except NotFound:
        raise Invalid(fields={"model": "There is no such model, or you may not know of it."}) from None
    replicas = request.POST.get("replicas", "1").strip() or "1"
    if not replicas.isdecimal() or len(replicas) > 3:
        raise Invalid(fields={"replicas": "Give a number."})
    value = request.POST.get("value", "").strip()
    return {"model": model, "follows": follows, "value": value, "replicas": int(replicas)}


def _open(request: HttpRequest, endpoint_id: str, section: str) -> tuple[Endpoint, dict[str, Any]]:
    """The endpoint, and what all of its sections show."""
    actor = request.actor  # type: ignore[attr-defined]
    endpoint = queries.get_endpoint(actor, str(endpoint_id))
    level = level_of(actor, endpoint.resource) or Level.VIEW
    sections = [
        ("Overview", "detail", None),
        *([("Playground", "playground", None)] if level >= Level.USE else []),
        ("Requests", "requests", None),
        ("Configurations", "configs", queries.list_configs(endpoint).count()),
        *([("Log", "log", None), ("Settings", "settings", None)] if level >= Level.EDIT else []),
    ]
    tabs = [
        Tab(label, page_url(request, f"deployments:{name}", endpoint_id=endpoint.pk), count, name == section)
        for label, name, count in sections
    ]
    crumbs = [("Deployments", page_url(request, "deployments:list"))]
    crumbs += [
        (above.name, resource_url(request, above)) for above in list_ancestors(endpoint.resource) if above.parent_id
    ]
    serving = queries.serving_now(endpoint)
    frame = Frame(
        "endpoint", endpoint.resource.name, crumbs, tabs, resource=endpoint.resource, node=("endpoint", endpoint.pk),
        copy=[("Address", endpoint.url_path), ("Path", endpoint.resource.path)], snippets=_snippets(endpoint, "{…}"),
    )  # fmt: skip
    return endpoint, {
        "page_title": endpoint.resource.name,
        "frame": frame,
        "endpoint": queries.describe(endpoint),
        "serving": serving,
        "table_url": table_url(request, endpoint),
        "uses": level >= Level.USE,
        "edits": level >= Level.EDIT,
        "manages": level >= Level.MANAGE,
    }


def _snippets(endpoint: Endpoint, body: str) -> dict[str, str]:
    return {
        "curl": f'curl -X POST "$BOATHOUSE_URL{endpoint.url_path}" \\\n  -H "Authorization: Bearer $BOATHOUSE_TOKEN" '
        f"-H \"Content-Type: application/json\" \\\n  -d '{body}'",
        "JavaScript": f'const answer = await fetch(`${{process.env.BOATHOUSE_URL}}{endpoint.url_path}`, {{\n  method: "POST",\n'
        '  headers: { Authorization: `Bearer ${process.env.BOATHOUSE_TOKEN}`, "Content-Type": "application/json" },\n'
        f"  body: JSON.stringify({body}),\n}});\nconsole.log((await answer.json()).predictions);",
        "Python": f'import os, requests\n\nanswer = requests.post(\n    os.environ["BOATHOUSE_URL"] + "{endpoint.url_path}",\n'
        f'    headers={{"Authorization": "Bearer " + os.environ["BOATHOUSE_TOKEN"]}},\n    json={body},\n)\nprint(answer.json()["predictions"])',
    }


@page(
    "deployments/overview.html",
    methods=["GET", "POST"],
    fragments={"live-poll": "deployments/_live.html", "charts-poll": "deployments/_charts.html"},
)
def detail(request: HttpRequest, endpoint_id: str) -> dict[str, Any] | HttpResponse:
    """What it serves, how it does, its replicas; start, stop, serve something else."""
    endpoint, context = _open(request, endpoint_id, "detail")
    if request.method == "POST":
        return _act(request, endpoint)
    window = request.GET.get("window", "")
    window = window if window in charts.WINDOWS else charts.DEFAULT
    if target_id(request) == "charts-poll":
        rows = queries.figures(endpoint, charts.WINDOWS[window][0]).minutes
        return context | {"charts": charts.charts(endpoint, rows)}
    hour = queries.figures(endpoint)
    found = hour if window == charts.DEFAULT else queries.figures(endpoint, charts.WINDOWS[window][0])
    recent = hour.minutes[-6:-1]
    lines = hour.minutes[-BARS:-1]
    replicas = queries.list_replicas(endpoint)
    config = queries.list_configs(endpoint).filter(valid_to__isnull=True).select_related("model").first()
    model = config.model if config else None
    version = versions.find_version(context["serving"]) if context["serving"] else None
    return context | {
        "figures": hour,
        # the current minute has only begun: the rate is that of the last five whole ones
        "per_second": sum(minute.requests for minute in recent) / (60 * len(recent)),
        "requests_line": [minute.requests for minute in lines],
        "p50_line": [value for minute in lines if (value := minute.quantile(0.5))],
        "p99_line": [value for minute in lines if (value := minute.quantile(0.99))],
        "errors_line": [minute.errors + minute.refused for minute in lines],
        "bad_share": (hour.errors + hour.refused) / hour.requests if hour.requests else 0,
        "charts": charts.charts(endpoint, found.minutes),
        "windows": [(name, words) for name, (_, words) in charts.WINDOWS.items()],
        "window": window,
        "replicas": replicas,
        "ready": sum(replica.state == ReplicaState.READY for replica in replicas),
        "models": queries.list_models(request.actor),  # type: ignore[attr-defined]
        "follows": Follows.choices,
        "busy": endpoint.state in ("starting", "updating"),
        "version": version,
        "model_url": model_url(request, model, version.version if version else None),
        "asked": queries.waiting_for(config) if config and model_url(request, model) else [],
    }


def model_url(request: HttpRequest, model: Resource | None, number: int | None = None) -> str:
    """The page of a model, or of one of its versions, for those who may view it; else nothing."""
    if model is None or (level_of(request.actor, model) or 0) < Level.VIEW:  # type: ignore[attr-defined]
        return ""
    if number is None:
        return page_url(request, "models:detail", model=model.pk)
    return page_url(request, "models:version", model=model.pk, number=number)


def _act(request: HttpRequest, endpoint: Endpoint) -> HttpResponse:
    actor, act = request.actor, request.POST.get("act", "")  # type: ignore[attr-defined]
    if act == "start":
        operations.start_endpoint(actor=actor, endpoint=endpoint)
        say = "It starts"
    elif act == "stop":
        operations.stop_endpoint(actor=actor, endpoint=endpoint)
        say = "It stops"
    elif act == "configure":
        operations.update_config(actor=actor, endpoint=endpoint, **_target(request))
        say = "What it serves now answers until the new is ready"
    else:
        raise Invalid("Choose what to do.")
    return go(request, page_url(request, "deployments:detail", endpoint_id=endpoint.pk), say=say)


@page("deployments/overview.html")
def by_name(request: HttpRequest, name: str) -> HttpResponse:
    """An endpoint by its name."""
    found = queries.get_endpoint(request.actor, name)  # type: ignore[attr-defined]
    return go(request, page_url(request, "deployments:detail", endpoint_id=found.pk))


@page("deployments/playground.html")
def try_it(request: HttpRequest, endpoint_id: str) -> dict[str, Any]:
    """A form made of the signature, and the same request from code."""
    endpoint, context = _open(request, endpoint_id, "playground")
    if not context["uses"]:
        raise Forbidden("This needs the level use.", needs="use")
    serving = context["serving"] or context["endpoint"].coming
    again = request.GET.get("request", "")
    logged = logs.find(request.actor, endpoint, again) if again else None  # type: ignore[attr-defined]
    fields = playground.fields_of(serving, logged.request if logged else "") if serving else []
    body = playground.example_body(serving) if serving else ""
    short = json.dumps(json.loads(body)) if body else "{…}"
    return context | {"fields": fields, "body": body, "logged": logged, "code": _snippets(endpoint, short)}


@page("deployments/playground.html", methods=["POST"])
def score(request: HttpRequest, endpoint_id: str) -> HttpResponse:
    """One request from the playground, answered as the scoring route does."""
    endpoint = queries.get_endpoint(request.actor, str(endpoint_id))  # type: ignore[attr-defined]
    status, answer = playground.score_once(request.actor, endpoint, request.body)  # type: ignore[attr-defined]
    return HttpResponse(answer, status=status if 200 <= status < 600 else 502, content_type="application/json")


@page("deployments/requests.html", fragments={"tail-poll": "deployments/_requests.html"})
def requests(request: HttpRequest, endpoint_id: str) -> dict[str, Any]:
    """The newest requests in the inference table, as far as one may view that table."""
    endpoint, context = _open(request, endpoint_id, "requests")
    found = logs.tail(request.actor, endpoint)  # type: ignore[attr-defined]
    return context | {"rows": found.items, "hidden": found.hidden}


@page("deployments/request.html")
def one_request(request: HttpRequest, endpoint_id: str, request_id: str) -> dict[str, Any]:
    """One logged request with its answer, for those who may view the inference table."""
    endpoint, context = _open(request, endpoint_id, "requests")
    row = logs.find(request.actor, endpoint, str(request_id))  # type: ignore[attr-defined]
    return context | {"row": row, "asked_for": _pretty(row.request), "answered": _pretty(row.response)}


def _pretty(text: str) -> str:
    """JSON with line breaks; anything else as it is."""
    try:
        return json.dumps(json.loads(text), indent=2)[:PRETTY_MAX]
    except (ValueError, RecursionError):
        return text[:PRETTY_MAX]


@page("deployments/configs.html")
def configs(request: HttpRequest, endpoint_id: str) -> dict[str, Any]:
    """What it was told to serve, and what it did serve, from when to when."""
    endpoint, context = _open(request, endpoint_id, "configs")
    rows = page_of(queries.list_configs(endpoint), order=("-number",), token=request.GET.get("page_token"))
    changed = [(config, queries.changes_since(config)) for config in rows.items]
    served = page_of(queries.list_served(endpoint), order=("-made_at", "-pk"), size=20).items
    return context | {"page": rows, "rows": changed, "served": served}


@page("deployments/log.html", fragments={"log-poll": "deployments/_log.html"})
def log(request: HttpRequest, endpoint_id: str) -> dict[str, Any]:
    """What the newest replica printed, and how the newest version was prepared."""
    endpoint, context = _open(request, endpoint_id, "log")
    if not context["edits"]:
        raise Forbidden("This needs the level edit.", needs="edit")
    newest = queries.list_served(endpoint).order_by("-made_at").first()
    return context | {"text": queries.service_log(endpoint), "newest": newest}


@page("deployments/settings.html")
def settings(request: HttpRequest, endpoint_id: str) -> dict[str, Any]:
    """Name and trash."""
    _, context = _open(request, endpoint_id, "settings")
    if not context["edits"]:
        raise Forbidden("This needs the level edit.", needs="edit")
    return context


def table_url(request: HttpRequest, endpoint: Endpoint) -> str:
    """The address of an endpoint's inference table, for those who may know of it; else nothing."""
    if endpoint.inference_table is None:
        return ""
    seen = list_tables(request.actor).filter(resource=endpoint.inference_table).exists()  # type: ignore[attr-defined]
    return resource_url(request, endpoint.inference_table) if seen else ""
